// Sampling many completions of one prompt: the prompt is computed once, finished completions leave the batch
// at once, and what a completion draws depends only on (seed, problem, completion index).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/models/model.h"

namespace tandem {

struct SamplingOptions {
  float temperature = 1.0F;  // 0 = greedy
  int top_k = 0;             // 0 = off
  float top_p = 1.0F;        // 1 = off

  bool operator==(const SamplingOptions&) const = default;
};

enum class FinishReason { Eos, StopString, Length, Budget, Cancelled };
/// "eos", "stop", "length", "budget", "cancelled": the words stored in sessions.
const char* finish_reason_name(FinishReason reason);
std::optional<FinishReason> finish_reason_from_name(std::string_view name);
/// Cut by the budget or by the user: unfinished, neither right nor wrong (test_time_compute.md 3.4).
inline bool is_cut(FinishReason reason) {
  return reason == FinishReason::Budget || reason == FinishReason::Cancelled;
}

struct GenerationRequest {
  std::vector<std::int32_t> prompt;  // T >= 1 tokens
  int completions = 1;
  int first_index = 0;  // completion indices are first_index .. first_index + completions - 1
  int batch = 0;        // slots decoded together; 0 = all completions
  SamplingOptions sampling;
  std::uint64_t seed = 0;
  std::uint64_t problem = 0;  // index of the problem in its set; part of the random stream
  int max_new_tokens = 512;
  std::optional<double> time_budget_s;  // from the first decode step; what is unfinished then is cut
  std::vector<std::int32_t> stop_ids;
  std::vector<std::string> stop_strings;
  bool private_prefix = false;  // benchmark only: every completion keeps its own copy of the prompt's cache
  StateStorage storage;         // of caches and states, on a device

  /// Completions decoded together.
  int slot_count() const { return batch > 0 && batch < completions ? batch : completions; }
};

struct Completion {
  int index = 0;
  std::vector<std::int32_t> tokens;  // without the stop token
  std::vector<float> logprobs;       // log p(token) of the model at temperature 1, one per token
  std::string text;                  // decoded; cut at a stop string
  FinishReason finish = FinishReason::Cancelled;
  double first_token_s = 0;  // seconds from the first decode step of the run (prefill apart)
  double finish_s = 0;
};

/// Tokens sampled for a completion, its stop token included: the steps it took part in.
inline std::int64_t sampled_tokens(const Completion& completion) {
  return static_cast<std::int64_t>(completion.tokens.size()) +
         (completion.finish == FinishReason::Eos ? 1 : 0);
}

struct TokenEvent {
  int index = 0;  // completion
  std::int32_t token = 0;
  float logprob = 0;
  std::string text;  // text this token made final; may be empty
};

/// One decode step, as measured. Events and samples reach the observer on the decoding thread.
struct StepSample {
  double time_s = 0;        // end of the step, from the first decode step
  double step_s = 0;        // duration
  int occupied = 0;         // completions decoded in this step
  double mean_context = 0;  // prompt + generated tokens, mean over occupied slots
};

class GenerationObserver {
 public:
  virtual ~GenerationObserver() = default;
  virtual void on_prefill(double /*seconds*/, std::int64_t /*tokens*/) {}
  virtual void on_step(const StepSample& /*sample*/, std::span<const TokenEvent> /*tokens*/) {}
  virtual void on_finished(const Completion& /*completion*/) {}
};

struct GenerationResult {
  std::vector<Completion> completions;  // by index
  double prefill_s = 0;
  double decode_s = 0;  // from the first decode step to the last
  std::int64_t generated_tokens = 0;
  std::int64_t cache_bytes = 0;  // peak KV or state bytes in use, shared prefix counted once
  bool cancelled = false;
};

/// Errors: InvalidArgument (completions < 1, temperature < 0, top_p outside (0,1], ids outside the
/// vocabulary), OutOfRange (prompt + max_new_tokens beyond the model's context). Cancellation is not an
/// error.
Result<GenerationResult> generate(const Model& model, const GenerationRequest& request, Context& context,
                                  GenerationObserver* observer = nullptr, std::stop_token stop = {});

/// The request for a question in a prompt format, which ends as the model's files say.
GenerationRequest make_request(const Model& model, const PromptFormat& format, const std::string& question);

}  // namespace tandem
