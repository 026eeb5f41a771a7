// tandem-cli evaluate: many completions of many problems into a session. Killed or stopped, the same command
// goes on.
#include "core/jobs/evaluate.h"

#include <atomic>
#include <charconv>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "app/cli/commands.h"
#include "app/cli/interrupt.h"
#include "app/cli/output.h"
#include "app/cli/progress.h"
#include "app/cli/run_options.h"
#include "app/cli/validators.h"
#include "core/statistics/session_coverage.h"

namespace tandem::cli {
namespace {

struct Options {
  RunOptions run;
  std::string problems = kDefaultProblems;
  std::string session;
  std::string verifier;
  std::string shard = "0/1";
  std::int64_t limit = 0;
  bool skipBadLines = false;
  bool json = false;
};

/// Shows what an evaluation does as a progress line.
class EvaluateProgress final : public RunObserver {
 public:
  void on_plan(std::int64_t toRun, std::int64_t complete) override {
    m_toRun = toRun;
    m_complete = complete;
    if (complete > 0)
      fmt::print(stderr, "{} of {} problems are in the session already\n", complete, toRun + complete);
    m_progress.emplace("problems", toRun);
    m_start = Clock::now();
  }
  void on_step(int /*side*/, const StepSample& sample, std::span<const TokenEvent> /*tokens*/) override {
    m_tokens += sample.occupied;
    const double seconds = std::chrono::duration<double>(Clock::now() - m_start).count();
    m_progress->update(m_done, fmt::format("{:.0f} tokens/s", static_cast<double>(m_tokens) / seconds));
  }
  void on_problem_done(int /*side*/, const ProblemTiming& timing) override {
    m_done += timing.complete ? 1 : 0;
  }

  std::int64_t done() const { return m_done; }
  std::int64_t toRun() const { return m_toRun; }
  std::int64_t complete() const { return m_complete; }
  void finish() { m_progress.reset(); }

 private:
  using Clock = std::chrono::steady_clock;
  std::optional<Progress> m_progress;
  std::int64_t m_toRun = 0;
  std::int64_t m_complete = 0;
  Clock::time_point m_start;
  std::atomic<std::int64_t> m_tokens = 0;
  std::atomic<std::int64_t> m_done = 0;
};

/// "i/n": the problems whose index is i modulo n. i = n is the same shard as 0, so that counting from 0 and
/// from 1 both cover everything once.
std::string checkShard(const std::string& text) {
  int i = -1;
  int n = 0;
  char end = 0;
  if (std::sscanf(text.c_str(), "%d/%d%c", &i, &n, &end) != 2 || n < 1 || i < 0 || i > n)
    return fmt::format("a shard is I/N with 0 <= I <= N and N >= 1, '{}' was given", text);
  return {};
}

void setShard(const std::string& text, EvaluateRequest& request) {
  std::sscanf(text.c_str(), "%d/%d", &request.shard, &request.shards);
  request.shard %= request.shards;
}

nlohmann::json runJson(const CoverageReport& report, const RunCoverage& run) {
  nlohmann::json object = {{"model", run.model},
                           {"finished_completions", run.n},
                           {"tokens_per_s", run.tokens_per_s},
                           {"mean_tokens", run.mean_tokens},
                           {"cut_fraction", run.cut_fraction}};
  for (std::size_t i = 0; i < report.k.size(); ++i) {
    object["coverage"][std::to_string(report.k[i])] = run.coverage_k[i].mean;
    object["majority"][std::to_string(report.k[i])] = run.majority_k[i].mean;
  }
  return object;
}

void printSummary(const CoverageReport& report) {
  std::vector<std::string> heading = {"model", "tokens/s", "mean tokens"};
  for (const std::int64_t k : report.k) heading.push_back(fmt::format("k={}", k));
  heading.push_back("majority");
  Table table(heading);
  for (const RunCoverage& run : report.runs) {
    std::vector<std::string> row = {run.model, fmt::format("{:.0f}", run.tokens_per_s),
                                    fmt::format("{:.1f}", run.mean_tokens)};
    for (const Estimate& coverage : run.coverage_k) row.push_back(fmt::format("{:.3f}", coverage.mean));
    row.push_back(run.majority_k.empty() ? "" : fmt::format("{:.3f}", run.majority_k.back().mean));
    table.addRow(row);
  }
  table.print();
}

int reportOutcome(const Options& options, const Session& session, const EvaluateProgress& progress,
                  bool stopped) {
  if (stopped)
    fmt::print(stderr, "tandem-cli: stopped after {} of {} problems; the same command goes on from there\n",
               progress.done() + progress.complete(), progress.toRun() + progress.complete());
  const auto report = coverage_report(session, {});
  if (options.json) {
    nlohmann::json json = {{"session", options.session},
                           {"stopped", stopped},
                           {"problems_run", progress.done()},
                           {"problems_skipped", progress.complete()},
                           {"problems_left", progress.toRun() - progress.done()},
                           {"runs", nlohmann::json::array()}};
    if (report) {
      json["common_problems"] = report->problem_ids.size();
      for (const RunCoverage& run : report->runs) json["runs"].push_back(runJson(*report, run));
    }
    printJson(json);
  } else if (report) {
    fmt::print("Coverage over {} problems, session {}\n", report->problem_ids.size(), options.session);
    printSummary(*report);
  }
  return stopped ? 1 : 0;
}

int runEvaluate(const Options& options) {
  const Interrupt interrupt;
  EvaluateRequest request;
  auto models = options.run.open(interrupt.token());
  if (!models) return fail(models.error());
  request.models = *std::move(models);
  if (!options.verifier.empty()) {
    LoadOptions load;
    load.device = options.run.load.device;
    auto verifier = open_model(options.verifier, load);
    if (!verifier) return fail(verifier.error());
    request.verifier = *std::move(verifier);
  }
  auto set = read_problems(options.problems, options.skipBadLines);
  if (!set) return fail(set.error());
  request.set = *std::move(set);
  for (const std::string& skipped : request.set.skipped) fmt::print(stderr, "left out: {}\n", skipped);
  if (options.limit > 0 && options.limit < static_cast<std::int64_t>(request.set.problems.size()))
    request.set.problems.resize(static_cast<std::size_t>(options.limit));
  request.settings = options.run.chosen();
  request.storage = options.run.storage;
  setShard(options.shard, request);

  const auto session = openOrCreateSession(options.session);
  if (!session) return fail(session.error());
  EvaluateProgress progress;
  const Status status = evaluate(request, **session, &progress, interrupt.token());
  progress.finish();
  if (!status) return fail(status.error());
  return reportOutcome(options, **session, progress, progress.done() < progress.toRun());
}

}  // namespace

void addEvaluateCommand(CLI::App& app, Action& action) {
  auto* command =
      app.add_subcommand("evaluate", "Samples completions of every problem of a set into a session");
  auto options = std::make_shared<Options>();
  options->run.addTo(*command, 64);
  command
      ->add_option("--problems", options->problems,
                   "'pocket', 'seed', or a GSM8K or MATH .jsonl or a .csv file")
      ->capture_default_str();
  command->add_option("--session", options->session, "The file to write to; an existing one is gone on with")
      ->required();
  command->add_option("--verifier", options->verifier,
                      "A bundled name or a folder: gives every completion a score, for weighted votes");
  command->add_option("--shard", options->shard, "I/N: only the problems whose index is I modulo N")
      ->check(CLI::Validator(checkShard, "I/N"));
  command->add_option("--limit", options->limit, "Only the first so many problems; 0 is all")
      ->check(kAtLeastZero);
  command->add_flag("--skip-bad-lines", options->skipBadLines, "Leave out problems that cannot be read");
  command->add_flag("--json", options->json, "Print JSON");
  command->callback([options, &action] { action = [options] { return runEvaluate(*options); }; });
}

}  // namespace tandem::cli
