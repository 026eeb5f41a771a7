// What a training run tells while it goes: updates, events, and snapshots of the student's matrices.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/mixing/capture.h"
#include "core/training/recipe.h"

namespace tandem::training {

/// One update, as logs and views get it.
struct TrainingUpdate {
  std::int64_t stage = 0;  // index into the recipe's stages
  Goal goal = Goal::Tokens;
  std::int64_t step = 0;    // updates done in this stage, this one included
  std::int64_t steps = 0;   // of this stage
  std::int64_t tokens = 0;  // of the whole run so far, this update included
  double loss = 0;          // nats per token; or the sum over layers of their distances
  double learning_rate = 0;
  double gradient_norm = 0;
  double tokens_per_s = 0;
  std::vector<double> distances;  // per layer; empty where the goal has none
  std::vector<double> relative;   // the same over the norm of what the teacher has; 0 for layers kept
};

enum class EventKind { Started, Resumed, Stage, Checkpoint, Stopped, Finished, Failed };
/// "started", "resumed", "stage", "checkpoint", "stopped", "finished", "failed"
const char* event_kind_name(EventKind kind);

struct TrainingEvent {
  EventKind kind = EventKind::Started;
  std::int64_t stage = 0;
  std::int64_t step = 0;
  std::string text;  // one sentence
};

/// Where a run begins or goes on: the updates before are done and known.
struct TrainingStart {
  bool resumed = false;
  std::int64_t stage = 0;
  std::int64_t step = 0;
  std::int64_t tokens = 0;
  std::shared_ptr<const Model> teacher;  // null when training from scratch
};

/// Matrices on the run's probe text, every layer at the teacher's input as stage 1 means it (probe.h).
struct TrainingSnapshot {
  bool of_teacher = false;  // told once, before the student's first
  std::int64_t stage = 0;
  std::int64_t step = 0;  // updates done in the stage; 0 in stage 0: how the student began
  std::shared_ptr<const Capture> matrices;
};

/// Called on the thread that trains, one call at a time. An error ends the run, which can be resumed from its
/// last checkpoint.
class TrainingObserver {
 public:
  virtual ~TrainingObserver() = default;
  /// While the recipe's completions are sampled, before everything else: problems done, of all.
  virtual void on_sampled(std::int64_t /*done*/, std::int64_t /*problems*/) {}
  /// Before the first update.
  virtual Status on_begin(const TrainingStart& /*start*/) { return {}; }
  virtual Status on_update(const TrainingUpdate& /*update*/) { return {}; }
  virtual Status on_event(const TrainingEvent& /*event*/) { return {}; }
  virtual Status on_snapshot(const TrainingSnapshot& /*snapshot*/) { return {}; }
};

}  // namespace tandem::training
