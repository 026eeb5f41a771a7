#include "core/generation/generate.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>

#include <fmt/format.h>

#include "core/generation/batch_decoder.h"
#include "core/generation/stop_text.h"
#include "core/models/memory_plan.h"

namespace tandem {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

constexpr std::array<const char*, 5> kFinishNames = {"eos", "stop", "length", "budget", "cancelled"};

Status validate(const Model& model, const GenerationRequest& request) {
  const auto invalid = [](std::string message) {
    return Error{ErrorCode::InvalidArgument, std::move(message)};
  };
  TANDEM_RETURN_IF_ERROR(check_writes(model.info()));
  if (request.prompt.empty()) return invalid("the prompt has no tokens, at least one is needed");
  for (const std::int32_t id : request.prompt)
    if (id < 0 || id >= model.info().vocab)
      return invalid(fmt::format("the prompt holds token id {}, {} has ids 0 to {}", id, model.info().name,
                                 model.info().vocab - 1));
  if (request.completions < 1)
    return invalid(fmt::format("{} completions were asked for, at least 1 is needed", request.completions));
  if (request.first_index < 0)
    return invalid(
        fmt::format("the first completion has index {}, at least 0 is needed", request.first_index));
  if (request.batch < 0)
    return invalid(
        fmt::format("the batch is {}, at least 0 is needed (0 means all completions)", request.batch));
  if (request.max_new_tokens < 1)
    return invalid(fmt::format("the token limit is {}, at least 1 is needed", request.max_new_tokens));
  if (!(request.sampling.temperature >= 0) || !std::isfinite(request.sampling.temperature))
    return invalid(
        fmt::format("the temperature is {}, a number of at least 0 is needed", request.sampling.temperature));
  if (request.sampling.top_k < 0)
    return invalid(fmt::format("top-k is {}, at least 0 is needed (0 means off)", request.sampling.top_k));
  if (!(request.sampling.top_p > 0 && request.sampling.top_p <= 1))
    return invalid(
        fmt::format("top-p is {}, a number above 0 and at most 1 is needed", request.sampling.top_p));
  if (request.time_budget_s && !(*request.time_budget_s > 0))
    return invalid(fmt::format("the time budget is {} s, more than 0 is needed", *request.time_budget_s));
  const auto context = static_cast<std::int64_t>(request.prompt.size()) + request.max_new_tokens;
  if (model.info().max_context > 0 && context > model.info().max_context)
    return Error{ErrorCode::OutOfRange,
                 fmt::format("{} prompt tokens and up to {} new ones make {}, {} takes at most {}",
                             request.prompt.size(), request.max_new_tokens, context, model.info().name,
                             model.info().max_context)};
  return {};
}

StateShape state_shape(const GenerationRequest& request) {
  return {static_cast<std::int64_t>(request.prompt.size()), request.slot_count(), request.max_new_tokens,
          request.private_prefix, request.storage};
}

/// A completion being written, and the slot it holds.
struct Active {
  Completion completion;
  std::int32_t slot = 0;
  int given = 0;  // tokens drawn or being drawn
  StreamDecoder decoder;
  StopText text;
};

/// One run: the batch of active completions, refilled from the queue as slots come free. On a device steps
/// are given before the tokens of earlier ones are known; what they draw for a completion that had ended is
/// dropped.
class Run {
 public:
  Run(const Model& model, const GenerationRequest& request, Context& context, GenerationObserver& observer)
      : model_(model),
        request_(request),
        observer_(observer),
        decoder_(model, context, state_shape(request),
                 {request.sampling.temperature, request.sampling.top_k, request.sampling.top_p},
                 {request.seed, request.problem}) {}

  GenerationResult run(const std::stop_token& stop) {
    const auto prefill_start = Clock::now();
    decoder_.prefill(request_.prompt);
    result_.prefill_s = seconds_since(prefill_start);
    observer_.on_prefill(result_.prefill_s, static_cast<std::int64_t>(request_.prompt.size()));

    start_ = Clock::now();
    for (int slot = 0; slot < request_.slot_count(); ++slot) start_next(slot);
    double before = 0;
    while (!active_.empty()) {
      if (!decoder_.is_full() && give_step()) continue;
      const Drawn drawn = decoder_.collect();
      const double now = seconds_since(start_);
      finish_step(drawn, now, now - before);
      before = now;
      if (stop.stop_requested()) cut_all(FinishReason::Cancelled, now);
      if (request_.time_budget_s && now >= *request_.time_budget_s) cut_all(FinishReason::Budget, now);
    }
    result_.decode_s = before;
    std::sort(result_.completions.begin(), result_.completions.end(),
              [](const Completion& a, const Completion& b) { return a.index < b.index; });
    return std::move(result_);
  }

 private:
  void start_next(std::int32_t slot) {
    if (started_ == request_.completions) return;
    Active active{.completion = {},
                  .slot = slot,
                  .decoder = StreamDecoder(model_.tokenizer()),
                  .text = StopText(request_.stop_strings)};
    active.completion.index = request_.first_index + started_++;
    decoder_.start(slot, active.completion.index);
    active_.push_back(std::move(active));
  }

  /// The next token of every completion that may have one; false if none may.
  bool give_step() {
    step_slots_.clear();
    for (Active& active : active_) {
      if (active.given == request_.max_new_tokens) continue;
      ++active.given;
      step_slots_.push_back(active.slot);
    }
    if (step_slots_.empty()) return false;
    decoder_.step(step_slots_);
    return true;
  }

  void finish_step(const Drawn& drawn, double now, double step_s) {
    StepSample sample{now, step_s, 0, 0};
    events_.clear();
    by_slot_.assign(static_cast<std::size_t>(request_.slot_count()), nullptr);
    for (Active& active : active_) by_slot_[static_cast<std::size_t>(active.slot)] = &active;
    for (const Drawn::Row& row : drawn.rows) {
      Active* active = by_slot_[static_cast<std::size_t>(row.slot)];
      if (active == nullptr || active->completion.index != row.completion) continue;  // it had ended
      ++sample.occupied;
      sample.mean_context += static_cast<double>(request_.prompt.size() + active->completion.tokens.size());
      accept(*active, row.token, row.logprob, now);
    }
    if (sample.occupied == 0) return;
    sample.mean_context /= sample.occupied;
    measure_cache();
    observer_.on_step(sample, events_);
    retire();
  }

  /// Adds a token, or ends the completion.
  void accept(Active& active, std::int32_t token, float logprob, double now) {
    Completion& completion = active.completion;
    if (completion.tokens.empty()) completion.first_token_s = now;
    completion.finish_s = now;
    ++result_.generated_tokens;
    if (std::find(request_.stop_ids.begin(), request_.stop_ids.end(), token) != request_.stop_ids.end()) {
      end(active, FinishReason::Eos);
      return;
    }
    completion.tokens.push_back(token);
    completion.logprobs.push_back(logprob);
    events_.push_back({completion.index, token, logprob, active.text.push(active.decoder.push(token))});
    if (active.text.stopped()) {
      end(active, FinishReason::StopString);
    } else if (static_cast<int>(completion.tokens.size()) >= request_.max_new_tokens) {
      end(active, FinishReason::Length);
    }
  }

  void end(Active& active, FinishReason reason) {
    active.completion.finish = reason;
    active.text.push(active.decoder.finish());
    active.completion.text = active.text.finish();
    finished_slots_.push_back(active.slot);
  }

  /// Takes ended completions out of the batch and gives their slots to the queue.
  void retire() {
    if (finished_slots_.empty()) return;
    std::vector<Active> still_active;
    for (Active& active : active_) {
      if (std::find(finished_slots_.begin(), finished_slots_.end(), active.slot) == finished_slots_.end()) {
        still_active.push_back(std::move(active));
      } else {
        observer_.on_finished(active.completion);
        result_.completions.push_back(std::move(active.completion));
      }
    }
    active_ = std::move(still_active);
    std::sort(finished_slots_.begin(), finished_slots_.end());
    for (const std::int32_t slot : std::exchange(finished_slots_, {})) start_next(slot);
  }

  /// Ends what is being written; what was never started is not part of the run.
  void cut_all(FinishReason reason, double now) {
    started_ = request_.completions;
    result_.cancelled = result_.cancelled || reason == FinishReason::Cancelled;
    for (Active& active : active_) {
      active.completion.finish_s = now;
      end(active, reason);
    }
    retire();
  }

  void measure_cache() {
    step_slots_.clear();
    for (const Active& active : active_) step_slots_.push_back(active.slot);
    result_.cache_bytes = std::max(result_.cache_bytes, decoder_.bytes_in_use(step_slots_));
  }

  const Model& model_;
  const GenerationRequest& request_;
  GenerationObserver& observer_;
  BatchDecoder decoder_;
  Clock::time_point start_;
  int started_ = 0;
  std::vector<Active> active_;
  std::vector<Active*> by_slot_;  // while a step is taken in
  std::vector<std::int32_t> finished_slots_, step_slots_;
  std::vector<TokenEvent> events_;
  GenerationResult result_;
};

}  // namespace

const char* finish_reason_name(FinishReason reason) {
  return kFinishNames[static_cast<std::size_t>(reason)];
}

std::optional<FinishReason> finish_reason_from_name(std::string_view name) {
  const auto found = std::find(kFinishNames.begin(), kFinishNames.end(), name);
  if (found == kFinishNames.end()) return std::nullopt;
  return static_cast<FinishReason>(found - kFinishNames.begin());
}

Result<GenerationResult> generate(const Model& model, const GenerationRequest& request, Context& context,
                                  GenerationObserver* observer, std::stop_token stop) {
  TANDEM_RETURN_IF_ERROR(validate(model, request));
  TANDEM_RETURN_IF_ERROR(check_storage(request.storage, model.device()));
  TANDEM_RETURN_IF_ERROR(check_run(model.info(), state_shape(request), available_memory(model.device())));
  GenerationObserver silent;
  try {
    return Run(model, request, context, observer != nullptr ? *observer : silent).run(stop);
  } catch (const DeviceError& error) {
    return Error{ErrorCode::OutOfRange, fmt::format("{}: {}", model.info().name, error.what())};
  }
}

GenerationRequest make_request(const Model& model, const PromptFormat& format, const std::string& question) {
  GenerationRequest request;
  request.prompt = model.tokenizer().encode(format.apply(question), true, format.with_bos);
  request.stop_ids = model.info().eos_ids;
  request.stop_strings = format.stop_strings;
  return request;
}

}  // namespace tandem
