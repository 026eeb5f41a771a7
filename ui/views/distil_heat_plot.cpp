#include "ui/views/distil_heat_plot.h"

#include <algorithm>
#include <cmath>

#include <QMouseEvent>

#include "ui/format.h"
#include "ui/theme.h"
#include "ui/widgets/color_map.h"
#include "ui/widgets/tickers.h"

namespace tandem::ui {
namespace {

constexpr std::int64_t kColumns = 1024;  // at most; beyond that a cell is the mean of several updates
constexpr int kBarWidth = 10;
constexpr int kLeastHeight = 110;

bool comparesLayers(tandem::training::Goal goal) {
  return goal == tandem::training::Goal::Matrices || goal == tandem::training::Goal::Hidden;
}

std::int64_t spanOf(const DistilRun& run) {
  std::int64_t span = 0;
  for (std::size_t s = 0; s < run.stages.size(); ++s)
    if (comparesLayers(run.stages[s].goal)) span = run.globalStep(static_cast<std::int64_t>(s) + 1, 0);
  return span;
}

}  // namespace

DistilHeatPlot::DistilHeatPlot(QWidget* parent)
    : Plot(QStringLiteral("distilDistances"), parent),
      m_map(new QCPColorMap(xAxis, yAxis)),
      m_scale(new QCPColorScale(this)),
      m_mark(new QCPItemStraightLine(this)),
      m_row(new QCPItemRect(this)) {
  setTitle(tr("Relative distance by layer and update (brightest: 1 and more)"));
  setMinimumHeight(kLeastHeight);
  yAxis->setLabel(tr("layer"));
  yAxis->setRangeReversed(true);
  yAxis->setTicker(QSharedPointer<QCPAxisTickerFixed>::create());
  yAxis->setSubTicks(false);
  tandem::ui::setLogarithmic(*xAxis, false);
  m_map->setInterpolate(false);
  m_map->setTightBoundary(false);
  m_map->setColorScale(m_scale);
  // 1 is as far as a matrix of zeros: a fresh student starts far beyond, and cools below it.
  m_scale->setDataRange(QCPRange(0, 1));
  m_scale->setBarWidth(kBarWidth);
  plotLayout()->addElement(0, 1, m_scale);
  auto* margins = new QCPMarginGroup(this);
  axisRect()->setMarginGroup(QCP::msTop | QCP::msBottom, margins);
  m_scale->setMarginGroup(QCP::msTop | QCP::msBottom, margins);
  m_mark->setVisible(false);
  m_row->setVisible(false);
  setTableSource([this] { return numbers(); });
  connect(this, &Plot::themeApplied, this, &DistilHeatPlot::applyColors);
  applyColors();
}

void DistilHeatPlot::applyColors() {
  const Colors& colors = Theme::instance().colors();
  QCPColorGradient gradient = sequentialColorMap(QStringLiteral("magma")).gradient();
  gradient.setNanHandling(QCPColorGradient::nhTransparent);
  gradient.setLevelCount(256);
  m_scale->setGradient(gradient);
  axisRect()->setBackground(QBrush(colors.hatch, Qt::BDiagPattern));
  m_mark->setPen(QPen(colors.focus, 1));
  m_row->setPen(QPen(colors.focus, 2));
  m_row->setBrush(Qt::NoBrush);
}

void DistilHeatPlot::setRun(const DistilRun* run) {
  m_span = run != nullptr ? spanOf(*run) : 0;
  const bool filled = run != nullptr && m_span > 0 && fill(*run);
  m_map->setVisible(filled);
  m_scale->setVisible(filled);
  if (run == nullptr)
    setEmptyText({});
  else if (m_span == 0)
    setEmptyText(tr("This recipe compares no layers: it has no stage 1 or 2"));
  else
    setEmptyText(filled ? QString() : tr("Distances appear with the first update"));
  placeMarks();
  replot(QCustomPlot::rpQueuedReplot);
}

/// False while there is nothing to draw.
bool DistilHeatPlot::fill(const DistilRun& run) {
  m_stages = run.stages;
  m_layers = 0;
  for (const auto& update : run.updates)
    m_layers = std::max(m_layers, static_cast<int>(update.relative.size()));
  if (m_layers == 0) return false;
  const std::int64_t columns = std::min(m_span, kColumns);
  auto* cells =
      new QCPColorMapData(static_cast<int>(columns), m_layers,
                          QCPRange(0.5, static_cast<double>(m_span) - 0.5), QCPRange(0, m_layers - 1));
  cells->fill(qQNaN());
  std::vector<int> counts(static_cast<std::size_t>(columns), 0);
  for (const auto& update : run.updates) {
    const std::int64_t at = run.globalStep(update.stage, update.step) - 1;
    if (at >= m_span || update.relative.empty()) continue;
    const auto column = static_cast<int>(at * columns / m_span);
    const int count = counts[static_cast<std::size_t>(column)]++;
    for (int layer = 0; layer < static_cast<int>(update.relative.size()); ++layer) {
      const double value = update.relative[static_cast<std::size_t>(layer)];
      if (!(value > 0)) continue;  // a layer that keeps attention
      const double before = count == 0 ? 0 : cells->cell(column, layer);
      cells->setCell(column, layer, (before * count + value) / (count + 1));
    }
  }
  m_map->setData(cells);
  xAxis->setRange(0, static_cast<double>(m_span));
  yAxis->setRange(-0.5, m_layers - 0.5);
  auto ticker = QSharedPointer<QCPAxisTickerFixed>::create();
  ticker->setTickStep(std::max(1, m_layers / 8));
  yAxis->setTicker(ticker);
  return true;
}

void DistilHeatPlot::placeMarks() {
  m_row->setVisible(m_map->visible() && m_layer < m_layers);
  m_row->topLeft->setCoords(xAxis->range().lower, m_layer - 0.5);
  m_row->bottomRight->setCoords(xAxis->range().upper, m_layer + 0.5);
  std::int64_t at = m_markStep;
  for (std::int64_t s = 0; s < m_markStage && s < std::ssize(m_stages); ++s)
    at += m_stages[static_cast<std::size_t>(s)].steps;
  m_mark->setVisible(m_map->visible() && m_markStage >= 0 && at <= m_span);
  m_mark->point1->setCoords(static_cast<double>(at), 0);
  m_mark->point2->setCoords(static_cast<double>(at), 1);
}

void DistilHeatPlot::setMark(std::int64_t stage, std::int64_t step) {
  m_markStage = stage;
  m_markStep = step;
  placeMarks();
  replot(QCustomPlot::rpQueuedReplot);
}

void DistilHeatPlot::setLayer(int layer) {
  m_layer = layer;
  placeMarks();
  replot(QCustomPlot::rpQueuedReplot);
}

void DistilHeatPlot::mouseReleaseEvent(QMouseEvent* event) {
  Plot::mouseReleaseEvent(event);
  if (event->button() != Qt::LeftButton || !m_map->visible()) return;
  if (!axisRect()->rect().contains(event->pos())) return;
  const auto layer = static_cast<int>(std::lround(yAxis->pixelToCoord(event->pos().y())));
  auto step = static_cast<std::int64_t>(std::ceil(xAxis->pixelToCoord(event->pos().x())));
  std::int64_t stage = 0;
  while (stage + 1 < std::ssize(m_stages) && step > m_stages[static_cast<std::size_t>(stage)].steps)
    step -= m_stages[static_cast<std::size_t>(stage++)].steps;
  emit clicked(std::clamp(layer, 0, m_layers - 1), stage, std::max<std::int64_t>(step, 1));
}

PlotTable DistilHeatPlot::numbers() const {
  PlotTable table;
  table.headers << tr("updates");
  for (int layer = 0; layer < m_layers; ++layer) table.headers << tr("layer %1").arg(layer);
  QCPColorMapData* cells = m_map->data();
  if (m_layers == 0) return table;
  for (int column = 0; column < cells->keySize(); ++column) {
    double key = 0, value = 0;
    cells->cellToCoord(column, 0, &key, &value);
    QStringList row{QString::number(std::lround(key + 0.5))};
    for (int layer = 0; layer < m_layers; ++layer) {
      const double cell = cells->cell(column, layer);
      row << (std::isnan(cell) ? QString() : QString::number(cell, 'g', 6));
    }
    table.rows << row;
  }
  return table;
}

}  // namespace tandem::ui
