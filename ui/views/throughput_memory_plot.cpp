#include "ui/views/throughput_memory_plot.h"

#include <algorithm>
#include <cmath>

#include "ui/format.h"
#include "ui/views/throughput_bench_data.h"
#include "ui/widgets/end_labels.h"
#include "ui/widgets/tickers.h"

namespace tandem::ui {
namespace {

constexpr double kLeastContext = 4096;  // tokens shown at least
constexpr int kPoints = 160;
constexpr double kMiB = 0x1p20;

constexpr std::array kSides = {Side::Teacher, Side::Student};

bool sameCurve(const tandem::MemoryPoint& a, const tandem::MemoryPoint& b) {
  return a.model == b.model && a.variant == b.variant && a.batch == b.batch;
}

}  // namespace

double memoryBytes(const tandem::ModelInfo& model, std::int64_t completions, std::int64_t prompt,
                   double context) {
  const auto k = static_cast<double>(completions);
  const double shared = std::min(context, static_cast<double>(prompt));
  // With one completion there is nothing to share, and its state continues the prompt's.
  const double states = completions == 1 ? 1 : k + 1;
  return static_cast<double>(model.cache_bytes_per_token()) * (shared + k * (context - shared)) +
         static_cast<double>(model.state_bytes()) * states;
}

std::optional<double> breakEvenTokens(const tandem::ModelInfo& teacher, const tandem::ModelInfo& student) {
  const auto saved = static_cast<double>(teacher.cache_bytes_per_token() - student.cache_bytes_per_token());
  const auto extra = static_cast<double>(student.state_bytes() - teacher.state_bytes());
  if (saved <= 0 || extra <= 0) return std::nullopt;
  return extra / saved;
}

ThroughputMemoryPlot::ThroughputMemoryPlot(QWidget* parent)
    : Plot(QStringLiteral("throughputMemory"), parent), m_endLabels(new EndLabels(this)) {
  xAxis->setLabel(tr("context of each completion, tokens (prompt included)"));
  yAxis->setLabel(tr("MiB"));
  setTableSource([this] { return numbers(); });
  connect(this, &Plot::themeApplied, this, &ThroughputMemoryPlot::rebuild);
}

void ThroughputMemoryPlot::setModel(Side side, std::optional<tandem::ModelInfo> info) {
  m_models[static_cast<std::size_t>(side)] = std::move(info);
  rebuild();
}

void ThroughputMemoryPlot::setReport(std::shared_ptr<const tandem::BenchReport> report) {
  m_report = std::move(report);
  rebuild();
}

void ThroughputMemoryPlot::setCompletions(int completions, std::int64_t prompt) {
  m_completions = completions;
  m_prompt = prompt;
  rebuild();
}

void ThroughputMemoryPlot::setLogarithmic(bool logarithmic) {
  m_logarithmic = logarithmic;
  rebuild();
}

double ThroughputMemoryPlot::lastContext() const {
  double last = kLeastContext;
  if (model(Side::Teacher) && model(Side::Student))
    last = std::max(last, 8 * breakEvenTokens(*model(Side::Teacher), *model(Side::Student)).value_or(0));
  return last;
}

void ThroughputMemoryPlot::rebuild() {
  clearPlottables();
  clearItems();
  m_endLabels->clear();
  for (QCPAxis* axis : {xAxis, yAxis}) tandem::ui::setLogarithmic(*axis, m_logarithmic);
  double most = 0;
  double least = std::numeric_limits<double>::infinity();
  for (const Side side : kSides) {
    if (!model(side)) continue;
    most = std::max(most, memoryBytes(*model(side), m_completions, m_prompt, lastContext()));
    least = std::min(least, memoryBytes(*model(side), 1, m_prompt, 8));
    addFormula(side, 1);
    if (m_completions > 1) addFormula(side, m_completions);
  }
  if (m_report)
    for (std::size_t i = 0; i < m_report->memory.size(); ++i) {
      const tandem::MemoryPoint& point = m_report->memory[i];
      const bool starts =
          std::none_of(m_report->memory.begin(), m_report->memory.begin() + static_cast<std::ptrdiff_t>(i),
                       [&](const auto& earlier) { return sameCurve(earlier, point); });
      if (starts) addMeasured(point);
      most = std::max(most, static_cast<double>(point.bytes));
      least = std::min(least, static_cast<double>(point.bytes));
    }
  if (most > 0) {
    xAxis->setRange(m_logarithmic ? 6 : 0, lastContext());
    yAxis->setRange(m_logarithmic ? least / 2 / kMiB : 0, (m_logarithmic ? 2 : 1.08) * most / kMiB);
  }
  addBreakEven();
  replot(QCustomPlot::rpQueuedReplot);
}

void ThroughputMemoryPlot::addFormula(Side side, int completions) {
  const Colors& colors = Theme::instance().colors();
  QCPGraph* line = addGraph();
  line->setPen(QPen(colors.side(side), 1.5, Qt::DashLine));
  const double last = lastContext();
  for (int i = 0; i <= kPoints; ++i) {
    const double context = 6 * std::pow(last / 6, static_cast<double>(i) / kPoints);
    line->addData(context, memoryBytes(*model(side), completions, m_prompt, context) / kMiB);
  }
  const QString count = completions == 1 ? tr("1 completion") : tr("%1 completions").arg(completions);
  m_endLabels->add(QStringLiteral("%1, %2").arg(sideName(side), count), colors.side(side),
                   memoryBytes(*model(side), completions, m_prompt, last) / kMiB, completions == 1);
}

void ThroughputMemoryPlot::addMeasured(const tandem::MemoryPoint& first) {
  const Side side = benchSide(*m_report, first.model);
  const QColor color = Theme::instance().colors().side(side);
  QCPGraph* line = addGraph();
  line->setPen(QPen(color, 4, Qt::SolidLine, Qt::FlatCap));
  QCPGraph* ends = addGraph();
  ends->setLineStyle(QCPGraph::lsNone);
  ends->setScatterStyle({side == Side::Teacher ? QCPScatterStyle::ssDisc : QCPScatterStyle::ssTriangle,
                         QPen(color, 1.5), QBrush(color), 8});
  const tandem::MemoryPoint* last = &first;
  for (const tandem::MemoryPoint& point : m_report->memory) {
    if (!sameCurve(point, first)) continue;
    line->addData(static_cast<double>(point.context), static_cast<double>(point.bytes) / kMiB);
    last = &point;
  }
  for (const tandem::MemoryPoint* end : {&first, last})
    ends->addData(static_cast<double>(end->context), static_cast<double>(end->bytes) / kMiB);
  if (model(side) && model(side)->name == first.model) return;  // named by its sizes
  const auto& memory = m_report->memory;
  const auto named = std::find_if(memory.begin(), memory.end(), [&](const tandem::MemoryPoint& point) {
    return point.model == first.model;
  });
  if (&*named == &first)
    m_endLabels->add(QString::fromStdString(first.model), color, static_cast<double>(last->bytes) / kMiB);
}

void ThroughputMemoryPlot::addBreakEven() {
  if (!model(Side::Teacher) || !model(Side::Student)) return;
  const auto tokens = breakEvenTokens(*model(Side::Teacher), *model(Side::Student));
  if (!tokens) return;
  const Colors& colors = Theme::instance().colors();
  auto* line = new QCPItemLine(this);
  for (QCPItemPosition* end : {line->start, line->end}) end->setTypeY(QCPItemPosition::ptAxisRectRatio);
  line->start->setCoords(*tokens, 0);
  line->end->setCoords(*tokens, 1);
  line->setPen(QPen(colors.secondaryText, 1, Qt::DotLine));
  auto* label = new QCPItemText(this);
  label->position->setTypeY(QCPItemPosition::ptAxisRectRatio);
  label->position->setCoords(*tokens, 0);
  label->setPositionAlignment(Qt::AlignLeft | Qt::AlignTop);
  label->setPadding(QMargins(6, 4, 6, 0));
  label->setText(tr("break-even %1 tokens").arg(*tokens, 0, 'f', 0));
  label->setColor(colors.text);
}

PlotTable ThroughputMemoryPlot::numbers() const {
  PlotTable table;
  table.headers << tr("source") << tr("model") << tr("completions") << tr("context (tokens)") << tr("bytes");
  for (const Side side : kSides) {
    if (!model(side)) continue;
    for (const int completions : {1, m_completions})
      for (double context = 8; context <= lastContext(); context *= 2)
        table.rows << QStringList{
            tr("from sizes"), QString::fromStdString(model(side)->name), QString::number(completions),
            QString::number(context, 'f', 0),
            QString::number(memoryBytes(*model(side), completions, m_prompt, context), 'f', 0)};
  }
  if (m_report)
    for (const tandem::MemoryPoint& point : m_report->memory)
      table.rows << QStringList{tr("measured, %1").arg(QString::fromStdString(point.variant)),
                                QString::fromStdString(point.model), QString::number(point.batch),
                                QString::number(point.context), QString::number(point.bytes)};
  return table;
}

}  // namespace tandem::ui
