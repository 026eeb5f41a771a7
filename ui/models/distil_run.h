// A training run as the Distil view shows it: what the session holds of it, and the curves made from that.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include <QString>
#include <QVector>

#include "core/session/session.h"

namespace tandem::ui {

struct DistilStage {
  tandem::training::Goal goal = tandem::training::Goal::Tokens;
  std::int64_t steps = 0;
};

/// "Matrix orientation": what a stage does, for people.
QString goalTitle(tandem::training::Goal goal);
/// Unit of a goal's loss: "Σ ‖M − A‖", "nats/token".
QString lossUnit(tandem::training::Goal goal);

struct DistilRun {
  tandem::SessionTraining row;
  std::vector<DistilStage> stages;  // of the recipe
  std::vector<tandem::training::TrainingUpdate> updates;
  std::vector<tandem::SessionTrainingEvent> events;
  std::vector<tandem::SessionSnapshot> snapshots;  // the teacher's first

  std::int64_t totalSteps() const;
  /// Updates of the whole run up to that place.
  std::int64_t globalStep(std::int64_t stage, std::int64_t step) const;
  bool finished() const { return row.state == "finished"; }
};

/// The stages of a recipe; empty when it cannot be read.
std::vector<DistilStage> stagesOf(const std::string& recipe);

struct RecordedRuns {
  std::vector<DistilRun> runs;
  QString error;
};
/// All training runs of a session. For workers.
RecordedRuns readRuns(const tandem::Session& session);

enum class CurveAxis { Updates, Tokens, Seconds };

/// Losses over a run, with a gap (NaN) between stages: their units differ.
struct LossCurve {
  QVector<double> x, raw, smooth;
};
/// `smoothing` in [0, 1): weight of what came before, per update; the smoothed curve starts anew with each
/// stage. Seconds are those of training alone, without pauses.
LossCurve lossCurve(const DistilRun& run, CurveAxis axis, double smoothing);

/// x of a place on an axis; the last known when the run has not come that far.
double axisPosition(const DistilRun& run, CurveAxis axis, std::int64_t stage, std::int64_t step);
/// Where stages after the first begin.
QVector<double> stageBoundaries(const DistilRun& run, CurveAxis axis);

/// The run's latest smoothed loss minus the baseline's at the same stage and update; none when the baseline
/// has no such update or another goal there.
std::optional<double> lossDifference(const DistilRun& run, const DistilRun& baseline, double smoothing);

}  // namespace tandem::ui
