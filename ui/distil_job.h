// A training run in progress, on a thread of its own and recorded in a session. What it tells is kept until
// the view's next frame takes it.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include <QLockFile>

#include "core/jobs/training_recorder.h"

namespace tandem::ui {

class DistilJob final : private tandem::training::TrainingObserver {
 public:
  /// Called on the job's thread: creating a session touches the disk.
  using SessionSource = std::function<tandem::Result<std::shared_ptr<tandem::Session>>()>;

  DistilJob(tandem::training::Recipe recipe, tandem::training::TrainingOptions options, SessionSource source);
  ~DistilJob() override;  // stops and waits: at most one update and a checkpoint
  DistilJob(const DistilJob&) = delete;
  DistilJob& operator=(const DistilJob&) = delete;

  /// Returns at once; the run saves a checkpoint and take() reports the end.
  void stop();

  struct Progress {
    std::shared_ptr<tandem::Session> session;  // set once, when the run has its row there
    std::int64_t trainingId = -1;              // with it
    std::int64_t sampled = 0, toSample = 0;    // problems, while completions are sampled
    std::vector<tandem::training::TrainingUpdate> updates;
    bool eventsChanged = false;     // the session has more of them
    bool snapshotsChanged = false;  // and of these
    bool finished = false;          // nothing more will come
    std::optional<tandem::Error> error;
  };
  /// What happened since the last call. From any thread.
  Progress take();

 private:
  void run(const std::stop_token& stop);
  tandem::Status train(const std::stop_token& stop);

  void on_sampled(std::int64_t done, std::int64_t problems) override;
  tandem::Status on_begin(const tandem::training::TrainingStart& start) override;
  tandem::Status on_update(const tandem::training::TrainingUpdate& update) override;
  tandem::Status on_event(const tandem::training::TrainingEvent& event) override;
  tandem::Status on_snapshot(const tandem::training::TrainingSnapshot& snapshot) override;

  const tandem::training::Recipe m_recipe;
  const tandem::training::TrainingOptions m_options;
  SessionSource m_source;
  std::unique_ptr<QLockFile> m_mark;           // held while recording: what a crash leaves behind
  std::shared_ptr<tandem::Session> m_session;  // these two are the job's thread's
  const tandem::TrainingRecorder* m_recorder = nullptr;
  std::mutex m_mutex;
  Progress m_progress;
  std::jthread m_thread;  // last: it starts when everything else is there
};

}  // namespace tandem::ui
