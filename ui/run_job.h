// A run in progress: tandem::evaluate on a thread of its own. What it reports is kept until the window's next
// frame takes it.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include <QLockFile>

#include "core/jobs/evaluate.h"
#include "ui/live_batch.h"

namespace tandem::ui {

class RunJob final : private tandem::RunObserver {
 public:
  /// Called on the job's thread: creating or choosing a session touches the disk.
  using SessionSource = std::function<tandem::Result<std::shared_ptr<tandem::Session>>()>;

  /// The requests run one after another into one session; they differ in their problem sets only. `verifier`
  /// (a bundled name, a folder or empty) is opened by the job and scores what they write.
  RunJob(std::vector<tandem::EvaluateRequest> requests, SessionSource source, std::string verifier);
  ~RunJob() override;  // stops and waits
  RunJob(const RunJob&) = delete;
  RunJob& operator=(const RunJob&) = delete;

  /// Returns at once; take() reports the end, within a decode step or a prefill.
  void stop();

  /// The events between two problem starts.
  struct Segment {
    std::optional<LiveStart> start;  // happened before the rest
    LiveBatch batch;
    bool problemDone = false;  // after the rest: the session holds more to read
  };
  struct Progress {
    std::shared_ptr<tandem::Session> session;  // set once, when it is open
    std::vector<Segment> segments;             // in order
    int planned = 0;                           // problems newly known to lie ahead, once for each model
    bool finished = false;                     // nothing more will come
    std::optional<tandem::Error> error;
  };
  /// What happened since the last call. From any thread.
  Progress take();

 private:
  void run(const std::stop_token& stop);
  tandem::Status evaluateAll(const std::stop_token& stop);
  Segment& segment();  // the one to add to; with m_mutex held

  void on_plan(std::int64_t pending, std::int64_t complete) override;
  void on_problem(int side, const tandem::Problem& problem, std::int64_t runId,
                  std::int64_t problemId) override;
  void on_prefill(int side, double seconds, std::int64_t tokens) override;
  void on_step(int side, const tandem::StepSample& sample,
               std::span<const tandem::TokenEvent> tokens) override;
  void on_completion(int side, const tandem::SessionCompletion& completion) override;
  void on_problem_done(int side, const tandem::ProblemTiming& timing) override;

  std::vector<tandem::EvaluateRequest> m_requests;
  SessionSource m_source;
  std::string m_verifier;
  std::unique_ptr<QLockFile> m_mark;  // held while recording: what a crash leaves behind
  std::string m_set;  // of the request that runs; written by the job's thread between requests
  std::mutex m_mutex;
  Progress m_progress;
  std::jthread m_thread;  // last: it starts when everything else is there
};

}  // namespace tandem::ui
