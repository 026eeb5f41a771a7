#include "ui/views/throughput_live_plot.h"

#include <algorithm>
#include <cmath>

#include <QMouseEvent>

#include "ui/format.h"
#include "ui/widgets/end_labels.h"
#include "ui/widgets/tickers.h"

namespace tandem::ui {
namespace {

constexpr double kMeanWindow = 1.0;   // s
constexpr double kFollowWindow = 30;  // s kept in sight
constexpr double kLabelRoom = 1.22;   // of the time axis, for the names at the curves' ends

/// Index of the last time at or before t, or -1.
qsizetype indexAt(const QVector<double>& times, double t) {
  return std::upper_bound(times.begin(), times.end(), t) - times.begin() - 1;
}

}  // namespace

void RateSeries::add(const tandem::StepSample& step) {
  if (step.step_s <= 0) return;
  const bool starts = m_times.isEmpty() || step.time_s < m_lastSample;  // a problem
  if (step.time_s < m_lastSample) m_offset += m_lastSample;
  m_lastSample = step.time_s;
  const double time = m_offset + step.time_s;
  m_times << time;
  m_tokens << step.occupied;
  m_steps << step.step_s;
  m_raw << (starts ? qQNaN() : step.occupied / step.step_s);
  m_windowTokens += step.occupied;
  m_windowSeconds += step.step_s;
  while (m_times[m_windowBegin] <= time - kMeanWindow) {
    m_windowTokens -= m_tokens[m_windowBegin];
    m_windowSeconds -= m_steps[m_windowBegin];
    ++m_windowBegin;
  }
  m_mean << m_windowTokens / m_windowSeconds;
}

ThroughputLivePlot::ThroughputLivePlot(QWidget* parent)
    : Plot(QStringLiteral("throughputLive"), parent),
      m_endLabels(new EndLabels(this)),
      m_cursor(new QCPItemStraightLine(this)),
      m_cursorText(new QCPItemText(this)) {
  xAxis->setLabel(tr("seconds of decoding, each side"));
  yAxis->setLabel(tr("tokens/s"));
  tandem::ui::setLogarithmic(*xAxis, false);
  tandem::ui::setLogarithmic(*yAxis, false);
  m_endLabels->reserve(sideName(Side::Teacher) + QStringLiteral(" 000 000"));
  setMouseTracking(true);
  for (Graphs& graphs : m_graphs) {
    graphs.raw = addGraph();
    graphs.raw->setAntialiased(false);
    graphs.mean = addGraph();
    graphs.mark = addGraph();
    graphs.mark->setLineStyle(QCPGraph::lsNone);
  }
  addLayer(QStringLiteral("cursor"), layer(QStringLiteral("axes")), QCustomPlot::limAbove);
  layer(QStringLiteral("cursor"))->setMode(QCPLayer::lmBuffered);
  m_cursorText->position->setTypeX(QCPItemPosition::ptPlotCoords);
  m_cursorText->position->setTypeY(QCPItemPosition::ptAxisRectRatio);
  for (QCPAbstractItem* item : std::initializer_list<QCPAbstractItem*>{m_cursor, m_cursorText}) {
    item->setLayer(QStringLiteral("cursor"));
    item->setVisible(false);
  }
  setTableSource([this] { return numbers(); });
  connect(this, &Plot::themeApplied, this, &ThroughputLivePlot::applyColors);
  applyColors();
}

void ThroughputLivePlot::applyColors() {
  const Colors& colors = Theme::instance().colors();
  for (int side = 0; side < 2; ++side) {
    Graphs& graphs = m_graphs[static_cast<std::size_t>(side)];
    QColor faint = colors.side(static_cast<Side>(side));
    graphs.mean->setPen(sidePen(side));
    graphs.mark->setScatterStyle({side == 0 ? QCPScatterStyle::ssDisc : QCPScatterStyle::ssTriangle,
                                  QPen(faint, 1.5), QBrush(faint), 9});
    faint.setAlpha(colors.dark ? 60 : 45);
    graphs.raw->setPen(QPen(faint, 1));
  }
  m_cursor->setPen(QPen(colors.secondaryText, 1));
  m_cursorText->setColor(colors.text);
  m_cursorText->setBrush(colors.surface);
  m_cursorText->setPadding(QMargins(6, 3, 6, 3));
}

void ThroughputLivePlot::add(int side, const tandem::StepSample& step) {
  m_series[static_cast<std::size_t>(side)].add(step);
  m_dirty = true;
}

void ThroughputLivePlot::setSeries(int side, RateSeries series) {
  m_series[static_cast<std::size_t>(side)] = std::move(series);
  Graphs& graphs = m_graphs[static_cast<std::size_t>(side)];
  graphs.raw->data()->clear();
  graphs.mean->data()->clear();
  graphs.shown = 0;
  m_dirty = true;
}

void ThroughputLivePlot::clearSeries() {
  for (int side = 0; side < 2; ++side) setSeries(side, {});
  refresh();
}

void ThroughputLivePlot::setFrozen(bool frozen) {
  m_frozen = frozen;
  refresh();
}

void ThroughputLivePlot::setFollowing(bool following) {
  if (m_following == following) return;
  m_following = following;
  m_dirty = true;
  refresh();
  emit followingChanged(following);
}

void ThroughputLivePlot::showAll() {
  refresh();
  double last = 0;
  for (const RateSeries& series : m_series)
    if (!series.isEmpty()) last = std::max(last, series.times().last());
  if (last > 0) xAxis->setRange(0, last);
  replot(QCustomPlot::rpQueuedReplot);
}

void ThroughputLivePlot::setLogarithmic(bool logarithmic) {
  tandem::ui::setLogarithmic(*yAxis, logarithmic);
  m_dirty = true;
  refresh();
}

void ThroughputLivePlot::refresh() {
  if (m_frozen || !m_dirty) return;
  m_dirty = false;
  m_endLabels->clear();
  for (std::size_t side = 0; side < m_series.size(); ++side) {
    const RateSeries& series = m_series[side];
    Graphs& graphs = m_graphs[side];
    const auto from = graphs.shown;
    graphs.raw->addData(series.times().mid(from), series.raw().mid(from), true);
    graphs.mean->addData(series.times().mid(from), series.mean().mid(from), true);
    graphs.shown = series.times().size();
    graphs.mark->data()->clear();
    if (series.isEmpty()) continue;
    graphs.mark->addData(series.times().last(), series.mean().last());
    const auto which = static_cast<Side>(side);
    m_endLabels->add(
        QStringLiteral("%1 %2").arg(sideName(which), formatCount(std::llround(series.mean().last()))),
        Theme::instance().colors().side(which), series.mean().last(), /*bold=*/true);
  }
  fitAxes();
  replot(QCustomPlot::rpQueuedReplot);
}

void ThroughputLivePlot::fitAxes() {
  double last = 0;
  double highest = 0;
  double lowest = std::numeric_limits<double>::infinity();
  for (const RateSeries& series : m_series) {
    if (series.isEmpty()) continue;
    last = std::max(last, series.times().last());
    // The very first steps would set the scale while the window is still short.
    const double settled = std::min(kMeanWindow, series.times().last()) / 2;
    for (qsizetype i = indexAt(series.times(), settled) + 1; i < series.mean().size(); ++i) {
      highest = std::max(highest, series.mean()[i]);
      lowest = std::min(lowest, series.mean()[i]);
    }
  }
  if (highest <= 0) return;
  if (m_following) {
    const double begin = std::max(0.0, last - kFollowWindow);
    xAxis->setRange(begin, last);
  }
  if (yAxis->scaleType() == QCPAxis::stLogarithmic) {
    yAxis->setRange(lowest / 2, highest * 2);
  } else {
    yAxis->setRange(0, highest * 1.5);
  }
}

void ThroughputLivePlot::showCursor(double time) {
  QStringList lines{tr("t = %1 s").arg(time, 0, 'f', 2)};
  for (std::size_t side = 0; side < m_series.size(); ++side) {
    const RateSeries& series = m_series[side];
    const auto at = indexAt(series.times(), time);
    if (at >= 0 && time <= series.times().last())
      lines << tr("%1 %2 tok/s").arg(sideName(static_cast<Side>(side))).arg(series.mean()[at], 0, 'f', 0);
  }
  const bool rightHalf = xAxis->coordToPixel(time) > axisRect()->center().x();
  m_cursor->point1->setCoords(time, 0);
  m_cursor->point2->setCoords(time, 1);
  m_cursorText->position->setCoords(time, 0);
  m_cursorText->setPositionAlignment((rightHalf ? Qt::AlignRight : Qt::AlignLeft) | Qt::AlignTop);
  m_cursorText->setTextAlignment(Qt::AlignLeft);
  m_cursorText->setText(lines.join(QLatin1Char('\n')));
}

void ThroughputLivePlot::mouseMoveEvent(QMouseEvent* event) {
  Plot::mouseMoveEvent(event);
  const bool inside = !isEmpty() && axisRect()->rect().contains(event->pos());
  m_cursor->setVisible(inside);
  m_cursorText->setVisible(inside);
  if (inside) showCursor(xAxis->pixelToCoord(event->pos().x()));
  layer(QStringLiteral("cursor"))->replot();
}

void ThroughputLivePlot::leaveEvent(QEvent* event) {
  Plot::leaveEvent(event);
  m_cursor->setVisible(false);
  m_cursorText->setVisible(false);
  layer(QStringLiteral("cursor"))->replot();
}

void ThroughputLivePlot::wheelEvent(QWheelEvent* event) {
  if (isEmpty()) return;
  const double factor = event->angleDelta().y() > 0 ? 0.85 : 1 / 0.85;
  xAxis->scaleRange(factor, xAxis->pixelToCoord(event->position().x()));
  setFollowing(false);
  replot(QCustomPlot::rpQueuedReplot);
  event->accept();
}

PlotTable ThroughputLivePlot::numbers() const {
  PlotTable table;
  table.headers << tr("side") << tr("decoding time (s)") << tr("step rate (tokens/s)")
                << tr("1 s mean (tokens/s)");
  for (std::size_t side = 0; side < m_series.size(); ++side) {
    const RateSeries& series = m_series[side];
    for (qsizetype i = 0; i < series.times().size(); ++i)
      table.rows << QStringList{side == 0 ? QStringLiteral("teacher") : QStringLiteral("student"),
                                QString::number(series.times()[i], 'f', 4),
                                QString::number(series.raw()[i], 'f', 1),
                                QString::number(series.mean()[i], 'f', 1)};
  }
  return table;
}

}  // namespace tandem::ui
