#include "ui/views/throughput_view.h"

#include <algorithm>
#include <thread>

#include <QAbstractButton>
#include <QApplication>
#include <QComboBox>
#include <QGridLayout>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QLabel>
#include <QProgressBar>
#include <QPushButton>
#include <QTableView>
#include <QVBoxLayout>
#include <QtConcurrent>

#include "ui/format.h"
#include "ui/views/throughput_bench_plots.h"
#include "ui/views/throughput_bench_runner.h"
#include "ui/views/throughput_memory_plot.h"
#include "ui/widgets/action_button.h"
#include "ui/widgets/table_window.h"

namespace tandem::ui {
namespace {

constexpr int kDemonstrationRepeats = 2;
constexpr int kRowHeight = 22;
constexpr int kFewestRows = 4;  // of the table, its header included
constexpr int kMostRows = 9;
constexpr int kHeightOfTheRest = 600;  // what the view needs beside its table
const QString kTogether = QStringLiteral("together");

int computeThreads(const tandem::RunSettings& settings) {
  return settings.threads > 0 ? settings.threads
                              : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

tandem::Result<ThroughputRecord> read(const tandem::Session& session) {
  ThroughputRecord record;
  TANDEM_TRY(const auto models, session.models());
  TANDEM_TRY(const auto runs, session.runs());
  for (const tandem::SessionRun& run : runs) {
    const auto model = std::find_if(models.begin(), models.end(),
                                    [&](const tandem::SessionModel& m) { return m.id == run.model_id; });
    if (model == models.end()) continue;
    TANDEM_TRY(auto info, tandem::model_info(*model));
    const std::size_t side = info.is_pure_attention() ? 0 : 1;
    TANDEM_TRY(const auto samples, session.samples(run.id));
    RateSeries rates;  // the latest run of a side is the one shown
    for (const tandem::ThroughputSample& sample : samples) rates.add(sample.step);
    record.rates[side] = std::move(rates);
    record.models[side] = std::move(info);
    record.together = record.together || run.settings.mode == kTogether.toStdString();
  }
  TANDEM_TRY(const auto benchmarks, session.benchmarks());
  if (!benchmarks.empty()) {
    TANDEM_TRY(auto report, tandem::bench_report_from_json(benchmarks.back()));
    record.report = std::make_shared<const tandem::BenchReport>(std::move(report));
  }
  return record;
}

}  // namespace

ThroughputRecord readThroughput(const tandem::Session& session) {
  auto record = read(session);
  if (record) return *std::move(record);
  ThroughputRecord failed;
  failed.error = QString::fromStdString(record.error().message);
  return failed;
}

ThroughputView::ThroughputView(Workspace& workspace, QWidget* parent)
    : View(parent),
      m_workspace(workspace),
      m_runner(new BenchRunner(this)),
      m_live(new ThroughputLivePlot),
      m_memory(new ThroughputMemoryPlot),
      m_sweep(new SweepPlot),
      m_roofline(new RooflinePlot),
      m_table(new QTableView),
      m_ratio(new QLabel),
      m_note(new QLabel) {
  setObjectName(QStringLiteral("throughputView"));
  m_live->setTitle(tr("Live rate"));
  m_memory->setTitle(tr("KV cache or state: dashed from sizes, solid as the engine reports"));
  m_sweep->setTitle(tr("Batch sweep, prefill apart"));
  m_roofline->setTitle(tr("Roofline of decoding"));
  m_live->setEmptyText(tr("Press Run (Ctrl+R) to see tokens per second as they come"));
  m_table->setObjectName(QStringLiteral("throughputTable"));
  m_table->setAccessibleName(tr("Benchmark bars"));
  m_table->setSelectionBehavior(QAbstractItemView::SelectRows);
  m_table->setSelectionMode(QAbstractItemView::SingleSelection);
  m_table->verticalHeader()->hide();
  m_table->horizontalHeader()->setStretchLastSection(true);
  m_table->verticalHeader()->setDefaultSectionSize(kRowHeight);
  m_table->setFont(Theme::monospace(9));
  m_ratio->setObjectName(QStringLiteral("throughputRatio"));
  m_note->setObjectName(QStringLiteral("throughputNote"));
  for (QLabel* label : {m_ratio, m_note}) {
    label->setWordWrap(true);
    label->setTextInteractionFlags(Qt::TextSelectableByMouse);
  }
  m_ratio->setFont(Theme::body(13, QFont::DemiBold));

  auto* grid = new QGridLayout;
  grid->addWidget(m_live, 0, 0);
  grid->addWidget(m_memory, 0, 1);
  grid->addWidget(m_sweep, 1, 0);
  grid->addWidget(m_roofline, 1, 1);
  for (int i = 0; i < 2; ++i) {
    grid->setRowStretch(i, 1);
    grid->setColumnStretch(i, 1);
  }
  auto* layout = new QVBoxLayout(this);
  layout->addWidget(makeToolbar());
  layout->addLayout(grid, 1);
  layout->addWidget(m_ratio);
  layout->addWidget(m_table);
  layout->addWidget(m_note);

  connect(m_live, &ThroughputLivePlot::followingChanged, m_follow, &QAction::setChecked);
  connect(m_sweep, &SweepPlot::batchClicked, this, &ThroughputView::chooseBatch);
  connect(m_runner, &BenchRunner::progress, this, [this](int done, int total, const QString& what) {
    m_progress->setRange(0, total);
    m_progress->setValue(done);
    m_progress->setFormat(what);
  });
  connect(m_runner, &BenchRunner::finished, this, &ThroughputView::takeReport);
  connect(m_runner, &BenchRunner::failed, this, [this](const QString& sentence) {
    m_problem = sentence;
    updateState();
  });
  connectWorkspace();
  showModels();
  showReport();
}

ThroughputView::~ThroughputView() {
  m_reader.waitForFinished();
}

void ThroughputView::connectWorkspace() {
  connect(&m_workspace, &Workspace::live, this, &ThroughputView::takeLive);
  connect(&m_workspace, &Workspace::runStarted, this, [this] {
    if (m_runner->isRunning()) {
      m_runner->stop();
      m_problem = tr("The measurement stopped because a run started: both would have shared the device.");
    }
    m_live->clearSeries();
    m_live->setEmptyText({});
    m_live->setFollowing(true);
    updateState();
  });
  connect(&m_workspace, &Workspace::modelsChanged, this, &ThroughputView::showModels);
  connect(&m_workspace, &Workspace::stateChanged, this, &ThroughputView::updateState);
  connect(&m_workspace, &Workspace::settingsChanged, this, &ThroughputView::updateState);
  connect(&m_workspace, &Workspace::deviceChanged, this, &ThroughputView::showReport);
  connect(&m_workspace, &Workspace::sessionChanged, this, [this] {
    const auto session = m_workspace.session();
    if (session == m_session.lock()) return;
    m_session = session;
    if (m_workspace.state() == Workspace::State::Running) return;  // the live curves are newer than the file
    m_live->clearSeries();
    m_stale = true;
    if (isVisible()) readSession();
  });
  connect(&m_reader, &QFutureWatcherBase::finished, this, &ThroughputView::showRecord);
}

QWidget* ThroughputView::makeToolbar() {
  auto* bar = new QWidget;
  auto* row = new QHBoxLayout(bar);
  row->setContentsMargins(0, 0, 0, 0);

  const auto add = [&](const QString& text, const char* name, const QString& tip, Qt::Key key,
                       bool checkable) {
    QAction* action = addViewAction(*this, text, QString::fromLatin1(name), tip, key, checkable);
    row->addWidget(new ActionButton(action));
    return action;
  };
  QAction* freeze =
      add(tr("Freeze"), "throughputFreeze", tr("Freeze the picture; the run goes on"), Qt::Key_Space, true);
  connect(freeze, &QAction::triggered, this, [this, freeze](bool on) {
    // Space also presses the button that has the focus, as everywhere else.
    auto* focused = qobject_cast<QAbstractButton*>(QApplication::focusWidget());
    if (focused != nullptr && isAncestorOf(focused)) {
      freeze->setChecked(!on);
      focused->animateClick();
      return;
    }
    m_live->setFrozen(on);
  });
  m_follow = add(tr("Follow"), "throughputFollow", tr("Keep the newest seconds in sight"), Qt::Key_End, true);
  m_follow->setChecked(true);
  connect(m_follow, &QAction::toggled, m_live, &ThroughputLivePlot::setFollowing);
  QAction* logarithmic =
      add(tr("Logarithmic"), "throughputLogarithmic", tr("Logarithmic or linear axes"), Qt::Key_G, true);
  logarithmic->setChecked(true);
  connect(logarithmic, &QAction::toggled, this, [this](bool on) {
    m_live->setLogarithmic(on);
    m_memory->setLogarithmic(on);
    m_sweep->setLogarithmic(on);
  });
  QAction* clear = add(tr("Clear"), "throughputClear", tr("Clear the live curves"), Qt::Key_C, false);
  connect(clear, &QAction::triggered, m_live, &ThroughputLivePlot::clearSeries);
  m_reveal = add(tr("Reveal ratio"), "throughputReveal",
                 tr("Student over teacher, with the share of its roofline each reaches"), Qt::Key_R, true);
  connect(m_reveal, &QAction::toggled, this, &ThroughputView::showRatio);
  row->addStretch(1);

  addMeasureControls(*row);
  return bar;
}

void ThroughputView::addMeasureControls(QHBoxLayout& row) {
  m_progress = new QProgressBar;
  m_progress->setObjectName(QStringLiteral("throughputProgress"));
  m_progress->setAccessibleName(tr("Progress of the measurement"));
  m_progress->setMinimumWidth(320);
  m_promptBox = new QComboBox;
  m_promptBox->setObjectName(QStringLiteral("throughputPrompt"));
  m_promptBox->setAccessibleName(tr("Prompt tokens of the measurement"));
  for (const int tokens : {64, 128, 256, 512})
    m_promptBox->addItem(tr("prompt %1 tokens").arg(tokens), tokens);
  m_promptBox->setCurrentIndex(m_promptBox->count() - 1);
  m_measureButton = new QPushButton(tr("Measure"));
  m_measureButton->setObjectName(QStringLiteral("throughputMeasure"));
  m_cancelButton = new QPushButton(tr("Cancel"));
  m_cancelButton->setObjectName(QStringLiteral("throughputCancel"));
  connect(m_promptBox, &QComboBox::currentIndexChanged, this, &ThroughputView::showReport);
  connect(m_measureButton, &QPushButton::clicked, this, [this] { measure(tandem::BenchOptions().repeats); });
  connect(m_cancelButton, &QPushButton::clicked, m_runner, &BenchRunner::stop);
  for (QWidget* widget :
       std::initializer_list<QWidget*>{m_progress, m_promptBox, m_measureButton, m_cancelButton})
    row.addWidget(widget);
}

QList<Plot*> ThroughputView::plots() const {
  return {m_live, m_memory, m_sweep, m_roofline};
}

bool ThroughputView::settled() const {
  const bool shows = m_report || !m_live->isEmpty();
  return shows && !m_runner->isRunning() && !m_reading && !m_stale && !m_demonstrate;
}

void ThroughputView::demonstrate() {
  if (m_report || m_runner->isRunning()) return;
  m_demonstrate = true;
  updateState();
}

void ThroughputView::showEvent(QShowEvent* event) {
  View::showEvent(event);
  if (m_stale) readSession();
  m_live->refresh();
}

void ThroughputView::resizeEvent(QResizeEvent* event) {
  View::resizeEvent(event);
  m_table->setFixedHeight(std::clamp((height() - kHeightOfTheRest) / kRowHeight, kFewestRows, kMostRows) *
                          kRowHeight);
}

void ThroughputView::takeLive(const LiveBatch& batch) {
  for (const LiveStep& step : batch.steps) m_live->add(step.side, step.sample);
  if (isVisible()) m_live->refresh();
}

void ThroughputView::readSession() {
  m_stale = false;
  const auto session = m_workspace.session();
  if (!session) return showModels();
  m_reading = true;
  m_reader.setFuture(QtConcurrent::run([session] { return readThroughput(*session); }));
}

void ThroughputView::showRecord() {
  m_reading = false;
  ThroughputRecord record = m_reader.result();
  if (!record.error.isEmpty()) m_problem = record.error;
  if (m_live->isEmpty()) {
    for (const int side : {0, 1})
      m_live->setSeries(side, std::move(record.rates[static_cast<std::size_t>(side)]));
    if (!m_live->isEmpty()) m_live->setEmptyText({});
    if (m_workspace.isReplay()) m_live->setFollowing(false);
    m_live->showAll();
  }
  for (const Side side : {Side::Teacher, Side::Student})
    if (!m_workspace.model(side)) m_memory->setModel(side, record.models[static_cast<std::size_t>(side)]);
  if (record.report && (!m_report || m_recorded)) {
    m_report = record.report;
    m_recorded = true;
    showReport();
  }
  showModels();
}

void ThroughputView::showModels() {
  const bool known =
      m_workspace.model(Side::Teacher) || m_workspace.model(Side::Student) || m_memory->hasModel();
  m_memory->setEmptyText(known ? QString() : tr("Load two models, or open a session"));
  for (const Side side : {Side::Teacher, Side::Student})
    if (const auto model = m_workspace.model(side)) m_memory->setModel(side, model->info());
  updateState();
}

void ThroughputView::showReport() {
  m_sweep->setReport(m_report);
  m_roofline->setReport(m_report);
  m_memory->setReport(m_report);
  const QString empty = m_report ? QString() : tr("Press Measure: about half a minute for small models");
  m_sweep->setEmptyText(empty);
  m_roofline->setEmptyText(empty);
  m_table->setVisible(m_report != nullptr);
  tandem::BenchOptions options;
  options.batches = tandem::default_bench_options(m_workspace.device()).batches;
  options.prompt_tokens = m_promptBox->currentData().toInt();
  if (m_report) options = m_report->options;
  const int largest = *std::max_element(options.batches.begin(), options.batches.end());
  m_memory->setCompletions(largest, options.prompt_tokens);
  if (m_report) {
    delete m_table->model();
    m_table->setModel(new PlotTableModel(benchTable(*m_report, /*forFiles=*/false), m_table));
    m_table->resizeColumnsToContents();
    const bool known =
        std::find(options.batches.begin(), options.batches.end(), m_batch) != options.batches.end();
    chooseBatch(known ? m_batch : largest);
  }
  updateState();
}

void ThroughputView::chooseBatch(int batch) {
  m_batch = batch;
  m_sweep->setBatch(batch);
  for (std::size_t i = 0; m_report && i < m_report->bars.size(); ++i) {
    if (m_report->bars[i].batch != batch) continue;
    m_table->selectRow(static_cast<int>(i));
    break;
  }
  showRatio();
}

void ThroughputView::showRatio() {
  const bool revealed = m_reveal->isChecked();
  m_ratio->setVisible(revealed);
  if (!revealed) return;
  m_ratio->setText(m_report ? ratioText(*m_report, m_batch)
                            : tr("A ratio needs a measurement of both models: press Measure."));
}

void ThroughputView::updateState() {
  const bool measuring = m_runner->isRunning();
  const bool running = m_workspace.state() == Workspace::State::Running;
  const bool ready = m_workspace.model(Side::Teacher) && m_workspace.model(Side::Student) && !running;
  m_progress->setVisible(measuring);
  m_cancelButton->setVisible(measuring);
  m_measureButton->setVisible(!measuring);
  m_promptBox->setVisible(!measuring);
  m_measureButton->setEnabled(ready);
  m_measureButton->setToolTip(running ? tr("Wait for the run to end: both would share the device")
                              : ready ? tr("Sweep over batch sizes, with the roofline measured beside it")
                                      : tr("Needs both models"));
  const bool together = m_workspace.settings().mode == kTogether.toStdString();
  m_live->setTitle(together ? tr("Live rate: shared device, not comparable") : tr("Live rate"));

  QStringList notes;
  if (!m_problem.isEmpty()) notes << m_problem;
  if (const QString disturbed = m_report ? benchDisturbance(*m_report) : QString(); !disturbed.isEmpty())
    notes << disturbed;
  if (m_report) notes << (m_recorded ? tr("Recorded %1.") : tr("Measured %1.")).arg(benchOrigin(*m_report));
  if (const QString types = m_report ? benchTypes(*m_report) : QString(); !types.isEmpty()) notes << types;
  if (m_report && std::any_of(m_report->bars.begin(), m_report->bars.end(),
                              [](const tandem::BenchBar& bar) { return !bar.skipped.empty(); }))
    notes << tr("✖: did not fit the memory.");
  const QString device = m_workspace.deviceName();
  if (!m_report || m_report->device != device.toStdString())
    notes << tr("Runs here are on %1, with %2 weights.")
                 .arg(device, QString::fromStdString(m_workspace.settings().weights));
  m_note->setText(notes.join(QStringLiteral("  ")));
  const bool read = !m_reading && !m_stale;  // what the session has may be enough to show
  if (ready && !measuring && read && std::exchange(m_demonstrate, false) && !m_report)
    measure(kDemonstrationRepeats);
}

void ThroughputView::measure(int repeats) {
  tandem::BenchOptions options;
  options.batches = tandem::default_bench_options(m_workspace.device()).batches;
  options.repeats = repeats;
  options.prompt_tokens = m_promptBox->currentData().toInt();
  options.threads = computeThreads(m_workspace.settings());
  m_problem.clear();
  m_progress->setRange(0, 0);
  m_runner->start({m_workspace.model(Side::Teacher), m_workspace.model(Side::Student)}, options);
  updateState();
}

void ThroughputView::takeReport(std::shared_ptr<const tandem::BenchReport> report) {
  m_report = std::move(report);
  m_recorded = false;
  if (const auto session = m_workspace.session(); session && !session->read_only())
    QtConcurrent::run([session, json = tandem::to_json(*m_report)] {
      return session->add_benchmark(json);
    }).then(this, [this](const tandem::Status& stored) {
      if (!stored) m_problem = QString::fromStdString(stored.error().message);
      updateState();
    });
  showReport();
}

}  // namespace tandem::ui
