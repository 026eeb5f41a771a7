// Jobs that run models over problems and write what happens to a session. Used alike by the window and by
// tandem-cli.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/generation/generate.h"
#include "core/problems/problems.h"
#include "core/session/session.h"

namespace tandem {

/// What a run reports while it goes. Called on decoding threads, in mode "together" on one per model;
/// implementations hand over to their own thread.
class RunObserver {
 public:
  virtual ~RunObserver() = default;
  /// Once, before the first problem: pairs of a model and a problem that will be run, and those skipped
  /// because the session has them complete.
  virtual void on_plan(std::int64_t /*to_run*/, std::int64_t /*complete*/) {}
  /// side: index into EvaluateRequest::models.
  virtual void on_problem(int /*side*/, const Problem& /*problem*/, std::int64_t /*run_id*/,
                          std::int64_t /*problem_id*/) {}
  virtual void on_prefill(int /*side*/, double /*seconds*/, std::int64_t /*tokens*/) {}
  virtual void on_step(int /*side*/, const StepSample& /*sample*/, std::span<const TokenEvent> /*tokens*/) {}
  virtual void on_completion(int /*side*/, const SessionCompletion& /*completion*/) {}
  virtual void on_problem_done(int /*side*/, const ProblemTiming& /*timing*/) {}
};

struct EvaluateRequest {
  std::vector<std::shared_ptr<const Model>> models;  // teacher first
  std::shared_ptr<const Model> verifier;             // scores every completion; may be null
  ProblemSet set;
  std::vector<std::int64_t> problems;  // indices into set.problems; empty = all
  RunSettings settings;
  StateStorage storage;  // of caches and states, on a device
  int shard = 0;  // this shard's problems are those with index % shards == shard
  int shards = 1;
  bool record_samples = true;
};

/// Takes turns (problem by problem, the order of models alternating) or, with settings.mode == "together",
/// both at once, each on its share of the threads (at least one). settings.threads == 0 means all of the
/// machine's. Problems that the session already has complete for a model are skipped, others are run whole: a
/// killed run resumes. Completions are graded as they finish; a verifier scores a problem's once all are
/// there, outside the times that are measured, and those that lack a score in problems that were complete. A
/// stop is no error: what finished is kept, and the problem it interrupts is not marked complete. Errors:
/// InvalidArgument (no model, a model twice, no problem, shard outside shards), Mismatch (the session holds a
/// run of one of the models with other settings, or other problems under the same name), those of generate(),
/// of claim_scores() and of the session.
Status evaluate(const EvaluateRequest& request, Session& session, RunObserver* observer = nullptr,
                std::stop_token stop = {});

}  // namespace tandem
