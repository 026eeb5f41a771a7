#include "core/training/completions.h"

#include <filesystem>
#include <map>

#include "core/jobs/evaluate.h"

namespace tandem::training {
namespace {

ProblemSet generated_set(const corpus::GeneratorOptions& options, std::int64_t count) {
  ProblemSet set;
  set.name = "corpus";
  set.kind = AnswerKind::Gsm8k;
  for (std::int64_t i = 0; i < count; ++i) {
    const corpus::WordProblem made = generate_problem(options, static_cast<std::uint64_t>(i));
    Problem& problem = set.problems.emplace_back();
    problem.index = i;
    problem.id = "corpus-" + std::to_string(i);
    problem.question = made.question;
    problem.answer = std::to_string(made.answer);
    problem.solution = made.solution;
  }
  return set;
}

RunSettings run_settings(const CompletionSettings& settings, int threads) {
  RunSettings run;
  run.sampling.temperature = static_cast<float>(settings.temperature);
  run.completions = static_cast<int>(settings.per_problem);
  run.max_new_tokens = static_cast<int>(settings.max_tokens);
  run.seed = settings.seed;
  run.threads = threads;
  return run;
}

class SamplingObserver final : public RunObserver {
 public:
  explicit SamplingObserver(const std::function<void(std::int64_t, std::int64_t)>& on_progress)
      : on_progress_(on_progress) {}

  void on_plan(std::int64_t to_run, std::int64_t complete) override {
    done_ = complete;
    problems_ = to_run + complete;
  }
  void on_problem_done(int /*side*/, const ProblemTiming& timing) override {
    if (timing.complete) on_progress_(++done_, problems_);
  }

 private:
  const std::function<void(std::int64_t, std::int64_t)>& on_progress_;
  std::int64_t done_ = 0;
  std::int64_t problems_ = 0;
};

Result<std::vector<SampledCompletion>> read_sampled(const Session& session) {
  TANDEM_TRY(const auto problems, session.problems());
  TANDEM_TRY(const auto runs, session.runs());
  std::map<std::int64_t, const std::string*> questions;
  for (const SessionProblem& problem : problems) questions[problem.id] = &problem.problem.question;
  std::vector<SampledCompletion> sampled;
  for (const SessionRun& run : runs) {
    TANDEM_TRY(const auto completions, session.completions(run.id));
    for (const SessionCompletion& row : completions)
      sampled.push_back({*questions[row.problem_id], row.completion.text, row.correct,
                         row.completion.finish == FinishReason::Eos});
  }
  return sampled;
}

}  // namespace

Result<std::vector<SampledCompletion>> sample_completions(
    const CompletionSettings& settings, const corpus::GeneratorOptions& problems, const std::string& path,
    int threads, const std::function<void(std::int64_t, std::int64_t)>& on_progress, std::stop_token stop) {
  EvaluateRequest request;
  TANDEM_TRY(request.models.emplace_back(), open_model(settings.model));
  request.set = generated_set(problems, settings.problems);
  request.settings = run_settings(settings, threads);
  request.record_samples = false;
  std::error_code ignored;
  TANDEM_TRY(const auto session,
             std::filesystem::exists(path, ignored) ? Session::open(path) : Session::create(path));
  TANDEM_TRY(const auto runs, session->runs());
  // Going on with another number of threads changes no completion's random stream.
  if (!runs.empty()) request.settings.threads = runs.front().settings.threads;
  SamplingObserver observer(on_progress);
  TANDEM_RETURN_IF_ERROR(evaluate(request, *session, &observer, stop));
  return read_sampled(*session);
}

}  // namespace tandem::training
