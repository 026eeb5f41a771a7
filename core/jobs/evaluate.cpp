#include "core/jobs/evaluate.h"

#include <algorithm>
#include <future>
#include <optional>
#include <set>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "core/base/provenance.h"
#include "core/devices/devices.h"
#include "core/generation/warm_up.h"
#include "core/jobs/score.h"

namespace tandem {
namespace {

constexpr double kSampleEveryS = 0.05;  // twenty samples a second draw a curve; a step takes a millisecond

/// Thins steps to samples that lose no time: each is the mean of the steps since the one before it, all at
/// one occupancy. (One step in so many would be a slow one too often: long steps end when the next sample is
/// due.)
class Thinning {
 public:
  /// A sample when one is complete.
  std::optional<StepSample> add(const StepSample& step) {
    std::optional<StepSample> complete;
    if (steps_ > 0 && step.occupied != sum_.occupied) complete = take();
    sum_.time_s = step.time_s;
    sum_.step_s += step.step_s;
    sum_.occupied = step.occupied;
    sum_.mean_context += step.mean_context;
    ++steps_;
    if (!complete && sum_.step_s >= kSampleEveryS) complete = take();
    return complete;
  }
  /// What is left.
  std::optional<StepSample> take() {
    if (steps_ == 0) return std::nullopt;
    StepSample mean = sum_;
    mean.step_s /= static_cast<double>(steps_);
    mean.mean_context /= static_cast<double>(steps_);
    sum_ = {};
    steps_ = 0;
    return mean;
  }

 private:
  StepSample sum_;
  std::int64_t steps_ = 0;
};

/// One model of the request, and what the session knows of its run.
struct Side {
  int index = 0;
  const Model* model = nullptr;
  std::int64_t run_id = 0;
  std::set<std::int64_t> complete;  // SessionProblem::id
  bool warm = false;                // has run before in this evaluation
};

/// Hands one problem's events on to the observer and writes them to the session.
class Recorder final : public GenerationObserver {
 public:
  /// `on_error` is called once when the session refuses a row.
  Recorder(const Side& side, const SessionProblem& problem, Session& session, RunObserver& observer,
           bool record_samples, std::stop_source on_error)
      : side_(side),
        problem_(problem),
        session_(session),
        observer_(observer),
        record_samples_(record_samples),
        on_error_(std::move(on_error)) {}

  void on_prefill(double seconds, std::int64_t tokens) override {
    observer_.on_prefill(side_.index, seconds, tokens);
  }

  void on_step(const StepSample& sample, std::span<const TokenEvent> tokens) override {
    if (record_samples_) keep(thinning_.add(sample));
    observer_.on_step(side_.index, sample, tokens);
  }

  void on_finished(const Completion& completion) override {
    Verdict verdict = judge(problem_, completion);
    SessionCompletion row;
    row.run_id = side_.run_id;
    row.problem_id = problem_.id;
    row.completion = completion;
    row.answer = std::move(verdict.answer);
    row.correct = verdict.correct;
    if (status_) status_ = session_.add_completion(row);
    if (!status_) on_error_.request_stop();
    observer_.on_completion(side_.index, row);
  }

  /// Writes what is left. Errors: those of the session, from any of its rows.
  Status finish(const GenerationResult& result, std::int64_t prompt_tokens) {
    TANDEM_RETURN_IF_ERROR(status_);
    keep(thinning_.take());
    TANDEM_RETURN_IF_ERROR(session_.add_samples(samples_));
    const ProblemTiming timing{side_.run_id,    problem_.id,        prompt_tokens,    result.prefill_s,
                               result.decode_s, result.cache_bytes, !result.cancelled};
    TANDEM_RETURN_IF_ERROR(session_.add_timing(timing));
    observer_.on_problem_done(side_.index, timing);
    return {};
  }

 private:
  void keep(const std::optional<StepSample>& sample) {
    if (sample) samples_.push_back({side_.run_id, problem_.id, *sample});
  }

  const Side& side_;
  const SessionProblem& problem_;
  Session& session_;
  RunObserver& observer_;
  const bool record_samples_;
  std::stop_source on_error_;
  std::vector<ThroughputSample> samples_;
  Thinning thinning_;
  Status status_;
};

/// "seed 1 there, 2 asked for; ...": every setting in which two runs differ.
std::string differences(const RunSettings& there, const RunSettings& asked) {
  std::vector<std::string> found;
  const auto compare = [&found](const char* name, const auto& a, const auto& b) {
    if (a != b) found.push_back(fmt::format("{} {} there, {} asked for", name, a, b));
  };
  const auto budget = [](const RunSettings& settings) {
    return settings.time_budget_s ? fmt::format("{} s", *settings.time_budget_s) : std::string("none");
  };
  compare("temperature", there.sampling.temperature, asked.sampling.temperature);
  compare("top-k", there.sampling.top_k, asked.sampling.top_k);
  compare("top-p", there.sampling.top_p, asked.sampling.top_p);
  compare("completions", there.completions, asked.completions);
  compare("batch", there.batch, asked.batch);
  compare("token limit", there.max_new_tokens, asked.max_new_tokens);
  compare("time budget", budget(there), budget(asked));
  compare("seed", there.seed, asked.seed);
  compare("mode", there.mode, asked.mode);
  compare("weights", there.weights, asked.weights);
  compare("threads", there.threads, asked.threads);
  compare("prompt", there.prompt, asked.prompt);
  compare("prompt's date", there.prompt_date, asked.prompt_date);
  return fmt::format("{}", fmt::join(found, "; "));
}

class Evaluation {
 public:
  Evaluation(const EvaluateRequest& request, Session& session, RunObserver& observer)
      : request_(request), settings_(request.settings), session_(session), observer_(observer) {
    if (settings_.threads == 0)
      settings_.threads = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  }

  Status run(const std::stop_token& stop) {
    TANDEM_RETURN_IF_ERROR(validate());
    if (request_.verifier != nullptr)
      TANDEM_RETURN_IF_ERROR(claim_scores(*request_.verifier, session_, false));
    for (const auto& model : request_.models) TANDEM_RETURN_IF_ERROR(add_side(*model));
    TANDEM_RETURN_IF_ERROR(add_problems());
    std::int64_t complete = 0;
    for (const Side& side : sides_)
      complete += std::count_if(problems_.begin(), problems_.end(), [&side](const SessionProblem& problem) {
        return side.complete.contains(problem.id);
      });
    observer_.on_plan(static_cast<std::int64_t>(sides_.size() * problems_.size()) - complete, complete);

    TANDEM_RETURN_IF_ERROR(settings_.mode == "together" ? run_together(stop) : take_turns(stop));
    if (stop.stop_requested()) return session_.flush();
    for (const Side& side : sides_) TANDEM_RETURN_IF_ERROR(session_.finish_run(side.run_id));
    return session_.flush();
  }

 private:
  Status validate() const {
    const auto invalid = [](std::string message) {
      return Error{ErrorCode::InvalidArgument, std::move(message)};
    };
    if (request_.models.empty()) return invalid("no model was named, at least one is needed");
    for (const auto& model : request_.models) TANDEM_RETURN_IF_ERROR(check_writes(model->info()));
    for (std::size_t i = 0; i < request_.models.size(); ++i)
      for (std::size_t j = 0; j < i; ++j)
        if (request_.models[i]->info().sha256 == request_.models[j]->info().sha256 &&
            request_.models[i]->info().name == request_.models[j]->info().name)
          return invalid(fmt::format("{} was named twice, a run compares different models",
                                     request_.models[i]->info().name));
    for (const auto& model : request_.models)
      if (model->device() != request_.models.front()->device())
        return invalid("the models are on different devices, a run compares them on one");
    if (request_.shards < 1 || request_.shard < 0 || request_.shard >= request_.shards)
      return invalid(fmt::format("shard {} of {} was asked for, shards are numbered from 0", request_.shard,
                                 request_.shards));
    if (settings_.threads < 1)
      return invalid(fmt::format("{} threads were asked for, at least 1 is needed", settings_.threads));
    if (settings_.mode != "take turns" && settings_.mode != "together")
      return invalid(fmt::format("the mode is '{}', it is 'take turns' or 'together'", settings_.mode));
    TANDEM_RETURN_IF_ERROR(choose_prompt({}, settings_.prompt));
    const auto count = static_cast<std::int64_t>(request_.set.problems.size());
    if (count == 0) return invalid(fmt::format("the problem set '{}' is empty", request_.set.name));
    for (const std::int64_t index : request_.problems)
      if (index < 0 || index >= count)
        return invalid(fmt::format("problem {} was asked for, the set '{}' has problems 0 to {}", index,
                                   request_.set.name, count - 1));
    return {};
  }

  std::string device(const Model& model) const {
    return device_name(model.device(), settings_.threads) + storage_text(request_.storage);
  }

  /// Finds the model's run in the session, or adds one.
  Status add_side(const Model& model) {
    Side side;
    side.index = static_cast<int>(sides_.size());
    side.model = &model;
    TANDEM_TRY(const std::int64_t model_id, session_.add_model(model.info()));
    TANDEM_TRY(const auto runs, session_.runs());
    const auto run = std::find_if(runs.begin(), runs.end(),
                                  [model_id](const SessionRun& r) { return r.model_id == model_id; });
    if (run == runs.end()) {
      TANDEM_TRY(side.run_id, session_.add_run(model_id, settings_, device(model)));
    } else if (run->settings != settings_) {
      return Error{ErrorCode::Mismatch,
                   fmt::format("{} holds a run of {} with other settings: {}", session_.path(),
                               model.info().name, differences(run->settings, settings_))};
    } else {
      side.run_id = run->id;
      TANDEM_TRY(const auto timings, session_.timings(run->id));
      for (const ProblemTiming& timing : timings)
        if (timing.complete) side.complete.insert(timing.problem_id);
    }
    sides_.push_back(std::move(side));
    return {};
  }

  /// This shard's problems, in the session before the first is run.
  Status add_problems() {
    std::vector<std::int64_t> wanted = request_.problems;
    if (wanted.empty())
      for (std::size_t i = 0; i < request_.set.problems.size(); ++i)
        wanted.push_back(static_cast<std::int64_t>(i));
    for (const std::int64_t index : wanted) {
      if (index % request_.shards != request_.shard) continue;
      const Problem& problem = request_.set.problems[static_cast<std::size_t>(index)];
      TANDEM_TRY(const std::int64_t id, session_.add_problem(request_.set, problem));
      problems_.push_back({id, request_.set.name, problem, request_.set.kind});
    }
    return {};
  }

  Status take_turns(const std::stop_token& stop) {
    Context context(settings_.threads, sides_.front().model->device());
    for (std::size_t i = 0; i < problems_.size(); ++i) {
      std::vector<Side*> order;
      for (Side& side : sides_) order.push_back(&side);
      if (i % 2 == 1) std::reverse(order.begin(), order.end());  // heat and clock drift hit all alike
      for (Side* side : order) TANDEM_RETURN_IF_ERROR(run_problem(*side, problems_[i], context, stop));
    }
    return {};
  }

  Status run_together(const std::stop_token& stop) {
    const int share = std::max(1, settings_.threads / static_cast<int>(sides_.size()));
    std::stop_source stop_all;  // by the caller, or because one model failed
    const std::stop_callback forward(stop, [&stop_all] { stop_all.request_stop(); });
    std::vector<std::future<Status>> running;
    for (Side& side : sides_)
      running.push_back(std::async(std::launch::async, [this, &side, share, &stop_all]() -> Status {
        Context context(share, side.model->device());
        Status status;
        for (std::size_t i = 0; status && i < problems_.size(); ++i)
          status = run_problem(side, problems_[i], context, stop_all.get_token());
        if (!status) stop_all.request_stop();
        return status;
      }));
    for (const auto& side : running) side.wait();  // all of them, before one may throw
    for (auto& side : running) TANDEM_RETURN_IF_ERROR(side.get());
    return {};
  }

  Status run_problem(Side& side, const SessionProblem& problem, Context& context,
                     const std::stop_token& stop) {
    if (stop.stop_requested()) return {};
    if (side.complete.contains(problem.id)) return score(side, problem, context);
    // What an interrupted run left of this problem has other times.
    TANDEM_RETURN_IF_ERROR(session_.clear_problem(side.run_id, problem.id));
    observer_.on_problem(side.index, problem.problem, side.run_id, problem.id);

    TANDEM_TRY(const PromptFormat prompt,
               choose_prompt(side.model->prompt(), settings_.prompt, settings_.prompt_date));
    GenerationRequest request = make_request(*side.model, prompt, problem.problem.question);
    request.completions = settings_.completions;
    request.batch = settings_.batch;
    request.sampling = settings_.sampling;
    request.seed = settings_.seed;
    request.problem = static_cast<std::uint64_t>(problem.problem.index);
    request.max_new_tokens = settings_.max_new_tokens;
    request.time_budget_s = settings_.time_budget_s;
    request.storage = request_.storage;

    std::stop_source stop_here;  // by the caller, or because the session refuses a row
    const std::stop_callback forward(stop, [&stop_here] { stop_here.request_stop(); });
    Recorder recorder(side, problem, session_, observer_, request_.record_samples, stop_here);
    const auto explained = [&](const Error& error) {
      return Error{error.code, fmt::format("{}, problem '{}': {}", side.model->info().name,
                                           problem.problem.id, error.message)};
    };
    if (!std::exchange(side.warm, true)) {
      TANDEM_RETURN_IF_ERROR(session_.add_device(side.run_id, device(*side.model)));
      if (const Status warmed = warm_up(*side.model, request, context, stop); !warmed)
        return explained(warmed.error());
    }
    auto result = generate(*side.model, request, context, &recorder, stop_here.get_token());
    if (!result) return explained(result.error());
    if (!result->cancelled) TANDEM_RETURN_IF_ERROR(score(side, problem, context));
    return recorder.finish(*result, static_cast<std::int64_t>(request.prompt.size()));
  }

  Status score(const Side& side, const SessionProblem& problem, Context& context) {
    if (request_.verifier == nullptr) return {};
    TANDEM_TRY([[maybe_unused]] const std::int64_t scored,
               score_problem(*request_.verifier, side.run_id, problem, session_, context));
    return {};
  }

  const EvaluateRequest& request_;
  RunSettings settings_;
  Session& session_;
  RunObserver& observer_;
  std::vector<Side> sides_;
  std::vector<SessionProblem> problems_;
};

}  // namespace

Status evaluate(const EvaluateRequest& request, Session& session, RunObserver* observer,
                std::stop_token stop) {
  RunObserver silent;
  return Evaluation(request, session, observer != nullptr ? *observer : silent).run(stop);
}

}  // namespace tandem
