#include "ui/views/throughput_bench_plots.h"

#include <algorithm>
#include <cmath>

#include <QMouseEvent>

#include "ui/widgets/end_labels.h"
#include "ui/widgets/tickers.h"

namespace tandem::ui {
namespace {

constexpr double kGiga = 1e9;
constexpr double kClickReach = 24;  // px

double flopsPerSecond(const tandem::BenchBar& bar) {
  return bar.tokens_per_s * bar.flops_per_token;
}

double flopsPerByte(const tandem::BenchBar& bar) {
  return bar.flops_per_token * bar.batch / bar.bytes_per_step;
}

QString number(double value) {
  return QString::number(value, 'g', 6);
}

}  // namespace

SweepPlot::SweepPlot(QWidget* parent)
    : Plot(QStringLiteral("throughputSweep"), parent), m_endLabels(new EndLabels(this)) {
  xAxis->setLabel(tr("batch: completions decoded together"));
  yAxis->setLabel(tr("tokens/s"));
  xAxis->setScaleType(QCPAxis::stLogarithmic);
  QSharedPointer<QCPAxisTickerLog> batches(new QCPAxisTickerLog);
  batches->setLogBase(2);
  batches->setSubTickCount(0);
  xAxis->setTicker(batches);
  xAxis->setNumberFormat(QStringLiteral("gb"));
  xAxis->setNumberPrecision(5);
  setTableSource([this] { return m_report ? benchTable(*m_report, /*forFiles=*/true) : PlotTable(); });
  connect(this, &Plot::themeApplied, this, &SweepPlot::rebuild);
}

void SweepPlot::setReport(std::shared_ptr<const tandem::BenchReport> report) {
  m_report = std::move(report);
  rebuild();
}

void SweepPlot::setBatch(int batch) {
  m_batch = batch;
  rebuild();
}

void SweepPlot::setLogarithmic(bool logarithmic) {
  m_logarithmic = logarithmic;
  rebuild();
}

void SweepPlot::rebuild() {
  clearPlottables();
  clearItems();
  m_endLabels->clear();
  tandem::ui::setLogarithmic(*yAxis, m_logarithmic);
  if (m_report && !m_report->bars.empty()) {
    double least = std::numeric_limits<double>::infinity();
    double most = 0;
    int smallest = std::numeric_limits<int>::max();
    int largest = 1;
    for (const tandem::BenchBar& bar : m_report->bars) {
      smallest = std::min(smallest, bar.batch);
      largest = std::max(largest, bar.batch);
      if (!bar.skipped.empty()) continue;
      least = std::min(least, bar.tokens_per_s_min);
      most = std::max(most, bar.tokens_per_s_max);
    }
    xAxis->setRange(smallest / 1.2, largest * 1.2);
    yAxis->setRange(m_logarithmic ? least / 1.6 : 0, m_logarithmic ? most * 1.6 : most * 1.1);
    for (const BenchSeries& series : benchSeries(*m_report)) {
      addSeries(series);
      addSkipped(series, yAxis->range().lower);
    }
    if (m_batch > 0) {
      auto* line = new QCPItemStraightLine(this);
      line->point1->setCoords(m_batch, yAxis->range().lower);
      line->point2->setCoords(m_batch, yAxis->range().upper);
      line->setPen(QPen(Theme::instance().colors().border, 1));
      line->setLayer(QStringLiteral("grid"));
    }
  }
  replot(QCustomPlot::rpQueuedReplot);
}

void SweepPlot::addSeries(const BenchSeries& series) {
  QCPGraph* line = addGraph();
  auto* range = new QCPErrorBars(xAxis, yAxis);
  range->removeFromLegend();
  range->setDataPlottable(line);
  range->setPen(QPen(Theme::instance().colors().side(series.style.side), 1));
  line->setPen(series.style.pen());
  line->setScatterStyle(series.style.mark());
  double last = 0;
  for (const tandem::BenchBar* bar : series.bars) {
    if (!bar->skipped.empty()) continue;
    line->addData(bar->batch, bar->tokens_per_s);
    range->addData(bar->tokens_per_s - bar->tokens_per_s_min, bar->tokens_per_s_max - bar->tokens_per_s);
    last = bar->tokens_per_s;
  }
  if (last > 0)
    m_endLabels->add(series.style.label, Theme::instance().colors().side(series.style.side), last,
                     series.style.isMain());
}

/// Bars that did not fit the memory: a cross on the floor; the table says why.
void SweepPlot::addSkipped(const BenchSeries& series, double y) {
  for (const tandem::BenchBar* bar : series.bars) {
    if (bar->skipped.empty()) continue;
    auto* cross = new QCPItemText(this);
    cross->position->setCoords(bar->batch, y);
    cross->setPositionAlignment(Qt::AlignHCenter | Qt::AlignBottom);
    cross->setText(QStringLiteral("✖"));
    cross->setColor(Theme::instance().colors().wrong);
  }
}

void SweepPlot::mousePressEvent(QMouseEvent* event) {
  Plot::mousePressEvent(event);
  if (!m_report || event->button() != Qt::LeftButton || !axisRect()->rect().contains(event->pos())) return;
  int nearest = 0;
  double distance = kClickReach;
  for (const tandem::BenchBar& bar : m_report->bars) {
    const double away = std::abs(xAxis->coordToPixel(bar.batch) - event->pos().x());
    if (away >= distance) continue;
    distance = away;
    nearest = bar.batch;
  }
  if (nearest > 0) emit batchClicked(nearest);
}

RooflinePlot::RooflinePlot(QWidget* parent) : Plot(QStringLiteral("throughputRoofline"), parent) {
  xAxis->setLabel(tr("FLOP per byte moved"));
  yAxis->setLabel(tr("GFLOP/s"));
  for (QCPAxis* axis : {xAxis, yAxis}) setLogarithmic(*axis, true);
  connect(this, &QCustomPlot::afterLayout, this, &RooflinePlot::turnLabels);
  setTableSource([this] { return numbers(); });
  connect(this, &Plot::themeApplied, this, &RooflinePlot::rebuild);
}

void RooflinePlot::setReport(std::shared_ptr<const tandem::BenchReport> report) {
  m_report = std::move(report);
  rebuild();
}

void RooflinePlot::rebuild() {
  clearPlottables();
  clearItems();
  m_roofLabels.clear();
  if (m_report && m_report->roofline.flops_per_s > 0) {
    double low = std::numeric_limits<double>::infinity();
    double high = 0;
    double slowest = m_report->roofline.flops_per_s;
    for (const tandem::BenchBar& bar : m_report->bars) {
      if (!bar.skipped.empty()) continue;
      low = std::min(low, flopsPerByte(bar));
      high = std::max(high, flopsPerByte(bar));
      slowest = std::min(slowest, flopsPerSecond(bar));
    }
    const double ridge = m_report->roofline.flops_per_s / m_report->roofline.memory_bytes_per_s;
    low /= 2;
    high = std::max(high, ridge) * 4;
    xAxis->setRange(low, high);
    const double ceiling = std::max(m_report->roofline.flops_per_s, m_report->roofline.bf16_flops_per_s);
    yAxis->setRange(slowest / 3 / kGiga, ceiling * 3 / kGiga);
    addRoofs(low, high);
    for (const BenchSeries& series : benchSeries(*m_report)) {
      auto* points = new QCPCurve(xAxis, yAxis);  // by batch: intensity need not grow with it
      QPen thin = series.style.pen();
      thin.setWidthF(1);
      points->setPen(thin);
      points->setScatterStyle(series.style.mark());
      for (const tandem::BenchBar* bar : series.bars) {
        if (!bar->skipped.empty()) continue;
        points->addData(flopsPerByte(*bar), flopsPerSecond(*bar) / kGiga);
        if (bar != series.bars.first() && bar != series.bars.last()) continue;
        auto* name = new QCPItemText(this);
        name->position->setCoords(flopsPerByte(*bar), flopsPerSecond(*bar) / kGiga);
        name->setPositionAlignment(Qt::AlignTop | Qt::AlignHCenter);
        name->setPadding(QMargins(0, 6, 0, 0));
        name->setText(QString::number(bar->batch));
        name->setColor(Theme::instance().colors().side(series.style.side));
      }
    }
  }
  replot(QCustomPlot::rpQueuedReplot);
}

/// Two bandwidth slopes under one arithmetic ceiling, each named with what was measured.
void RooflinePlot::addRoofs(double low, double high) {
  const Colors& colors = Theme::instance().colors();
  const tandem::Roofline& roofline = m_report->roofline;
  const double ceiling = roofline.flops_per_s / kGiga;
  const auto addRoof = [&](double bytesPerSecond, Qt::PenStyle style, const QString& name) {
    const double ridge = roofline.flops_per_s / bytesPerSecond;
    QCPGraph* roof = addGraph();
    roof->setPen(QPen(colors.secondaryText, 1.5, style));
    roof->setData({low, ridge, high}, {low * bytesPerSecond / kGiga, ceiling, ceiling}, true);
    auto* label = new QCPItemText(this);
    const double at = std::sqrt(std::max(low, yAxis->range().lower * kGiga / bytesPerSecond) * ridge);
    label->position->setCoords(at, at * bytesPerSecond / kGiga);
    label->setPositionAlignment(Qt::AlignHCenter | Qt::AlignBottom);
    label->setPadding(QMargins(0, 0, 0, 2));
    label->setText(tr("%1 %2 GB/s").arg(name).arg(bytesPerSecond / kGiga, 0, 'f', 0));
    label->setColor(colors.secondaryText);
    m_roofLabels << label;
  };
  addRoof(roofline.memory_bytes_per_s, Qt::SolidLine, tr("memory"));
  addRoof(roofline.cached_bytes_per_s, Qt::DashLine, tr("last-level cache"));
  const auto nameCeiling = [&](double flopsPerSecond, const QString& name) {
    auto* label = new QCPItemText(this);
    label->position->setCoords(high, flopsPerSecond / kGiga);
    label->setPositionAlignment(Qt::AlignRight | Qt::AlignBottom);
    label->setPadding(QMargins(0, 0, 6, 2));
    label->setText(tr("%1 %2 GFLOP/s").arg(name).arg(flopsPerSecond / kGiga, 0, 'f', 0));
    label->setColor(colors.secondaryText);
  };
  nameCeiling(roofline.flops_per_s, tr("f32 products"));
  if (roofline.bf16_flops_per_s > 0) {
    QCPGraph* roof = addGraph();
    roof->setPen(QPen(colors.secondaryText, 1.5, Qt::DotLine));
    roof->setData({low, high}, {roofline.bf16_flops_per_s / kGiga, roofline.bf16_flops_per_s / kGiga}, true);
    nameCeiling(roofline.bf16_flops_per_s, tr("bf16 products"));
  }
}

/// Names of the bandwidth roofs run along them: a slope of one decade per decade.
void RooflinePlot::turnLabels() {
  const double rise = yAxis->coordToPixel(1) - yAxis->coordToPixel(10);
  const double run = xAxis->coordToPixel(10) - xAxis->coordToPixel(1);
  for (QCPItemText* label : m_roofLabels) label->setRotation(-qRadiansToDegrees(std::atan2(rise, run)));
}

PlotTable RooflinePlot::numbers() const {
  PlotTable table;
  table.headers << tr("model") << tr("variant") << tr("batch") << tr("intensity (FLOP/byte)")
                << tr("rate (FLOP/s)") << tr("roofline (FLOP/s)");
  if (!m_report) return table;
  for (const tandem::BenchBar& bar : m_report->bars) {
    if (!bar.skipped.empty()) continue;
    table.rows << QStringList{
        QString::fromStdString(bar.model), QString::fromStdString(bar.variant),
        QString::number(bar.batch),        number(flopsPerByte(bar)),
        number(flopsPerSecond(bar)),       number(bar.roofline_tokens_per_s * bar.flops_per_token)};
  }
  return table;
}

}  // namespace tandem::ui
