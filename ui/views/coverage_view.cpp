#include "ui/views/coverage_view.h"

#include <algorithm>
#include <numeric>

#include <QHBoxLayout>
#include <QLabel>
#include <QProgressBar>
#include <QPushButton>
#include <QScopedValueRollback>
#include <QStackedWidget>
#include <QTableView>
#include <QVBoxLayout>

#include "ui/format.h"
#include "ui/views/coverage_evaluate_dialog.h"
#include "ui/widgets/outcome_strip.h"
#include "ui/widgets/table_window.h"
#include "ui/widgets/value_slider.h"

namespace tandem::ui {
namespace {

constexpr int kFewProblems = 20;
constexpr int kBandProblems = 10;  // below, core gives no band
constexpr double kManyCut = 0.05;
constexpr int kDemonstrationProblems = 40;
constexpr int kDemonstrationCompletions = 16;

QTableView* makeTable(const QString& objectName, const QString& accessibleName) {
  auto* table = new QTableView;
  table->setObjectName(objectName);
  table->setAccessibleName(accessibleName);
  table->setFont(Theme::monospace());
  return table;
}

void fillTable(QTableView& table, const PlotTable& numbers) {
  delete table.model();
  table.setModel(new PlotTableModel(numbers, &table));
  table.resizeColumnsToContents();
}

}  // namespace

CoverageView::CoverageView(Workspace& workspace, QWidget* parent)
    : View(parent),
      m_workspace(workspace),
      m_kPlot(new CoveragePlot(QStringLiteral("coverageAgainstK"), tr("completions k"), 2)),
      m_secondsPlot(new CoveragePlot(QStringLiteral("coverageAgainstSeconds"),
                                     tr("seconds per problem, prefill apart"), 10)),
      m_kTable(makeTable(QStringLiteral("coverageKTable"), tr("Coverage and accuracy against completions"))),
      m_secondsTable(
          makeTable(QStringLiteral("coverageSecondsTable"), tr("Coverage and accuracy against seconds"))),
      m_stack(new QStackedWidget),
      m_kSlider(new ValueSlider(ValueSlider::Scale::Count, tr("&k"), QStringLiteral("coverageK"))),
      m_secondsSlider(
          new ValueSlider(ValueSlider::Scale::Seconds, tr("&seconds"), QStringLiteral("coverageSeconds"))),
      m_sentence(new QLabel),
      m_numbers(new QLabel),
      m_link(new QLabel),
      m_notes(new QLabel),
      m_stripLegend(new QLabel),
      m_strip(new OutcomeStrip(QStringLiteral("coverageStrip"))) {
  setObjectName(QStringLiteral("coverageView"));
  m_kPlot->setTitle(tr("With k completions"));
  m_secondsPlot->setTitle(tr("Within t seconds, measured"));
  for (QLabel* label : {m_sentence, m_numbers, m_link, m_notes}) {
    label->setWordWrap(true);
    label->setTextInteractionFlags(Qt::TextSelectableByMouse);
  }
  m_sentence->setObjectName(QStringLiteral("coverageSentence"));
  m_numbers->setObjectName(QStringLiteral("coverageNumbers"));
  m_link->setObjectName(QStringLiteral("coverageLinkText"));
  m_notes->setObjectName(QStringLiteral("coverageNotes"));
  m_stripLegend->setObjectName(QStringLiteral("coverageStripLegend"));
  m_sentence->setFont(Theme::body(13, QFont::DemiBold));
  m_numbers->setFont(Theme::monospace());

  const auto sideBySide = [](QWidget* left, QWidget* right) {
    auto* page = new QWidget;
    auto* row = new QHBoxLayout(page);
    row->setContentsMargins(0, 0, 0, 0);
    row->addWidget(left, 1);
    row->addWidget(right, 1);
    return page;
  };
  m_stack->addWidget(sideBySide(m_kPlot, m_secondsPlot));
  m_stack->addWidget(sideBySide(m_kTable, m_secondsTable));

  auto* layout = new QVBoxLayout(this);
  layout->addWidget(makeToolbar());
  layout->addWidget(m_stack, 1);
  layout->addWidget(makeSliders());
  for (QWidget* widget :
       std::initializer_list<QWidget*>{m_sentence, m_numbers, m_link, m_stripLegend, m_strip, m_notes})
    layout->addWidget(widget);
  makeKeys();

  connectControls();
  connectWorkspace();
  updateRunState();
  setData(nullptr);
}

void CoverageView::connectControls() {
  m_kPlot->setTableSource([this] { return coverageTable(tr("k"), m_kPlot->curves()); });
  m_secondsPlot->setTableSource([this] { return coverageTable(tr("seconds"), m_secondsPlot->curves()); });
  connect(m_kPlot, &CoveragePlot::cursorDragged, this,
          [this](double x) { chooseK(static_cast<int>(std::lround(x))); });
  connect(m_secondsPlot, &CoveragePlot::cursorDragged, this, &CoverageView::chooseNearSeconds);
  connect(m_kSlider, &ValueSlider::valueChanged, this, [this](double k) { chooseK(static_cast<int>(k)); });
  connect(m_secondsSlider, &ValueSlider::valueChanged, this, &CoverageView::chooseNearSeconds);
  connect(m_kSlider, &ValueSlider::typed, this, [this](double k) {
    m_typed.k = static_cast<int>(k);
    chooseK(static_cast<int>(k));
    reload(/*paced=*/false);
  });
  connect(m_secondsSlider, &ValueSlider::typed, this, [this](double seconds) {
    m_typed.seconds = seconds;
    chooseSeconds(seconds);
    reload(/*paced=*/false);
  });
  connect(m_strip, &OutcomeStrip::activated, this, [this](int cell) {
    if (const int position = m_positions.value(cell, -1); position >= 0)
      m_workspace.selection().setProblem(position);
  });
  connect(&m_loader, &CoverageLoader::loaded, this, &CoverageView::setData);
}

void CoverageView::connectWorkspace() {
  connect(&m_workspace, &Workspace::sessionChanged, this, [this] { reload(/*paced=*/true); });
  connect(&m_workspace, &Workspace::stateChanged, this, &CoverageView::updateRunState);
  connect(&m_workspace, &Workspace::modelsChanged, this, &CoverageView::updateRunState);
  connect(&m_workspace, &Workspace::live, this, &CoverageView::countProgress);
  connect(&m_workspace, &Workspace::runFinished, this, [this] { reload(/*paced=*/false); });
  connect(&m_workspace.selection(), &SelectionModel::changed, this, [this](SelectionModel::Fields fields) {
    if (fields & SelectionModel::ProblemIndex) updateStrip();
    if (fields & SelectionModel::Linked) m_linkAction->setChecked(m_workspace.selection().linked());
    if (m_choosing || !(fields & (SelectionModel::K | SelectionModel::Seconds))) return;
    m_leads = fields & SelectionModel::Seconds ? CoverageBudget::Leads::Seconds
                                               : CoverageBudget::Leads::Completions;
    updateBudget();
  });
  connect(&Theme::instance(), &Theme::changed, this, &CoverageView::updateStrip);  // its legend names colours
}

bool CoverageView::settled() const {
  const bool running = m_workspace.state() == Workspace::State::Running;
  return hasData() && !m_stale && !m_loader.busy() && !running && !m_demonstrate;
}

void CoverageView::demonstrate() {
  if (hasData() || m_loader.busy()) return;
  m_demonstrate = true;  // as soon as the models are there
  updateRunState();
}

void CoverageView::showEvent(QShowEvent* event) {
  View::showEvent(event);
  if (m_stale) reload(/*paced=*/false);
}

void CoverageView::reload(bool paced) {
  m_stale = !isVisible();
  if (m_stale) return;
  const auto session = m_workspace.session();
  if (!session) {
    m_loader.cancel();
    return setData(nullptr);
  }
  m_loader.request(session, m_typed, paced && m_workspace.state() == Workspace::State::Running);
}

void CoverageView::setData(std::shared_ptr<const CoverageData> loaded) {
  m_data = std::move(loaded);
  const bool shown = hasData();
  const bool scores = shown && std::any_of(m_data->report.runs.begin(), m_data->report.runs.end(),
                                           [](const auto& run) { return !run.weighted_k.empty(); });
  m_weighted->setVisible(scores);
  for (QWidget* widget :
       std::initializer_list<QWidget*>{m_kSlider, m_secondsSlider, m_strip, m_stripLegend, m_numbers})
    widget->setEnabled(shown);
  for (QWidget* widget : std::initializer_list<QWidget*>{m_stripLegend, m_strip, m_numbers})
    widget->setVisible(shown);
  if (shown) {
    m_kSlider->setRange(1, static_cast<double>(m_data->report.k.back()));
    m_secondsSlider->setRange(m_data->report.seconds.front(), m_data->report.seconds.back());
  }
  updateCurves();
  updateStrip();
}

void CoverageView::updateCurves() {
  const bool shown = hasData();
  const QString empty = shown ? QString() : tr("Run problems in Race, press Evaluate…, or open a session");
  m_kPlot->setEmptyText(empty);
  m_secondsPlot->setEmptyText(empty);
  m_kPlot->setCurves(shown ? curvesAgainstK(*m_data, m_show) : QVector<CoverageCurve>());
  m_secondsPlot->setCurves(shown ? curvesAgainstSeconds(*m_data, m_show) : QVector<CoverageCurve>());
  std::vector<double> crossings;
  std::int64_t n = 0;
  if (shown) {
    for (const auto& difference : m_data->report.differences)
      crossings.insert(crossings.end(), difference.crossings_s.begin(), difference.crossings_s.end());
    n = m_data->report.k.back();
  }
  QVector<PlotMark> marks;
  for (const double seconds : crossings)
    marks.append({seconds, tr("crossing at %1").arg(formatSeconds(seconds))});
  m_secondsPlot->setMarks(marks);
  m_kPlot->setDoubtfulFrom(n > 2 ? static_cast<double>(n) / 2 : 0, tr("k > n/2: few subsets"));
  updateTables();
  updateNotes();
  updateBudget();
}

void CoverageView::updateTables() {
  if (m_stack->currentIndex() != 1) return;
  fillTable(*m_kTable, m_kPlot->table());
  fillTable(*m_secondsTable, m_secondsPlot->table());
}

void CoverageView::updateStrip() {
  QVector<OutcomeCell> cells;
  std::array<int, 4> counts{};
  int current = -1;
  m_positions.clear();
  if (hasData()) {
    QHash<std::int64_t, int> positions;
    for (int i = 0; i < static_cast<int>(m_workspace.problems().problems.size()); ++i)
      positions.insert(m_workspace.problemId(i), i);
    for (const CoverageData::Item& item : m_data->items) {
      const int position = positions.value(item.problemId, -1);
      if (position >= 0 && position == m_workspace.selection().problem())
        current = static_cast<int>(cells.size());
      m_positions << position;
      ++counts[static_cast<std::size_t>(item.cell.solved)];
      cells << item.cell;
    }
  }
  const auto count = [&](OutcomeCell::Solved solved) { return counts[static_cast<std::size_t>(solved)]; };
  const Colors& colors = Theme::instance().colors();
  m_stripLegend->setText(
      tr("Problems from easy to hard, solved by&nbsp; <b>■</b> both %1&nbsp;&nbsp; <span "
         "style='color:%5'>●</span> "
         "Teacher only %2&nbsp;&nbsp; <span style='color:%6'>▲</span> Student only %3&nbsp;&nbsp; · none %4")
          .arg(count(OutcomeCell::Solved::Both))
          .arg(count(OutcomeCell::Solved::TeacherOnly))
          .arg(count(OutcomeCell::Solved::StudentOnly))
          .arg(count(OutcomeCell::Solved::None))
          .arg(colors.teacher.name(), colors.student.name()));
  m_strip->setCells(cells);
  m_strip->setCurrent(current);
}

void CoverageView::updateNotes() {
  QStringList notes;
  if (m_data && !m_data->error.isEmpty()) notes << m_data->error;
  if (hasData()) {
    const auto& report = m_data->report;
    const auto problems = static_cast<int>(report.problem_ids.size());
    if (problems < kBandProblems) {
      notes << tr("Too few problems for bands.");
    } else if (problems < kFewProblems) {
      notes << tr("Small set: wide bands.");
    }
    if (report.left_out > 0)
      notes << tr("%n problem(s) left out: not every run has completed them.", nullptr,
                  static_cast<int>(report.left_out));
    if (m_data->together) notes << tr("Shared device: these seconds are not a measurement.");
    for (std::size_t i = 0; i < report.runs.size(); ++i)
      if (report.runs[i].cut_fraction > kManyCut)
        notes << tr("%1: %2 % of completions were cut, so late coverage is a lower bound.")
                     .arg(m_data->runLabel(i))
                     .arg(100 * report.runs[i].cut_fraction, 0, 'f', 0);
    if (report.runs.size() == 1)
      notes << tr("Only %1 has run: run the other side on the same problems to compare.")
                   .arg(m_data->runLabel(0));
    if (m_show.powerLaw) notes << powerLawNotes(*m_data);
    notes << (m_workspace.isReplay() ? tr("Recorded on %1.") : tr("Measured on %1.")).arg(m_data->device);
  }
  m_notes->setText(notes.join(QStringLiteral("  ")));
  m_notes->setVisible(!notes.isEmpty());
}

void CoverageView::chooseK(int k) {
  if (!hasData()) return;
  k = std::clamp(k, 1, static_cast<int>(m_data->report.k.back()));
  const QScopedValueRollback guard(m_choosing, true);
  m_leads = CoverageBudget::Leads::Completions;
  SelectionModel& selection = m_workspace.selection();
  selection.setK(k);
  if (selection.linked())
    selection.setSeconds(secondsFor(m_data->report, 0, k).value_or(m_data->report.seconds.back()));
  updateBudget();
}

void CoverageView::chooseSeconds(double seconds) {
  if (!hasData()) return;
  seconds = std::clamp(seconds, m_data->report.seconds.front(), m_data->report.seconds.back());
  const QScopedValueRollback guard(m_choosing, true);
  m_leads = CoverageBudget::Leads::Seconds;
  SelectionModel& selection = m_workspace.selection();
  selection.setSeconds(seconds);
  if (selection.linked())
    selection.setK(std::max(1, static_cast<int>(completionsBy(m_data->report, 0, seconds))));
  updateBudget();
}

/// What is dragged moves from one computed value to the next; what is typed becomes a value of its own.
void CoverageView::chooseNearSeconds(double seconds) {
  if (hasData()) chooseSeconds(m_data->report.seconds[nearestIndex(m_data->report.seconds, seconds)]);
}

void CoverageView::updateBudget() {
  if (!hasData()) {
    for (QLabel* label : {m_sentence, m_numbers, m_link}) label->clear();
    m_kPlot->setCursors({});
    m_secondsPlot->setCursors({});
    return;
  }
  SelectionModel& selection = m_workspace.selection();
  if (!m_chosen) {  // start where the student, or the only run, has finished half of its completions
    m_chosen = true;
    const auto run = static_cast<std::size_t>(std::max(0, m_data->runOf(Side::Student)));
    const double half = static_cast<double>(m_data->report.k.back()) / 2;
    return chooseNearSeconds(secondsFor(m_data->report, run, half).value_or(m_data->report.seconds.back()));
  }
  m_kSlider->setValue(selection.k());
  m_secondsSlider->setValue(selection.seconds());
  const BudgetText text = describeBudget(*m_data, {.leads = m_leads,
                                                   .linked = selection.linked(),
                                                   .k = static_cast<int>(m_kSlider->value()),
                                                   .seconds = m_secondsSlider->value(),
                                                   .studentSpeed = m_show.studentSpeed});
  m_kPlot->setCursors(text.kCursors);
  m_secondsPlot->setCursors(text.secondsCursors);
  m_sentence->setText(text.sentence);
  m_numbers->setText(text.numbers);
  m_link->setText(text.link);
  m_kPlot->setSummary(text.sentence);
  m_secondsPlot->setSummary(text.sentence);
}

void CoverageView::updateRunState() {
  const bool running = m_workspace.state() == Workspace::State::Running;
  const bool models = m_workspace.model(Side::Teacher) && m_workspace.model(Side::Student);
  const bool ready = models && !running && !m_workspace.problems().problems.empty();
  m_progress->setVisible(running && m_runTotal > 0);
  m_stopButton->setVisible(running);
  m_evaluateButton->setVisible(!running);
  m_evaluateButton->setEnabled(ready);
  m_evaluateButton->setToolTip(ready ? tr("Run both models on many problems")
                                     : tr("Needs both models and a problem set"));
  if (!running) m_runTotal = 0;
  if (ready && std::exchange(m_demonstrate, false))
    evaluate(kDemonstrationProblems, kDemonstrationCompletions);
}

void CoverageView::openEvaluateDialog() {
  auto* dialog =
      new CoverageEvaluateDialog(QString::fromStdString(m_workspace.problems().name),
                                 static_cast<int>(m_workspace.problems().problems.size()),
                                 m_workspace.settings().completions, m_workspace.deviceName(), this);
  dialog->setAttribute(Qt::WA_DeleteOnClose);
  connect(dialog, &CoverageEvaluateDialog::chosen, this, &CoverageView::evaluate);
  dialog->open();
}

void CoverageView::evaluate(int problems, int completions, const QString& verifier) {
  tandem::RunSettings settings = m_workspace.settings();
  settings.completions = completions;
  m_workspace.setSettings(settings);
  const auto available = static_cast<int>(m_workspace.problems().problems.size());
  std::vector<std::int64_t> indices(static_cast<std::size_t>(std::min(problems, available)));
  std::iota(indices.begin(), indices.end(), std::int64_t{0});
  m_runDone = 0;
  m_runTotal = 2 * static_cast<int>(indices.size()) * completions;
  m_progress->setRange(0, m_runTotal);
  m_progress->setValue(0);
  m_workspace.startRun(indices, verifier.toStdString());
  updateRunState();
}

void CoverageView::countProgress(const LiveBatch& batch) {
  if (m_runTotal == 0) return;
  m_runDone += static_cast<int>(batch.completions.size());
  if (isVisible()) m_progress->setValue(m_runDone);
}

}  // namespace tandem::ui
