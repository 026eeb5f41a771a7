#include "ui/views/coverage_plot.h"

#include <algorithm>
#include <cmath>

#include <QMouseEvent>
#include <QToolTip>

#include "ui/widgets/end_labels.h"
#include "ui/widgets/tickers.h"

namespace tandem::ui {
namespace {

constexpr int kMarksPerCurve = 9;  // at most; curves hold many more points
constexpr int kMaxTipLines = 6;
constexpr int kMostCursors = 2;          // one for each side
constexpr double kCursorLabelStep = 20;  // px from one cursor's label to the next

QColor withAlpha(QColor color, int alpha) {
  color.setAlpha(alpha);
  return color;
}

bool isThin(CurveKind kind) {
  return kind != CurveKind::Coverage;
}

QPen curvePen(const CoverageCurve& curve) {
  QPen pen = Plot::sidePen(static_cast<int>(curve.side), !isThin(curve.kind));
  if (curve.ordinal > 0) pen.setStyle(Qt::DashDotLine);
  if (isThin(curve.kind)) pen.setWidthF(pen.widthF() * 0.7);
  if (curve.kind == CurveKind::Weighted) pen.setStyle(Qt::DashDotDotLine);
  if (curve.kind == CurveKind::Resampled || curve.kind == CurveKind::PowerLaw) pen.setStyle(Qt::DotLine);
  if (curve.kind == CurveKind::Modelled) pen.setDashPattern({1, 2, 4, 2});
  return pen;
}

/// Filled marks for coverage, hollow ones for what a selector picks, none for fits and models.
QCPScatterStyle curveMark(const CoverageCurve& curve) {
  if (curve.kind != CurveKind::Coverage && curve.kind != CurveKind::Majority &&
      curve.kind != CurveKind::Weighted)
    return QCPScatterStyle::ssNone;
  const Colors& colors = Theme::instance().colors();
  const QCPScatterStyle::ScatterShape shape = curve.kind == CurveKind::Weighted ? QCPScatterStyle::ssSquare
                                              : curve.side == Side::Teacher     ? QCPScatterStyle::ssCircle
                                              : curve.ordinal > 0               ? QCPScatterStyle::ssDiamond
                                                                                : QCPScatterStyle::ssTriangle;
  const QColor color = colors.side(curve.side);
  const bool filled = curve.kind == CurveKind::Coverage;
  return {shape, QPen(color, 1.4), filled ? QBrush(color) : QBrush(colors.background), filled ? 8.0 : 7.0};
}

/// Value at x by linear interpolation in log x, or nothing outside the curve.
std::optional<double> valueAt(const CoverageCurve& curve, double x) {
  if (curve.x.isEmpty() || x < curve.x.first() * 0.999 || x > curve.x.last() * 1.001) return std::nullopt;
  const auto above = std::lower_bound(curve.x.begin(), curve.x.end(), x);
  if (above == curve.x.begin()) return curve.mean.first();
  if (above == curve.x.end()) return curve.mean.last();
  const auto i = above - curve.x.begin();
  const double share = std::log(x / curve.x[i - 1]) / std::log(curve.x[i] / curve.x[i - 1]);
  return curve.mean[i - 1] + share * (curve.mean[i] - curve.mean[i - 1]);
}

/// Points of a curve that get a mark: evenly spaced on the logarithmic axis, and the last.
QVector<int> markedPoints(const CoverageCurve& curve) {
  QVector<int> points;
  if (curve.x.isEmpty()) return points;
  const double step = std::max(std::log(curve.x.last() / curve.x.first()) / (kMarksPerCurve - 1), 1e-9);
  double next = std::log(curve.x.first());
  for (int i = 0; i < curve.x.size(); ++i) {
    if (std::log(curve.x[i]) < next - 1e-9) continue;
    points << i;
    next = std::log(curve.x[i]) + step * 0.999;
  }
  const int last = static_cast<int>(curve.x.size()) - 1;
  const bool crowded = std::log(curve.x[last] / curve.x[points.last()]) < step / 2;
  if (crowded && points.size() > 1) points.removeLast();
  if (points.last() != last) points << last;
  return points;
}

}  // namespace

QVector<QCPAbstractItem*> CoveragePlot::CursorItems::all() const {
  QVector<QCPAbstractItem*> items{line, label};
  for (QCPItemTracer* dot : dots) items << dot;
  return items;
}

CoveragePlot::CoveragePlot(const QString& objectName, const QString& xLabel, double base, QWidget* parent)
    : Plot(objectName, parent), m_base(base), m_endLabels(new EndLabels(this)) {
  xAxis->setLabel(xLabel);
  yAxis->setLabel(tr("share of problems"));
  setLogarithmic(*xAxis, true);
  if (base == 2) {
    QSharedPointer<QCPAxisTickerLog> ticker(new QCPAxisTickerLog);
    ticker->setLogBase(2);
    ticker->setSubTickCount(0);
    xAxis->setTicker(ticker);
    xAxis->setNumberFormat(QStringLiteral("gb"));
    xAxis->setNumberPrecision(5);
  }
  yAxis->setNumberFormat(QStringLiteral("f"));
  yAxis->setNumberPrecision(1);
  yAxis->setRange(0, 1.02);
  setMouseTracking(true);
  addLayer(QStringLiteral("cursor"), layer(QStringLiteral("axes")), QCustomPlot::limAbove);
  layer(QStringLiteral("cursor"))->setMode(QCPLayer::lmBuffered);
  connect(this, &Plot::themeApplied, this, &CoveragePlot::rebuild);
}

void CoveragePlot::setCurves(QVector<CoverageCurve> curves) {
  m_curves = std::move(curves);
  rebuild();
}

void CoveragePlot::setBandsVisible(bool visible) {
  m_bands = visible;
  rebuild();
}

void CoveragePlot::setMarks(QVector<PlotMark> marks) {
  m_marks = std::move(marks);
  rebuild();
}

void CoveragePlot::setDoubtfulFrom(double x, const QString& label) {
  m_doubtfulX = x;
  m_doubtfulLabel = label;
  rebuild();
}

void CoveragePlot::setCursors(const QVector<CoverageCursor>& cursors) {
  if (m_cursors == cursors) return;
  m_cursors = cursors;
  moveCursors();
  layer(QStringLiteral("cursor"))->replot();
}

void CoveragePlot::rebuild() {
  clearPlottables();
  clearItems();
  m_endLabels->clear();
  fitAxes();
  const Colors& colors = Theme::instance().colors();
  const auto addNote = [&](double x, const QString& text, Qt::Alignment alignment, qsizetype row = 0) {
    auto* note = new QCPItemText(this);
    note->position->setTypeX(QCPItemPosition::ptPlotCoords);
    note->position->setTypeY(QCPItemPosition::ptAxisRectRatio);
    note->position->setCoords(x, 1.0 - 0.05 * static_cast<double>(row));  // one above the other
    note->setPositionAlignment(alignment | Qt::AlignBottom);
    note->setPadding(QMargins(4, 2, 4, 3));
    note->setText(text);
    note->setColor(colors.secondaryText);
  };
  if (m_doubtfulX > 0 && m_doubtfulX < xAxis->range().upper) {
    auto* shade = new QCPItemRect(this);
    shade->setLayer(QStringLiteral("background"));
    for (QCPItemPosition* corner : {shade->topLeft, shade->bottomRight})
      corner->setTypeY(QCPItemPosition::ptAxisRectRatio);
    shade->topLeft->setCoords(m_doubtfulX, 0);
    shade->bottomRight->setCoords(xAxis->range().upper * 10, 1);
    shade->setPen(Qt::NoPen);
    shade->setBrush(withAlpha(colors.border, colors.dark ? 36 : 28));
    addNote(xAxis->range().upper, m_doubtfulLabel, Qt::AlignRight);
  }
  for (qsizetype i = 0; i < m_marks.size(); ++i) {
    const PlotMark& mark = m_marks[i];
    auto* line = new QCPItemStraightLine(this);
    line->point1->setCoords(mark.x, 0);
    line->point2->setCoords(mark.x, 1);
    line->setPen(QPen(colors.secondaryText, 1, Qt::DotLine));
    const bool rightHalf = mark.x * mark.x > xAxis->range().lower * xAxis->range().upper;
    addNote(mark.x, mark.label, rightHalf ? Qt::AlignRight : Qt::AlignLeft, i);
  }
  // Four bands over each other say nothing: the selectors' wait until coverage is off.
  const bool coverage = std::any_of(m_curves.begin(), m_curves.end(),
                                    [](const CoverageCurve& c) { return c.kind == CurveKind::Coverage; });
  for (const CoverageCurve& curve : m_curves)
    if (m_bands && (!coverage || curve.kind == CurveKind::Coverage)) addBand(curve);
  for (const CoverageCurve& curve : m_curves) addLine(curve);
  for (const CoverageCurve& curve : m_curves)
    if (!curve.mean.isEmpty())
      m_endLabels->add(curve.label, colors.side(curve.side), curve.mean.last(), !isThin(curve.kind));
  makeCursorItems();
  moveCursors();
  replot(QCustomPlot::rpQueuedReplot);
}

void CoveragePlot::fitAxes() {
  double low = std::numeric_limits<double>::infinity();
  double high = 0;
  for (const CoverageCurve& curve : m_curves) {
    if (curve.x.isEmpty()) continue;
    low = std::min(low, curve.x.first());
    high = std::max(high, curve.x.last());
  }
  if (high <= 0) return;
  const double room = m_base == 2 ? std::pow(2.0, 0.15) : 1.06;
  xAxis->setRange(low / room, high * room);
}

void CoveragePlot::addBand(const CoverageCurve& curve) {
  if (curve.low.isEmpty()) return;
  const Colors& colors = Theme::instance().colors();
  QCPGraph* low = addGraph();
  QCPGraph* high = addGraph();
  low->setData(curve.x, curve.low, true);
  high->setData(curve.x, curve.high, true);
  for (QCPGraph* edge : {low, high}) edge->setPen(Qt::NoPen);
  high->setBrush(withAlpha(colors.side(curve.side), colors.dark ? 52 : 40));
  high->setChannelFillGraph(low);
}

void CoveragePlot::addLine(const CoverageCurve& curve) {
  const auto beyond = std::upper_bound(curve.x.begin(), curve.x.end(), curve.solidTo);
  const auto solid = static_cast<int>(beyond - curve.x.begin());
  const auto add = [&](int begin, int count, const QPen& pen) {
    if (count < 2) return;
    QCPGraph* line = addGraph();
    line->setData(curve.x.mid(begin, count), curve.mean.mid(begin, count), true);
    line->setPen(pen);
  };
  const QPen pen = curvePen(curve);
  add(0, solid, pen);
  QPen dotted = pen;
  dotted.setStyle(Qt::DotLine);
  const int from = std::max(solid - 1, 0);
  if (solid < curve.x.size()) add(from, static_cast<int>(curve.x.size()) - from, dotted);

  const QCPScatterStyle mark = curveMark(curve);
  if (mark.isNone()) return;
  QCPGraph* marks = addGraph();
  marks->setLineStyle(QCPGraph::lsNone);
  marks->setScatterStyle(mark);
  for (const int i : markedPoints(curve)) marks->addData(curve.x[i], curve.mean[i]);
}

/// Items are made here and only moved later: a new item would invalidate the layer and repaint the whole
/// plot.
void CoveragePlot::makeCursorItems() {
  m_cursorItems.clear();
  for (int i = 0; i < kMostCursors; ++i) {
    CursorItems items;
    items.line = new QCPItemLine(this);
    for (QCPItemPosition* end : {items.line->start, items.line->end})
      end->setTypeY(QCPItemPosition::ptAxisRectRatio);
    items.label = new QCPItemText(this);
    items.label->position->setTypeY(QCPItemPosition::ptAxisRectRatio);
    items.label->setPadding(QMargins(5, 1, 5, 1));
    items.label->setFont(font());
    for (int c = 0; c < m_curves.size(); ++c) {
      auto* dot = new QCPItemTracer(this);
      dot->setStyle(QCPItemTracer::tsCircle);
      dot->setSize(9);
      items.dots << dot;
    }
    for (QCPAbstractItem* item : items.all()) {
      item->setLayer(QStringLiteral("cursor"));
      item->setVisible(false);
    }
    m_cursorItems << items;
  }
}

void CoveragePlot::moveCursors() {
  for (int i = 0; i < m_cursorItems.size(); ++i) {
    if (i < m_cursors.size()) {
      moveCursor(m_cursors[i], i, m_cursorItems[i]);
    } else {
      for (QCPAbstractItem* item : m_cursorItems[i].all()) item->setVisible(false);
    }
  }
}

void CoveragePlot::moveCursor(const CoverageCursor& cursor, int row, const CursorItems& items) {
  const Colors& colors = Theme::instance().colors();
  const QColor color = cursor.side ? colors.side(*cursor.side) : colors.text;
  items.line->start->setCoords(cursor.x, 1);
  items.line->end->setCoords(cursor.x, 0);
  items.line->setPen(QPen(color, 1.5, cursor.side == Side::Student ? Qt::DashLine : Qt::SolidLine));
  items.line->setVisible(true);

  const bool rightHalf = xAxis->coordToPixel(cursor.x) > axisRect()->center().x();
  items.label->position->setCoords(cursor.x, row * kCursorLabelStep / std::max(axisRect()->height(), 100));
  items.label->setPositionAlignment((rightHalf ? Qt::AlignRight : Qt::AlignLeft) | Qt::AlignTop);
  items.label->setBrush(withAlpha(colors.background, 215));
  items.label->setText(cursor.label);
  items.label->setColor(color);
  items.label->setVisible(true);

  for (int c = 0; c < m_curves.size(); ++c) {
    const CoverageCurve& curve = m_curves[c];
    const bool followed = curve.kind == CurveKind::Coverage || curve.kind == CurveKind::Majority;
    const bool mine = !cursor.side || *cursor.side == curve.side;
    const auto y = followed && mine ? valueAt(curve, cursor.x) : std::nullopt;
    items.dots[c]->setVisible(y.has_value());
    if (!y) continue;
    items.dots[c]->position->setCoords(cursor.x, *y);
    items.dots[c]->setPen(QPen(colors.background, 1.5));
    items.dots[c]->setBrush(colors.side(curve.side));
  }
}

bool CoveragePlot::insideAxes(const QPoint& position) const {
  return !m_curves.isEmpty() && axisRect()->rect().contains(position);
}

void CoveragePlot::mousePressEvent(QMouseEvent* event) {
  if (event->button() == Qt::LeftButton && insideAxes(event->pos())) {
    emit cursorDragged(xAxis->pixelToCoord(event->pos().x()));
    return;
  }
  Plot::mousePressEvent(event);
}

void CoveragePlot::mouseMoveEvent(QMouseEvent* event) {
  if (event->buttons() == Qt::LeftButton) {
    const QRect axes = axisRect()->rect();
    if (!m_curves.isEmpty())
      emit cursorDragged(xAxis->pixelToCoord(std::clamp(event->pos().x(), axes.left(), axes.right())));
    return;
  }
  showValues(event->pos());
  Plot::mouseMoveEvent(event);
}

void CoveragePlot::showValues(const QPoint& position) {
  if (!insideAxes(position)) return QToolTip::hideText();
  const double x = xAxis->pixelToCoord(position.x());
  QStringList lines;
  for (const CoverageCurve& curve : m_curves) {
    if (curve.x.isEmpty() || lines.size() == kMaxTipLines) continue;
    const auto above = std::lower_bound(curve.x.begin(), curve.x.end(), x);
    auto i = std::min<qsizetype>(above - curve.x.begin(), curve.x.size() - 1);
    if (i > 0 && x / curve.x[i - 1] < curve.x[i] / x) --i;
    if (lines.isEmpty()) lines << QStringLiteral("%1 = %2").arg(xAxis->label()).arg(curve.x[i], 0, 'g', 3);
    QString line = QStringLiteral("%1  %2").arg(curve.label).arg(curve.mean[i], 0, 'f', 2);
    if (!curve.low.isEmpty())
      line += QStringLiteral(" [%1, %2]").arg(curve.low[i], 0, 'f', 2).arg(curve.high[i], 0, 'f', 2);
    lines << line;
  }
  QToolTip::showText(mapToGlobal(position + QPoint(16, 16)), lines.join(QLatin1Char('\n')), this);
}

}  // namespace tandem::ui
