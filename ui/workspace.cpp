#include "ui/workspace.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <optional>
#include <thread>
#include <utility>

#include <QFileInfo>
#include <QtConcurrentRun>

#include "core/base/provenance.h"
#include "ui/models/problem_model.h"
#include "ui/widgets/plot.h"
#include "ui/workspace_private.h"

namespace tandem::ui {
namespace {

constexpr int kFrameMs = 16;

/// Runs `work` on a worker thread and `done` with its result on the thread of `context`, unless that is gone.
template <typename Work, typename Done>
void background(QObject* context, Work work, Done done) {
  QtConcurrent::run(std::move(work)).then(context, std::move(done));
}

const std::string kTypedSet = "typed";

}  // namespace

Workspace::Workspace(QObject* parent) : QObject(parent), d(std::make_unique<Private>(this)) {
  d->settings.threads = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  connect(&d->loader, &ModelLoader::progress, this, &Workspace::loadProgress);
  background(
      this, [] { return &tandem::devices(); },
      [this](const tandem::DeviceList* list) { d->foundDevices(*list); });
  d->frameClock.setInterval(kFrameMs);
  d->frameClock.setTimerType(Qt::PreciseTimer);
  connect(&d->frameClock, &QTimer::timeout, this, [this] { d->frame(); });
  for (auto signal : {&Workspace::stateChanged, &Workspace::modelsChanged, &Workspace::sessionChanged,
                      &Workspace::settingsChanged, &Workspace::deviceChanged}) {
    connect(this, signal, this, [this] { d->updateProvenance(); });
  }
}

Workspace::~Workspace() = default;

Workspace::State Workspace::state() const {
  if (d->job) return State::Running;
  if (d->replay) return State::Replay;
  if (d->loading > 0) return State::Loading;
  return d->models[0] && d->models[1] ? State::Ready : State::Empty;
}

SelectionModel& Workspace::selection() {
  return d->selection;
}

RecentModels& Workspace::recentModels() {
  return d->recent;
}

std::shared_ptr<const tandem::Model> Workspace::model(Side side) const {
  const auto at = static_cast<std::size_t>(side);
  const ModelPointer& loaded = d->models[at];
  if (d->replay && loaded && loaded->info().sha256 != d->recordedHashes[at]) return nullptr;
  return loaded;
}

QString Workspace::modelName(Side side) const {
  const auto at = static_cast<std::size_t>(side);
  if (d->replay) return d->recordedNames[at];
  return d->models[at] ? QString::fromStdString(d->models[at]->info().name) : QString();
}

const tandem::ProblemSet& Workspace::problems() const {
  return d->problems;
}

std::shared_ptr<tandem::Session> Workspace::session() const {
  return d->session;
}

QString Workspace::sessionName() const {
  return d->session ? QFileInfo(QString::fromStdString(d->session->path())).completeBaseName() : QString();
}

bool Workspace::isReplay() const {
  return d->replay;
}

QString Workspace::recordedDevice() const {
  return d->replay ? d->recordedDevice : QString();
}

const tandem::RunSettings& Workspace::settings() const {
  return d->settings;
}

void Workspace::setSettings(const tandem::RunSettings& settings) {
  if (settings == d->settings) return;
  d->settings = settings;
  emit settingsChanged();
  if (!d->allInPlace()) d->loadModels(d->underWay.value_or(LoadRequest{}));
}

std::int64_t Workspace::runId(Side side) const {
  return d->runIds[static_cast<std::size_t>(side)];
}

std::int64_t Workspace::problemId(int position) const {
  if (position < 0 || position >= static_cast<int>(d->problems.problems.size())) return -1;
  const auto row = d->problemIds.find(d->key(position));
  return row == d->problemIds.end() ? -1 : row->second;
}

void Workspace::openProblems(const QString& nameOrPath) {
  const quint64 generation = ++d->problemsGeneration;
  background(
      this, [nameOrPath] { return tandem::read_problems(nameOrPath.toStdString(), /*skip_bad_lines=*/true); },
      [this, generation](tandem::Result<tandem::ProblemSet> read) {
        if (generation != d->problemsGeneration) return;
        if (!read) return void(emit failed(QString::fromStdString(read.error().message)));
        tandem::ProblemSet set = *std::move(read);
        if (!set.skipped.empty()) {
          emit failed(tr("Lines left out: %1. The first: %2")
                          .arg(set.skipped.size())
                          .arg(QString::fromStdString(set.skipped.front())));
        }
        std::vector<std::string> origins(set.problems.size(), set.name);
        d->setProblems(std::move(set), std::move(origins));
      });
}

void Workspace::addProblem(const QString& question) {
  tandem::Problem problem = typedProblem(question);
  if (problem.question.empty()) return;
  int at = d->position({kTypedSet, problem.index});
  if (at < 0) {
    at = static_cast<int>(d->problems.problems.size());
    d->problems.problems.push_back(std::move(problem));
    d->origins.push_back(kTypedSet);
    emit problemsChanged();
  }
  d->selection.setProblem(at);
}

void Workspace::openSession(const QString& path) {
  d->open(path, /*resume=*/false);
}

void Workspace::resumeSession(const QString& path) {
  d->open(path, /*resume=*/true);
}

void Workspace::saveSessionAs(const QString& path) {
  if (!d->session) return void(emit failed(tr("There is no session to save yet: press Run first")));
  background(
      this, [session = d->session, path] { return session->copy_to(path.toStdString()); },
      [this, path](tandem::Status status) {
        if (!status) return void(emit failed(QString::fromStdString(status.error().message)));
        emit notified(tr("Saved %1").arg(path));
      });
}

void Workspace::closeSession() {
  if (d->job || !d->session) return;
  ++d->sessionGeneration;
  d->session.reset();
  d->replay = false;
  d->runIds = {-1, -1};
  d->problemIds.clear();
  emit modelsChanged();
  emit sessionChanged();
  emit stateChanged();
}

void Workspace::findInterrupted() {
  background(
      this, [] { return takeInterruptedSessions(); },
      [this](const QStringList& paths) {
        if (!paths.isEmpty()) emit interrupted(paths.front());
      });
}

void Workspace::startRun(const std::vector<std::int64_t>& problemIndices, const std::string& verifier) {
  const auto current = d->replay ? nullptr : d->session;
  d->start(
      problemIndices, [current](const auto& requests) { return sessionFor(current, requests); }, verifier);
}

void Workspace::stop() {
  d->loader.stop();
  if (d->job) d->job->stop();
}

void Workspace::keepSession(std::shared_ptr<tandem::Session> session) {
  if (d->session) return;
  ++d->sessionGeneration;  // an opening that is under way comes too late
  d->session = std::move(session);
  emit sessionChanged();
  emit stateChanged();
}

void Workspace::setOccupied(const QString& sentence) {
  d->occupied = sentence;
}

void Workspace::Private::setProblems(tandem::ProblemSet next, std::vector<std::string> nextOrigins) {
  problems = std::move(next);
  origins = std::move(nextOrigins);
  selection.setCompletion(-1);
  if (selection.problem() >= static_cast<int>(problems.problems.size())) selection.setProblem(0);
  emit q->problemsChanged();
}

ProblemKey Workspace::Private::key(int at) const {
  const auto index = static_cast<std::size_t>(at);
  return {origins[index], problems.problems[index].index};
}

int Workspace::Private::position(const ProblemKey& wanted) const {
  for (int at = 0; at < static_cast<int>(origins.size()); ++at) {
    if (key(at) == wanted) return at;
  }
  return -1;
}

void Workspace::Private::open(const QString& path, bool resume) {
  if (job) return void(emit q->failed(tr("Stop the run before opening %1").arg(path)));
  const quint64 generation = ++sessionGeneration;
  ++loading;
  emit q->stateChanged();
  background(
      q, [path] { return readSession(path); },
      [this, generation, resume](tandem::Result<OpenedSession> opened) {
        --loading;
        const bool wanted = generation == sessionGeneration && !job;
        if (wanted && opened) {
          adopt(*std::move(opened), resume);
        } else if (wanted) {
          emit q->failed(QString::fromStdString(opened.error().message));
        }
        emit q->stateChanged();
      });
}

/// The session becomes what the window shows: its problems, its settings, its runs by side.
void Workspace::Private::adopt(OpenedSession opened, bool resume) {
  session = std::move(opened.session);
  replay = !opened.runs.empty();  // trainings alone leave the models as they are: nothing of theirs is shown
  runIds = {-1, -1};
  problemIds.clear();
  tandem::ProblemSet set;
  std::vector<std::string> setNames;
  for (tandem::SessionProblem& row : opened.problems) {
    if (setNames.empty()) set.name = row.set, set.kind = row.kind;
    problemIds[{row.set, row.problem.index}] = row.id;
    setNames.push_back(row.set);
    set.problems.push_back(std::move(row.problem));
  }
  std::vector<tandem::SessionModel> sides(2);
  for (const tandem::SessionRun& run : opened.runs) {
    const auto model = std::find_if(opened.models.begin(), opened.models.end(),
                                    [&](const auto& m) { return m.id == run.model_id; });
    if (model == opened.models.end()) continue;
    const auto info = tandem::model_info(*model);
    const std::size_t side = info && sideOf(*info) == 0 && runIds[0] < 0 ? 0 : 1;
    if (runIds[side] >= 0) continue;  // a third model: the window shows two
    runIds[side] = run.id;
    sides[side] = *model;
    settings = run.settings;
    recordedDevice = QString::fromStdString(run.device);
  }
  for (std::size_t side = 0; side < sides.size(); ++side) {
    recordedNames[side] = QString::fromStdString(sides[side].name);
    recordedHashes[side] = sides[side].sha256;
  }
  ++problemsGeneration;  // a set that is being read comes too late
  if (!set.problems.empty()) setProblems(std::move(set), std::move(setNames));
  emit q->settingsChanged();
  emit q->modelsChanged();
  emit q->sessionChanged();
  if (replay) return findModelsOf(sides, resume);
  if (resume) resumeRun();
}

/// Everything the opened session has: the run skips what is complete there.
void Workspace::Private::resumeRun() {
  if (runIds[0] < 0 && runIds[1] < 0) return void(emit q->trainingToResume());
  if (!q->model(Side::Teacher) || !q->model(Side::Student)) {
    return void(emit q->failed(tr("The run cannot go on: its models are not where they were recorded")));
  }
  std::vector<std::int64_t> all(problems.problems.size());
  std::iota(all.begin(), all.end(), 0);
  start(all, [opened = session](const auto&) { return opened; });
}

/// One request per problem set among the positions.
std::vector<tandem::EvaluateRequest> Workspace::Private::requests(
    const std::vector<std::int64_t>& positions) const {
  std::vector<tandem::EvaluateRequest> all;
  for (const std::int64_t position : positions) {
    if (position < 0 || position >= static_cast<std::int64_t>(origins.size())) continue;
    const std::string& origin = origins[static_cast<std::size_t>(position)];
    auto request = std::find_if(all.begin(), all.end(), [&](const auto& r) { return r.set.name == origin; });
    if (request == all.end()) {
      request = all.emplace(all.end());
      request->models = {models[0], models[1]};
      request->set.name = origin;
      request->set.path = problems.path;
      request->set.kind = problems.kind;
      request->settings = settings;
    }
    request->problems.push_back(static_cast<std::int64_t>(request->set.problems.size()));
    request->set.problems.push_back(problems.problems[static_cast<std::size_t>(position)]);
  }
  return all;
}

void Workspace::Private::start(const std::vector<std::int64_t>& positions, SessionChoice choose,
                               const std::string& verifier) {
  if (job) return;
  if (!occupied.isEmpty()) return void(emit q->failed(occupied));
  if (!models[0] || !models[1]) return void(emit q->failed(tr("Open two models before a run")));
  if (!allInPlace()) {
    if (!underWay) loadModels({});
    return void(emit q->failed(tr("The models are being loaded anew: run when they are there")));
  }
  auto asked = requests(positions);
  if (asked.empty()) return void(emit q->failed(tr("Choose a problem before a run")));
  ++sessionGeneration;  // an opening that is under way comes too late
  if (std::exchange(replay, false)) emit q->modelsChanged();
  auto source = [choose = std::move(choose), asked] { return choose(asked); };
  job = std::make_unique<RunJob>(std::move(asked), std::move(source), verifier);
  planned = done = 0;
  frameClock.start();
  emit q->stateChanged();
  emit q->runStarted();
}

void Workspace::Private::frame() {
  RunJob::Progress progress = job->take();
  if (progress.session && progress.session != session) {
    session = std::move(progress.session);
    runIds = {-1, -1};
    problemIds.clear();
    emit q->sessionChanged();
  }
  planned += progress.planned;
  for (const RunJob::Segment& segment : progress.segments) deliver(segment);
  if (progress.finished) finish(progress.error);
}

void Workspace::Private::deliver(const RunJob::Segment& segment) {
  if (segment.start) {
    const LiveStart& start = *segment.start;
    runIds[static_cast<std::size_t>(start.side)] = start.runId;
    problemIds[{start.set, start.index}] = start.problemId;
    emit q->problemStarted(start.side, position({start.set, start.index}));
  }
  if (!segment.batch.empty()) emit q->live(segment.batch);
  if (!segment.problemDone) return;
  emit q->runProgress(++done, planned);
  emit q->sessionChanged();
}

void Workspace::Private::finish(const std::optional<tandem::Error>& error) {
  frameClock.stop();
  job.reset();  // its thread is at its end: nothing to wait for
  emit q->stateChanged();
  emit q->runFinished();
  emit q->sessionChanged();
  if (error && error->code != tandem::ErrorCode::Cancelled) {
    emit q->failed(QString::fromStdString(error->message));
  }
}

void Workspace::Private::updateProvenance() const {
  QStringList parts{tr("Tandem %1").arg(QLatin1String(tandem::tandem_version()))};
  if (session) parts << q->sessionName();
  for (Side side : {Side::Teacher, Side::Student}) {
    if (const QString name = q->modelName(side); !name.isEmpty())
      parts << sideName(side) + QLatin1Char(' ') + name;
  }
  parts << tr("seed %1").arg(settings.seed) << (replay ? recordedDevice : q->deviceName())
        << (replay ? tr("REPLAY") : tr("LIVE")) << QString::fromStdString(tandem::utc_now());
  Plot::setProvenance(parts.join(QStringLiteral(" · ")));
}

}  // namespace tandem::ui
