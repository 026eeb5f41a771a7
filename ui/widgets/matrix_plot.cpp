#include "ui/widgets/matrix_plot.h"

#include <algorithm>
#include <cmath>

#include <QHelpEvent>
#include <QToolTip>

#include "ui/theme.h"
#include "ui/widgets/matrix_plot_overlay.h"

namespace tandem::ui {
namespace {

constexpr int kBarWidth = 10;
constexpr int kBarGap = 10;       // between map and bar: room for the tick at the hovered value
constexpr int kBarMargin = 50;    // beside the bar: its numbers and its caption
constexpr int kTopMargin = 8;     // above the map and the bar: room for the cap's arrow
constexpr int kSmallestZoom = 4;  // tokens
constexpr int kClickDistance = 4;

/// A square axis rect with fixed margins, and the colour bar at its right, exactly as tall.
class SquareMapLayout : public QCPLayoutGrid {
 public:
  SquareMapLayout(QCPAxisRect* map, QCPColorScale* bar) : m_map(map), m_bar(bar) {
    addElement(0, 0, map);
    addElement(0, 1, bar);
  }
  void updateLayout() override {
    const QMargins margins = m_map->margins();
    constexpr int kBarSpace = kBarGap + kBarWidth + kBarMargin;
    const int side = std::max(20, std::min(rect().width() - margins.left() - kBarSpace,
                                           rect().height() - margins.top() - margins.bottom()));
    const QRect map(rect().left() + margins.left(), rect().top() + margins.top(), side, side);
    m_map->setOuterRect(map.marginsAdded(margins));
    m_bar->setOuterRect(QRect(map.right() + 1 + kBarGap, map.top(), kBarWidth + kBarMargin, side));
  }

 private:
  QCPAxisRect* m_map;
  QCPColorScale* m_bar;
};

}  // namespace

MatrixPlot::MatrixPlot(const QString& objectName, QWidget* parent) : Plot(objectName, parent) {
  setMinimumSize(180, 200);
  setMouseTracking(true);
  setInteractions(QCP::iRangeDrag | QCP::iRangeZoom);
  buildAxes();
  m_map = new QCPColorMap(xAxis, yAxis);
  m_map->setInterpolate(false);
  m_map->setTightBoundary(false);
  m_map->setColorScale(m_bar);
  m_map->setVisible(false);
  addLayer(QStringLiteral("crosshair"));
  layer(QStringLiteral("crosshair"))->setMode(QCPLayer::lmBuffered);
  m_overlay = new MatrixOverlay(this, m_bar);
  m_overlay->setLayer(QStringLiteral("crosshair"));
  connect(this, &Plot::themeApplied, this, &MatrixPlot::recolor);
  recolor();
}

void MatrixPlot::buildAxes() {
  QCPAxisRect* rect = axisRect();
  plotLayout()->take(rect);
  m_bar = new QCPColorScale(this);
  m_bar->setType(QCPAxis::atRight);
  m_bar->setBarWidth(kBarWidth);
  m_bar->setRangeDrag(false);
  m_bar->setRangeZoom(false);
  plotLayout()->addElement(0, 0, new SquareMapLayout(rect, m_bar));
  const QFontMetrics metrics(Theme::monospace(9));
  const int labelWidth = metrics.horizontalAdvance(QString(kTokenLabelLength, QLatin1Char('m'))) + 8;
  rect->setAutoMargins(QCP::msNone);
  rect->setMargins(QMargins(labelWidth, kTopMargin, 0, labelWidth));
  QCPAxisRect* barRect = m_bar->axis()->axisRect();
  barRect->setAutoMargins(QCP::msNone);
  barRect->setMargins(QMargins(0, 0, kBarMargin, 0));
  rect->setRangeZoomFactor(0.8);
  yAxis->setRangeReversed(true);
  m_keyTicker.reset(new TokenTicker(xAxis));
  m_queryTicker.reset(new TokenTicker(yAxis));
  xAxis->setTicker(m_keyTicker);
  yAxis->setTicker(m_queryTicker);
  xAxis->setTickLabelRotation(90);
  for (QCPAxis* axis : {xAxis, yAxis}) {
    axis->grid()->setVisible(false);
    axis->setTickLength(0, 2);
    axis->setTickLabelPadding(3);
    connect(axis, qOverload<const QCPRange&>(&QCPAxis::rangeChanged), this,
            [this, axis] { limitRange(axis); });
  }
}

void MatrixPlot::setTokens(const QStringList& tokens) {
  m_tokenCount = static_cast<int>(tokens.size());
  m_keyTicker->setTokens(tokens);
  m_queryTicker->setTokens(tokens);
  m_overlay->tokens = tokens;
  const QCPRange all(-0.5, m_tokenCount - 0.5);
  setVisibleTokens(all, all);
}

void MatrixPlot::setMap(MapFrame& frame) {
  m_hasMap = frame.cells != nullptr;
  m_map->setVisible(m_hasMap);
  m_bar->setVisible(m_hasMap);
  setEmptyText(frame.reason);
  m_scale = frame.scale;
  if (m_hasMap) m_map->setData(frame.cells.release());
  m_overlay->hasMap = m_hasMap;
  recolor();
  replot(rpQueuedReplot);
}

void MatrixPlot::setColorMap(const ColorMap& sequential) {
  m_sequential = sequential;
  recolor();
  replot(rpQueuedReplot);
}

void MatrixPlot::setBadges(const QStringList& badges, const QString& warning) {
  m_overlay->badges = badges;
  m_overlay->warning = warning;
  refreshOverlay();
}

void MatrixPlot::setRangeWarning(bool on) {
  m_overlay->rangeWarning = on;
  refreshOverlay();
}

void MatrixPlot::setTooltipSource(std::function<QString(int, int)> source) {
  m_tooltip = std::move(source);
}

void MatrixPlot::setCrosshair(int query, int key, std::optional<double> value) {
  m_overlay->query = query;
  m_overlay->key = key;
  m_overlay->barValue = value;
  refreshOverlay();
}

void MatrixPlot::refreshOverlay() {
  layer(QStringLiteral("crosshair"))->replot();
}

void MatrixPlot::recolor() {
  const Colors& colors = Theme::instance().colors();
  axisRect()->setBackground(QBrush(colors.hatch, Qt::BDiagPattern));
  for (QCPAxis* axis : {xAxis, yAxis}) axis->setTickLabelFont(Theme::monospace(9));
  m_bar->axis()->setLabelFont(Theme::body(9));
  m_bar->axis()->setLabelPadding(1);
  m_bar->axis()->setTickLabelPadding(2);
  m_bar->setLabel(m_hasMap ? m_scale.caption() : QString());
  // Exports are light whatever the window is: so is their diverging map, which fades to the background.
  const ColorMap& map = m_scale.diverging() ? divergingColorMap(colors.dark) : m_sequential;
  m_bar->setGradient(map.gradient(m_scale.gamma));
  m_bar->setDataRange(QCPRange(m_scale.lower, m_scale.upper));
  m_overlay->cappedBelow = m_scale.cappedBelow;
  m_overlay->cappedAbove = m_scale.cappedAbove;
}

void MatrixPlot::setVisibleTokens(QCPRange keys, QCPRange queries) {
  const bool wasLimiting = m_limiting;
  m_limiting = true;  // both ranges move before anyone hears of it
  xAxis->setRange(keys);
  yAxis->setRange(queries);
  m_limiting = wasLimiting;
  replot(rpQueuedReplot);
}

void MatrixPlot::limitRange(QCPAxis* axis) {
  if (m_limiting) return;
  m_limiting = true;
  QCPRange range = axis->range();
  const double size =
      std::clamp(range.size(), std::min<double>(kSmallestZoom, m_tokenCount), double(m_tokenCount));
  const double centre = range.center();
  const double lower = std::clamp(centre - size / 2, -0.5, m_tokenCount - 0.5 - size);
  axis->setRange(lower, lower + size);
  m_limiting = false;
  emit visibleTokensChanged(xAxis->range(), yAxis->range());
}

QPoint MatrixPlot::cellAt(const QPointF& position) const {
  if (!m_hasMap || !axisRect()->rect().contains(position.toPoint())) return {-1, -1};
  const auto key = static_cast<int>(std::lround(xAxis->pixelToCoord(position.x())));
  const auto query = static_cast<int>(std::lround(yAxis->pixelToCoord(position.y())));
  if (key < 0 || query < 0 || key >= m_tokenCount || query >= m_tokenCount) return {-1, -1};
  return {key, query};
}

QPointF MatrixPlot::cellCentre(int query, int key) const {
  return {xAxis->coordToPixel(key), yAxis->coordToPixel(query)};
}

void MatrixPlot::mousePressEvent(QMouseEvent* event) {
  m_pressed = event->pos();
  Plot::mousePressEvent(event);
}

void MatrixPlot::mouseMoveEvent(QMouseEvent* event) {
  Plot::mouseMoveEvent(event);
  if (event->buttons() != Qt::NoButton) return;  // dragging pans
  const QPoint cell = cellAt(event->position());
  if (cell.x() >= 0) emit cellHovered(cell.y(), cell.x());
  if (QToolTip::isVisible()) showTooltip(event->pos());
}

void MatrixPlot::mouseReleaseEvent(QMouseEvent* event) {
  Plot::mouseReleaseEvent(event);
  const bool click = (event->pos() - m_pressed).manhattanLength() < kClickDistance;
  const QPoint cell = cellAt(event->position());
  if (event->button() == Qt::LeftButton && click && cell.x() >= 0) emit cellClicked(cell.y(), cell.x());
}

bool MatrixPlot::event(QEvent* event) {
  if (event->type() != QEvent::ToolTip) return Plot::event(event);
  showTooltip(static_cast<QHelpEvent*>(event)->pos());
  return true;
}

void MatrixPlot::showTooltip(const QPoint& position) {
  const QPoint cell = cellAt(position);
  if (cell.x() < 0 || !m_tooltip) return QToolTip::hideText();
  QToolTip::showText(mapToGlobal(position), m_tooltip(cell.y(), cell.x()), this);
}

}  // namespace tandem::ui
