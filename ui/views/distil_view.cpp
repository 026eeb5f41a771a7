#include "ui/views/distil_view.h"

#include <algorithm>

#include <QAction>
#include <QFileInfo>
#include <QListWidget>
#include <QSignalBlocker>
#include <QTableView>

#include "core/training/log.h"
#include "ui/session_files.h"
#include "ui/views/distil_heat_plot.h"
#include "ui/views/distil_loss_plot.h"
#include "ui/views/distil_pair.h"
#include "ui/widgets/stage_rail.h"

namespace tandem::ui {
namespace {

using tandem::training::Recipe;
using tandem::training::TrainingUpdate;

constexpr int kFrameMs = 33;

}  // namespace

DistilView::DistilView(Workspace& workspace, QWidget* parent)
    : View(parent),
      m_workspace(workspace),
      m_readTask([this](const RecordedRuns& read) { takeRuns(read); }),
      m_listsTask([this](const Lists& lists) { takeLists(lists); }),
      m_importTask([this](const Imported& imported) { takeImported(imported); }) {
  buildLayout();
  connectControls();
  m_model.setSmoothing(m_loss->smoothing());
  m_clock.setInterval(kFrameMs);
  connect(&m_clock, &QTimer::timeout, this, &DistilView::frame);
  connect(&m_workspace, &Workspace::sessionChanged, this, &DistilView::followSession);
  connect(&m_workspace, &Workspace::stateChanged, this, &DistilView::updateState);
  connect(&m_workspace, &Workspace::trainingToResume, this, [this] {
    m_resumeWhenRead = true;
    if (!m_readTask.running()) readSession();
  });
  connect(&m_workspace.selection(), &SelectionModel::changed, this, [this](SelectionModel::Fields fields) {
    if (fields & SelectionModel::Layer) m_heat->setLayer(m_workspace.selection().layer());
  });
  showRun();
}

DistilView::~DistilView() = default;

QList<Plot*> DistilView::plots() const {
  return QList<Plot*>{m_loss, m_heat} + m_pair->plots();
}

bool DistilView::settled() const {
  return m_job == nullptr && m_model.rowCount() > 0 && !m_readTask.running() && !m_listsTask.running() &&
         m_pair->settled();
}

void DistilView::demonstrate() {
  if (m_model.rowCount() == 0 && m_workspace.session() == nullptr) start();
}

void DistilView::showEvent(QShowEvent* event) {
  View::showEvent(event);
  showRun();
}

// ---- The job

void DistilView::start() {
  const auto recipe = m_controls->recipe();
  if (!recipe) return void(emit m_workspace.failed(QString::fromStdString(recipe.error().message)));
  launch(*recipe, newTrainingFolder(m_controls->recipeName()), /*resume=*/false);
}

void DistilView::resume() {
  const DistilRun* run = m_model.run(m_current);
  if (run == nullptr) return;
  const auto recipe = tandem::training::parse_recipe(run->row.recipe, run->row.name);
  if (!recipe) return void(emit m_workspace.failed(QString::fromStdString(recipe.error().message)));
  launch(*recipe, QString::fromStdString(run->row.folder), /*resume=*/true);
}

void DistilView::launch(Recipe recipe, const QString& folder, bool resume) {
  if (m_job || m_workspace.state() == Workspace::State::Running) return;
  m_pending.clear();
  m_stopping = false;
  m_job = std::make_unique<DistilJob>(
      std::move(recipe),
      tandem::training::TrainingOptions{folder.toStdString(), resume, m_controls->threads(),
                                        m_workspace.device()},
      sessionSource());
  m_workspace.setOccupied(
      tr("A student is being trained: a run beside it would be slowed and measure nothing. "
         "Pause the training first."));
  m_clock.start();
  updateState();
}

/// The session on show when it can be written, else a new one.
DistilJob::SessionSource DistilView::sessionSource() const {
  auto session = m_session ? m_session : m_workspace.session();
  return [session]() -> tandem::Result<std::shared_ptr<tandem::Session>> {
    if (session && !session->read_only()) return session;
    return newSession();
  };
}

void DistilView::pause() {
  if (!m_job) return;
  m_job->stop();
  m_stopping = true;
  updateState();
}

void DistilView::frame() {
  DistilJob::Progress progress = m_job->take();
  if (progress.session) takeBegin(progress);
  appendUpdates(std::move(progress.updates));
  if (progress.eventsChanged || progress.snapshotsChanged) readLists();
  if (progress.finished) endJob(progress.error);
}

void DistilView::takeBegin(const DistilJob::Progress& progress) {
  m_session = progress.session;
  m_live = m_current = progress.trainingId;
  m_workspace.keepSession(m_session);
  readSession();
}

/// What the run's row does not have yet.
void DistilView::appendUpdates(std::vector<TrainingUpdate> updates) {
  m_pending.insert(m_pending.end(), std::make_move_iterator(updates.begin()),
                   std::make_move_iterator(updates.end()));
  if (m_pending.empty() || m_readTask.running() || m_model.run(m_live) == nullptr) return;
  m_model.change(m_live, [this](DistilRun& run) {
    for (TrainingUpdate& update : m_pending) {
      const bool known =
          !run.updates.empty() && std::pair{update.stage, update.step} <=
                                      std::pair{run.updates.back().stage, run.updates.back().step};
      if (!known) run.updates.push_back(std::move(update));
    }
  });
  m_pending.clear();
  if (m_current == m_live && isVisible()) drawCurves();
}

void DistilView::endJob(const std::optional<tandem::Error>& error) {
  m_clock.stop();
  m_job.reset();  // its thread is at its end: nothing to wait for
  m_live = -1;
  m_workspace.setOccupied({});
  if (m_session) readSession();
  updateState();
  if (error) emit m_workspace.failed(QString::fromStdString(error->message));
}

// ---- The session

/// The window's session, unless a run that is going writes to another one.
void DistilView::followSession() {
  const auto session = m_workspace.session();
  if (m_job || session == m_session) return;
  m_session = session;
  m_current = -1;
  readSession();
}

void DistilView::readSession() {
  if (!m_session) {
    m_readTask.cancel();
    m_model.setRuns({});
    return showRun();
  }
  m_readTask.start([session = m_session](std::stop_token) { return readRuns(*session); });
}

void DistilView::takeRuns(const RecordedRuns& read) {
  if (!read.error.isEmpty()) emit m_workspace.failed(read.error);
  m_model.setRuns(read.runs);
  m_model.setLive(m_live);
  if (m_model.run(m_current) == nullptr) m_current = read.runs.empty() ? -1 : read.runs.back().row.id;
  showRun();
  appendUpdates({});
  if (!std::exchange(m_resumeWhenRead, false)) return;
  for (const DistilRun& run : m_model.runs())
    if (!run.finished()) m_current = run.row.id;
  if (resumable()) resume();
}

void DistilView::readLists() {
  if (m_listsTask.running()) {
    m_listsStale = true;
    return;
  }
  m_listsTask.start([session = m_session, id = m_live](std::stop_token) {
    Lists lists{id, {}, {}};
    if (auto events = session->training_events(id)) lists.events = *std::move(events);
    if (auto snapshots = session->training_snapshots(id)) lists.snapshots = *std::move(snapshots);
    return lists;
  });
}

void DistilView::takeLists(const Lists& lists) {
  if (m_model.run(lists.id) != nullptr) {
    m_model.change(lists.id, [&](DistilRun& run) {
      run.events = lists.events;
      run.snapshots = lists.snapshots;
    });
    if (lists.id == m_current) {
      const DistilRun* run = m_model.run(m_current);
      fillEvents(run);
      m_pair->setRun(m_session, m_current, run->snapshots);
    }
  }
  if (std::exchange(m_listsStale, false) && m_job) readLists();
}

void DistilView::import(const QString& folder) {
  m_importTask.start([folder, source = sessionSource()](std::stop_token) -> Imported {
    auto session = source();
    if (!session) return {nullptr, -1, QString::fromStdString(session.error().message)};
    const auto id = tandem::import_training(**session, folder.toStdString());
    if (!id) return {nullptr, -1, QString::fromStdString(id.error().message)};
    return {*session, *id, {}};
  });
}

void DistilView::takeImported(const Imported& imported) {
  if (!imported.session) return void(emit m_workspace.failed(imported.error));
  m_session = imported.session;
  m_current = imported.id;
  m_workspace.keepSession(m_session);
  readSession();
}

// ---- What is on show

void DistilView::chooseRun(std::int64_t id) {
  if (m_current == id) return;
  m_current = id;
  m_loss->setMark(-1, 0);
  m_heat->setMark(-1, 0);
  showRun();
}

void DistilView::choosePlace(std::int64_t stage, std::int64_t step) {
  m_loss->setMark(stage, step);
  m_heat->setMark(stage, step);
  m_pair->choosePlace(stage, step);
}

void DistilView::pinBaseline(bool on) {
  m_model.setBaseline(on ? m_current : -1);
  drawCurves();
}

void DistilView::showRun() {
  const DistilRun* run = m_model.run(m_current);
  {
    const QSignalBlocker block(m_table->selectionModel());
    if (run != nullptr) m_table->selectRow(m_model.rowOf(m_current));
  }
  m_table->viewport()->update();
  fillEvents(run);
  if (run != nullptr)
    m_pair->setRun(m_session, m_current, run->snapshots);
  else
    m_pair->setRun(nullptr, -1, {});
  drawCurves();
  updateState();
}

void DistilView::drawCurves() {
  const DistilRun* run = m_model.run(m_current);
  m_loss->setRun(run, m_model.run(m_model.baseline()));
  m_heat->setRun(run);
  if (run != nullptr) {
    m_loss->setEmptyText({});
    m_rail->setRun(run, m_current == m_live);
    return;
  }
  m_loss->setEmptyText(tr(
      "Press Start: a fresh student learns from the teacher, stage by stage. Runs of an opened session, or "
      "of a run folder, are shown here too."));
  m_heat->setEmptyText(tr("How far each layer is from the teacher's, cooling as it learns"));
  if (const auto recipe = m_controls->recipe()) m_rail->setPlan(stagesOf(recipe->json));
}

void DistilView::fillEvents(const DistilRun* run) {
  const auto shown = static_cast<std::size_t>(m_events->count());
  const bool grows = run != nullptr && m_eventsOf == m_current && shown <= run->events.size();
  if (!grows) m_events->clear();
  m_eventsOf = m_current;
  if (run == nullptr) return;
  for (std::size_t i = static_cast<std::size_t>(m_events->count()); i < run->events.size(); ++i) {
    const auto& [time, event] = run->events[i];
    auto* item = new QListWidgetItem(tr("%1  %2 · %3  %4")
                                         .arg(QString::fromStdString(time).mid(11, 8))
                                         .arg(event.stage + 1)
                                         .arg(event.step)
                                         .arg(QString::fromStdString(event.text)),
                                     m_events);
    item->setData(Qt::UserRole, QPoint(static_cast<int>(event.stage), static_cast<int>(event.step)));
    item->setToolTip(tr("Stage %1, update %2: %3")
                         .arg(event.stage + 1)
                         .arg(event.step)
                         .arg(QString::fromStdString(event.text)));
  }
  m_events->scrollToBottom();
}

bool DistilView::resumable() const {
  const DistilRun* run = m_model.run(m_current);
  if (run == nullptr || run->finished()) return false;
  return QFileInfo::exists(QString::fromStdString(run->row.folder) + QLatin1Char('/') +
                           QLatin1String(tandem::training::kRecipeName));
}

void DistilView::updateState() {
  auto state = DistilControls::State::Ready;
  if (m_workspace.state() == Workspace::State::Running) state = DistilControls::State::Blocked;
  if (m_job) state = m_stopping ? DistilControls::State::Stopping : DistilControls::State::Running;
  m_controls->setState(state, resumable(),
                       m_job ? tr("A run is going: pause it first")
                             : tr("Wait for the run to end: both would share the device"));
  m_pin->setEnabled(m_current >= 0);
  m_pin->setChecked(m_current >= 0 && m_model.baseline() == m_current);
}

}  // namespace tandem::ui
