#include "ui/widgets/matrix_plot_overlay.h"

#include <algorithm>

#include "ui/theme.h"
#include "ui/widgets/matrix_plot_ticker.h"

namespace tandem::ui {
namespace {

constexpr int kChipPadding = 3;

/// A short text on an opaque ground.
void drawChip(QCPPainter* painter, const QRectF& place, const QString& text, const QColor& ground,
              const QColor& ink) {
  painter->setPen(Qt::NoPen);
  painter->setBrush(ground);
  painter->drawRoundedRect(place, 2, 2);
  painter->setPen(ink);
  painter->drawText(place, Qt::AlignCenter, text);
}

}  // namespace

MatrixOverlay::MatrixOverlay(QCustomPlot* plot, QCPColorScale* bar) : QCPAbstractItem(plot), m_bar(bar) {
  setClipToAxisRect(false);
  setSelectable(false);
}

void MatrixOverlay::draw(QCPPainter* painter) {
  if (!hasMap) return;
  const QRectF area = mParentPlot->axisRect()->rect();
  drawBadges(painter, area);
  drawBar(painter);
  if (query < 0 || key < 0) return;
  drawCrosshair(painter, area);
  drawTokenChips(painter, area);
}

void MatrixOverlay::drawCrosshair(QCPPainter* painter, const QRectF& area) const {
  const QCPAxis* x = mParentPlot->xAxis;
  const QCPAxis* y = mParentPlot->yAxis;
  const QRectF cell = QRectF(QPointF(x->coordToPixel(key - 0.5), y->coordToPixel(query - 0.5)),
                             QPointF(x->coordToPixel(key + 0.5), y->coordToPixel(query + 0.5)))
                          .normalized();
  painter->save();
  painter->setClipRect(area.adjusted(-1, -1, 1, 1));
  painter->setBrush(Qt::NoBrush);
  // A light line with a dark edge shows on every colour of every map.
  const QRectF frame = cell.adjusted(-1, -1, 1, 1);
  for (const QPen& pen : {QPen(QColor(0, 0, 0, 110), 3), QPen(QColor(255, 255, 255, 240), 1)}) {
    painter->setPen(pen);
    const QPointF centre = cell.center();
    painter->drawLine(QPointF(area.left(), centre.y()), QPointF(frame.left(), centre.y()));
    painter->drawLine(QPointF(frame.right(), centre.y()), QPointF(area.right(), centre.y()));
    painter->drawLine(QPointF(centre.x(), area.top()), QPointF(centre.x(), frame.top()));
    painter->drawLine(QPointF(centre.x(), frame.bottom()), QPointF(centre.x(), area.bottom()));
    painter->drawRect(frame);
  }
  painter->restore();
}

void MatrixOverlay::drawTokenChips(QCPPainter* painter, const QRectF& area) const {
  const Colors& colors = Theme::instance().colors();
  painter->setFont(Theme::monospace(9));
  const QFontMetricsF metrics(painter->font());
  const auto chipWidth = [&](const QString& text) {
    return metrics.horizontalAdvance(text) + 2 * kChipPadding;
  };
  if (mParentPlot->yAxis->range().contains(query)) {
    const QString text = shortToken(tokens.value(query));
    const double width = chipWidth(text), middle = mParentPlot->yAxis->coordToPixel(query);
    drawChip(painter, QRectF(area.left() - width - 3, middle - metrics.height() / 2, width, metrics.height()),
             text, colors.text, colors.background);
  }
  if (mParentPlot->xAxis->range().contains(key)) {
    const QString text = shortToken(tokens.value(key));
    painter->save();
    painter->translate(mParentPlot->xAxis->coordToPixel(key), area.bottom() + 3);
    painter->rotate(90);
    drawChip(painter, QRectF(0, -metrics.height() / 2, chipWidth(text), metrics.height()), text, colors.text,
             colors.background);
    painter->restore();
  }
}

void MatrixOverlay::drawBar(QCPPainter* painter) const {
  const Colors& colors = Theme::instance().colors();
  const QRectF bar = m_bar->axis()->axisRect()->rect();
  painter->setAntialiasing(true);
  painter->setBrush(Qt::NoBrush);
  painter->setPen(QPen(colors.text, 1));
  // Open arrows: numbers lie beyond this end.
  const double middle = bar.center().x(), half = bar.width() / 2;
  const auto arrow = [&](double edge, double tip) {
    painter->drawPolyline(QPolygonF({{middle - half, edge}, {middle, tip}, {middle + half, edge}}));
  };
  if (cappedAbove) arrow(bar.top() - 2, bar.top() - 2 - half);
  if (cappedBelow) arrow(bar.bottom() + 2, bar.bottom() + 2 + half);
  if (rangeWarning) {
    painter->setPen(QPen(colors.warning, 2));
    painter->drawRect(bar.adjusted(-1, -1, 1, 1));
  }
  if (!barValue) return;
  const QCPRange range = m_bar->dataRange();
  const double y = m_bar->axis()->coordToPixel(std::clamp(*barValue, range.lower, range.upper));
  painter->setPen(QPen(colors.background, 1));
  painter->setBrush(colors.text);
  painter->drawPolygon(QPolygonF({{bar.left() + 2, y}, {bar.left() - 7, y - 5}, {bar.left() - 7, y + 5}}));
}

void MatrixOverlay::drawBadges(QCPPainter* painter, const QRectF& area) const {
  const Colors& colors = Theme::instance().colors();
  painter->setFont(Theme::body(9, QFont::DemiBold));
  const QFontMetricsF metrics(painter->font());
  double top = area.top() + 5;
  const auto drawLine = [&](const QString& badge, const QColor& ink) {
    const QString text = metrics.elidedText(badge, Qt::ElideRight, area.width() - 20);
    const double width = metrics.horizontalAdvance(text) + 10;
    drawChip(painter, QRectF(area.right() - width - 5, top, width, metrics.height() + 4), text,
             colors.surface, ink);
    top += metrics.height() + 7;
  };
  if (!warning.isEmpty()) drawLine(warning, colors.wrong);
  for (const QString& badge : badges) drawLine(badge, colors.text);
}

}  // namespace tandem::ui
