#include "ui/models/distil_run.h"

#include <algorithm>
#include <limits>

#include <QCoreApplication>

#include "core/training/recipe.h"

namespace tandem::ui {
namespace {

using tandem::training::Goal;
using tandem::training::TrainingUpdate;

QString tr(const char* text) {
  return QCoreApplication::translate("DistilRun", text);
}

/// Mean of a stage's losses that forgets: early on it is the plain mean of what there is.
class Smoother {
 public:
  explicit Smoother(double smoothing) : m_smoothing(smoothing) {}
  double add(double value) {
    m_sum = m_smoothing * m_sum + value;
    m_weight = m_smoothing * m_weight + 1;
    return m_sum / m_weight;
  }

 private:
  double m_smoothing;
  double m_sum = 0, m_weight = 0;
};

/// x of every update.
QVector<double> positions(const DistilRun& run, CurveAxis axis) {
  QVector<double> x;
  x.reserve(static_cast<qsizetype>(run.updates.size()));
  double seconds = 0;
  std::int64_t tokens = 0;
  for (const TrainingUpdate& update : run.updates) {
    if (update.tokens_per_s > 0) seconds += static_cast<double>(update.tokens - tokens) / update.tokens_per_s;
    tokens = update.tokens;
    switch (axis) {
      case CurveAxis::Updates:
        x << static_cast<double>(run.globalStep(update.stage, update.step));
        break;
      case CurveAxis::Tokens:
        x << static_cast<double>(update.tokens);
        break;
      case CurveAxis::Seconds:
        x << seconds;
        break;
    }
  }
  return x;
}

bool before(const TrainingUpdate& update, const std::pair<std::int64_t, std::int64_t>& place) {
  return std::pair{update.stage, update.step} < place;
}

tandem::Result<std::vector<DistilRun>> read(const tandem::Session& session) {
  TANDEM_TRY(const auto rows, session.trainings());
  std::vector<DistilRun> runs;
  for (const tandem::SessionTraining& row : rows) {
    DistilRun& run = runs.emplace_back();
    run.row = row;
    run.stages = stagesOf(row.recipe);
    TANDEM_TRY(run.updates, session.training_updates(row.id));
    TANDEM_TRY(run.events, session.training_events(row.id));
    TANDEM_TRY(run.snapshots, session.training_snapshots(row.id));
  }
  return runs;
}

}  // namespace

QString goalTitle(Goal goal) {
  switch (goal) {
    case Goal::Tokens:
      return tr("Next token");
    case Goal::Matrices:
      return tr("Matrix orientation");
    case Goal::Hidden:
      return tr("Hidden-state alignment");
    case Goal::Logits:
      return tr("Distillation");
    case Goal::LogitsReverse:
      return tr("Distillation, reverse KL");
    case Goal::Outcome:
      return tr("Outcome of completions");
  }
  return {};
}

QString lossUnit(Goal goal) {
  switch (goal) {
    case Goal::Matrices:
      return tr("Σ ‖M − A‖");
    case Goal::Hidden:
      return tr("Σ ‖y − y*‖");
    case Goal::Outcome:
      return tr("nats");
    default:
      return tr("nats/token");
  }
}

std::int64_t DistilRun::totalSteps() const {
  return globalStep(std::ssize(stages), 0);
}

std::int64_t DistilRun::globalStep(std::int64_t stage, std::int64_t step) const {
  std::int64_t done = step;
  for (std::int64_t s = 0; s < std::min(stage, std::ssize(stages)); ++s)
    done += stages[static_cast<std::size_t>(s)].steps;
  return done;
}

std::vector<DistilStage> stagesOf(const std::string& recipe) {
  std::vector<DistilStage> stages;
  if (const auto parsed = tandem::training::parse_recipe(recipe, "recipe"))
    for (const tandem::training::Stage& stage : parsed->stages)
      stages.push_back({stage.goal, stage.schedule.steps});
  return stages;
}

RecordedRuns readRuns(const tandem::Session& session) {
  auto runs = read(session);
  if (!runs) return {{}, QString::fromStdString(runs.error().message)};
  return {*std::move(runs), {}};
}

LossCurve lossCurve(const DistilRun& run, CurveAxis axis, double smoothing) {
  LossCurve curve;
  const QVector<double> x = positions(run, axis);
  Smoother smoother(smoothing);
  for (std::size_t i = 0; i < run.updates.size(); ++i) {
    const TrainingUpdate& update = run.updates[i];
    if (i > 0 && update.stage != run.updates[i - 1].stage) {
      smoother = Smoother(smoothing);
      curve.x << x[static_cast<qsizetype>(i)];
      curve.raw << qQNaN();
      curve.smooth << qQNaN();
    }
    curve.x << x[static_cast<qsizetype>(i)];
    curve.raw << update.loss;
    curve.smooth << smoother.add(update.loss);
  }
  return curve;
}

double axisPosition(const DistilRun& run, CurveAxis axis, std::int64_t stage, std::int64_t step) {
  if (axis == CurveAxis::Updates) return static_cast<double>(run.globalStep(stage, step));
  const auto next =
      std::lower_bound(run.updates.begin(), run.updates.end(), std::pair{stage, step + 1}, before);
  const auto done = next - run.updates.begin();
  return done == 0 ? 0 : positions(run, axis)[static_cast<qsizetype>(done) - 1];
}

QVector<double> stageBoundaries(const DistilRun& run, CurveAxis axis) {
  QVector<double> boundaries;
  for (std::int64_t stage = 1; stage < std::ssize(run.stages); ++stage) {
    const bool reached = !run.updates.empty() && run.updates.back().stage >= stage;
    if (reached || axis == CurveAxis::Updates) boundaries << axisPosition(run, axis, stage, 0);
  }
  return boundaries;
}

std::optional<double> lossDifference(const DistilRun& run, const DistilRun& baseline, double smoothing) {
  if (run.updates.empty()) return {};
  const TrainingUpdate& last = run.updates.back();
  Smoother mine(smoothing), theirs(smoothing);
  double loss = 0, reference = 0;
  for (const TrainingUpdate& update : run.updates)
    if (update.stage == last.stage) loss = mine.add(update.loss);
  bool reached = false;
  for (const TrainingUpdate& update : baseline.updates) {
    if (update.stage != last.stage || update.step > last.step || update.goal != last.goal) continue;
    reference = theirs.add(update.loss);
    reached = update.step == last.step;
  }
  if (!reached) return {};
  return loss - reference;
}

}  // namespace tandem::ui
