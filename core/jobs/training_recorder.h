// Training runs in sessions: recorded as they go, or taken from a run's folder.
#pragma once

#include <string>

#include "core/session/session.h"
#include "core/training/train.h"

namespace tandem {

/// Writes what a run tells to a session and passes it on. A run that is resumed goes on in the row it has
/// there, without doubled updates; one that the session does not know yet joins with what its log says.
/// Confined to the thread that trains.
class TrainingRecorder final : public training::TrainingObserver {
 public:
  /// Everything must outlive the recorder; `next` may be null.
  TrainingRecorder(Session& session, const training::Recipe& recipe, const training::TrainingOptions& options,
                   training::TrainingObserver* next = nullptr);

  /// Row id in the session; -1 before the run begins.
  std::int64_t training_id() const { return id_; }

  void on_sampled(std::int64_t done, std::int64_t problems) override;
  Status on_begin(const training::TrainingStart& start) override;
  Status on_update(const training::TrainingUpdate& update) override;
  Status on_event(const training::TrainingEvent& event) override;
  Status on_snapshot(const training::TrainingSnapshot& snapshot) override;

 private:
  Status join(const training::TrainingStart& start);

  Session& session_;
  const training::Recipe& recipe_;
  const training::TrainingOptions& options_;
  training::TrainingObserver* next_;
  std::int64_t id_ = -1;
};

/// Adds the run of a folder to a session from its recipe and log: no events, no snapshots. @return its row
/// id; the one it has when the session knows it already. Errors: NotFound (no run there), those of
/// read_recipe and read_log.
Result<std::int64_t> import_training(Session& session, const std::string& folder);

}  // namespace tandem
