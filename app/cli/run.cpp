// tandem-cli run: one problem, completions printed as they finish, then votes and rates.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "app/cli/commands.h"
#include "app/cli/interrupt.h"
#include "app/cli/output.h"
#include "app/cli/progress.h"
#include "app/cli/run_options.h"
#include "app/cli/validators.h"
#include "core/jobs/evaluate.h"
#include "core/statistics/selection.h"

namespace tandem::cli {
namespace {

struct Options {
  RunOptions run;
  std::string problem;
  std::string answer;
  std::string set;
  std::int64_t index = 0;
  std::string session;
  bool json = false;
};

/// What one model did.
struct SideResult {
  std::string model;
  std::vector<SessionCompletion> completions;  // by index
  ProblemTiming timing;
};

/// Prints completions as they finish, and progress between them.
class RunPrinter final : public RunObserver {
 public:
  RunPrinter(const EvaluateRequest& request, bool graded, bool json)
      : m_request(request),
        m_graded(graded),
        m_json(json),
        m_progress("completions",
                   static_cast<std::int64_t>(request.models.size()) * request.settings.completions) {}

  void on_step(int /*side*/, const StepSample& sample, std::span<const TokenEvent> /*tokens*/) override {
    m_progress.update(m_done, fmt::format("{:.0f} tokens/s", sample.occupied / sample.step_s));
  }
  void on_completion(int side, const SessionCompletion& row) override {
    ++m_done;
    if (!m_json) print(m_request.models[static_cast<std::size_t>(side)]->info().name, row);
  }

 private:
  void print(const std::string& model, const SessionCompletion& row) {
    const std::lock_guard lock(m_mutex);
    const Completion& completion = row.completion;
    const char* verdict = is_cut(completion.finish) ? "cut"
                          : !m_graded               ? "done"
                          : row.correct             ? "right"
                                                    : "wrong";
    m_progress.clear();
    fmt::print("{} #{}: {}, answer {}, {} tokens, {} ({})\n  {}\n", model, completion.index, verdict,
               row.answer.value_or("none"), completion.tokens.size(), durationText(completion.finish_s),
               finish_reason_name(completion.finish), completion.text);
    std::fflush(stdout);
  }

  const EvaluateRequest& m_request;
  const bool m_graded;
  const bool m_json;
  Progress m_progress;
  std::mutex m_mutex;
  std::atomic<std::int64_t> m_done = 0;
};

/// What the session now holds of the problem, for each model of the request.
Result<std::vector<SideResult>> readBack(const EvaluateRequest& request, const Problem& problem,
                                         Session& session) {
  TANDEM_TRY(const std::int64_t problemId, session.add_problem(request.set, problem));
  TANDEM_TRY(const auto runs, session.runs());
  std::vector<SideResult> sides;
  for (const auto& model : request.models) {
    TANDEM_TRY(const std::int64_t modelId, session.add_model(model->info()));
    const auto run = std::find_if(runs.begin(), runs.end(),
                                  [modelId](const SessionRun& r) { return r.model_id == modelId; });
    TANDEM_CHECK(run != runs.end(), "evaluate() left a model without a run");
    SideResult side;
    side.model = model->info().name;
    TANDEM_TRY(side.completions, session.completions(run->id, problemId));
    TANDEM_TRY(const auto timings, session.timings(run->id));
    for (const ProblemTiming& timing : timings)
      if (timing.problem_id == problemId) side.timing = timing;
    sides.push_back(std::move(side));
  }
  return sides;
}

/// The answers voted for, the most votes first.
struct VoteCount {
  std::string answer;
  int votes = 0;
  bool correct = false;
  bool tied = false;
};

std::vector<VoteCount> countVotes(const SideResult& side, AnswerKind kind) {
  std::vector<std::optional<std::string>> answers;
  for (const SessionCompletion& row : side.completions) answers.push_back(row.answer);
  const std::vector<int> groups = group_answers(kind, answers);
  std::vector<Vote> votes;
  for (std::size_t i = 0; i < groups.size(); ++i)
    votes.push_back({groups[i], side.completions[i].correct, 0, side.completions[i].completion.finish_s});
  std::vector<VoteCount> counts;
  for (const TallyEntry& entry : tally(votes)) {
    const auto first = std::find(groups.begin(), groups.end(), entry.group) - groups.begin();
    counts.push_back({*answers[static_cast<std::size_t>(first)], entry.votes, entry.correct, entry.tied});
  }
  return counts;
}

double tokensPerSecond(const SideResult& side) {
  std::int64_t tokens = 0;
  for (const SessionCompletion& row : side.completions) tokens += sampled_tokens(row.completion);
  return side.timing.decode_s > 0 ? static_cast<double>(tokens) / side.timing.decode_s : 0;
}

nlohmann::json completionJson(const SessionCompletion& row, bool graded) {
  const Completion& completion = row.completion;
  nlohmann::json object = {{"index", completion.index},
                           {"text", completion.text},
                           {"tokens", completion.tokens},
                           {"finish", finish_reason_name(completion.finish)},
                           {"first_token_s", completion.first_token_s},
                           {"finish_s", completion.finish_s},
                           {"answer", nullptr}};
  if (row.answer) object["answer"] = *row.answer;
  if (graded) object["correct"] = row.correct;
  return object;
}

nlohmann::json sideJson(const SideResult& side, AnswerKind kind, bool graded) {
  nlohmann::json object = {{"model", side.model},
                           {"tokens_per_s", tokensPerSecond(side)},
                           {"prompt_tokens", side.timing.prompt_tokens},
                           {"prefill_s", side.timing.prefill_s},
                           {"decode_s", side.timing.decode_s},
                           {"cache_bytes", side.timing.cache_bytes},
                           {"completions", nlohmann::json::array()},
                           {"votes", nlohmann::json::array()}};
  for (const SessionCompletion& row : side.completions)
    object["completions"].push_back(completionJson(row, graded));
  for (const VoteCount& count : countVotes(side, kind)) {
    nlohmann::json vote = {{"answer", count.answer}, {"votes", count.votes}, {"tied", count.tied}};
    if (graded) vote["correct"] = count.correct;
    object["votes"].push_back(std::move(vote));
  }
  return object;
}

void printSide(const SideResult& side, AnswerKind kind, bool graded) {
  const auto right = std::count_if(side.completions.begin(), side.completions.end(),
                                   [](const SessionCompletion& row) { return row.correct; });
  fmt::print("\n{}: {} completions", side.model, side.completions.size());
  if (graded) fmt::print(", {} right", right);
  fmt::print(", {:.0f} tokens/s, prefill of {} tokens {}, decoding {}, {} of cache or state\n",
             tokensPerSecond(side), side.timing.prompt_tokens, durationText(side.timing.prefill_s),
             durationText(side.timing.decode_s), bytesText(side.timing.cache_bytes));
  const std::vector<VoteCount> counts = countVotes(side, kind);
  if (counts.empty()) fmt::print("  no answer\n");
  constexpr std::size_t kShown = 5;
  for (std::size_t i = 0; i < std::min(counts.size(), kShown); ++i)
    fmt::print("  {:>4} for {}{}{}\n", counts[i].votes, counts[i].answer,
               graded ? (counts[i].correct ? ", right" : ", wrong") : "", counts[i].tied ? ", tie" : "");
  if (counts.size() > kShown) fmt::print("       {} other answers\n", counts.size() - kShown);
}

/// Makes a set of the question given, or reads the one named.
Result<ProblemSet> chooseProblem(const Options& options) {
  if (!options.set.empty()) return read_problems(options.set);
  ProblemSet set;
  set.name = "command line";
  Problem problem;
  problem.id = "question";
  problem.question = options.problem;
  problem.answer = gold_answer(set.kind, options.answer);
  set.problems.push_back(std::move(problem));
  return set;
}

int runRun(const Options& options) {
  const Interrupt interrupt;
  EvaluateRequest request;
  const auto start = std::chrono::steady_clock::now();
  auto models = options.run.open(interrupt.token());
  if (!models) return fail(models.error());
  const std::chrono::duration<double> load = std::chrono::steady_clock::now() - start;
  request.models = *std::move(models);
  auto set = chooseProblem(options);
  if (!set) return fail(set.error());
  request.set = *std::move(set);
  request.problems = {options.index};
  request.settings = options.run.chosen();
  request.storage = options.run.storage;
  const auto session = options.session.empty() ? Session::in_memory() : openOrCreateSession(options.session);
  if (!session) return fail(session.error());

  const bool graded = !options.set.empty() || !options.answer.empty();
  {
    RunPrinter printer(request, graded, options.json);
    if (const Status status = evaluate(request, **session, &printer, interrupt.token()); !status)
      return fail(status.error());
  }
  const Problem& problem = request.set.problems[static_cast<std::size_t>(options.index)];
  const auto sides = readBack(request, problem, **session);
  if (!sides) return fail(sides.error());
  if (options.json) {
    nlohmann::json json = {
        {"question", problem.question}, {"load_s", load.count()}, {"models", nlohmann::json::array()}};
    if (graded) json["answer"] = problem.answer;
    for (const SideResult& side : *sides) json["models"].push_back(sideJson(side, request.set.kind, graded));
    printJson(json);
  } else {
    fmt::print("\n{}\n", problem.question);
    if (graded) fmt::print("The answer is {}.\n", problem.answer);
    for (const SideResult& side : *sides) printSide(side, request.set.kind, graded);
  }
  return interrupt.token().stop_requested() ? 1 : 0;
}

}  // namespace

void addRunCommand(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand("run", "Solves one problem and prints the completions as they finish");
  auto options = std::make_shared<Options>();
  options->run.addTo(*command, 8);
  auto* problem = command->add_option_group("problem");
  auto* text = problem->add_option("--problem", options->problem, "The question");
  auto* set = problem->add_option("--set", options->set, "'pocket', 'seed', or a file of problems");
  problem->require_option(1);
  command->add_option("--answer", options->answer, "The right answer, to grade by")->needs(text);
  command->add_option("--index", options->index, "Which problem of the set, from 0")
      ->needs(set)
      ->check(kAtLeastZero)
      ->capture_default_str();
  command->add_option("--session", options->session, "Keep what happens in this session file");
  command->add_flag("--json", options->json, "Print JSON, when all is done");
  command->callback([options, &action] { action = [options] { return runRun(*options); }; });
}

}  // namespace tandem::cli
