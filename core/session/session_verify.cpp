// Verdicts, and the check that a session's rows agree with each other and with the grader.
#include <map>
#include <unordered_map>

#include <fmt/format.h>

#include "core/session/schema.h"
#include "core/session/session.h"
#include "core/training/recipe.h"

namespace tandem {
namespace {

constexpr std::size_t kMaxFindings = 100;  // a damaged file would give one per row

class Findings {
 public:
  void add(std::string sentence) {
    if (sentences_.size() < kMaxFindings) {
      sentences_.push_back(std::move(sentence));
    } else {
      ++more_;
    }
  }
  std::vector<std::string> take() {
    if (more_ > 0) sentences_.push_back(fmt::format("and {} more findings", more_));
    return std::move(sentences_);
  }

 private:
  std::vector<std::string> sentences_;
  std::size_t more_ = 0;
};

Status check_database(const std::string& path, Findings& findings) {
  TANDEM_TRY(const auto database, open_session_database(path, true));
  TANDEM_RETURN_IF_ERROR(database->query("PRAGMA integrity_check", [&](const sqlite::Row& row) {
    if (row.text(0) != "ok") findings.add("the file is damaged: " + row.text(0));
  }));
  return database->query("PRAGMA foreign_key_check", [&](const sqlite::Row& row) {
    findings.add(fmt::format("row {} of table {} refers to a row of table {} that does not exist",
                             row.integer(1), row.text(0), row.text(2)));
  });
}

void check_completion(const SessionRun& run, const SessionProblem& problem, const SessionCompletion& row,
                      Findings& findings) {
  const Completion& completion = row.completion;
  const auto place = [&] {
    return fmt::format("run {}, problem '{}', completion {}", run.id, problem.problem.id, completion.index);
  };
  if (completion.logprobs.size() != completion.tokens.size())
    findings.add(fmt::format("{}: {} tokens but {} log-probabilities", place(), completion.tokens.size(),
                             completion.logprobs.size()));
  if (completion.finish_s < completion.first_token_s)
    findings.add(fmt::format("{}: ends at {} s, before its first token at {} s", place(), completion.finish_s,
                             completion.first_token_s));
  const Verdict verdict = judge(problem, completion);
  if (verdict.answer != row.answer || verdict.correct != row.correct)
    findings.add(fmt::format("{}: stored answer '{}' ({}), the grader finds '{}' ({})", place(),
                             row.answer.value_or("none"), row.correct ? "right" : "wrong",
                             verdict.answer.value_or("none"), verdict.correct ? "right" : "wrong"));
}

Status check_run(const Session& session, const SessionRun& run,
                 const std::unordered_map<std::int64_t, SessionProblem>& problems, Findings& findings) {
  if (run.grader != kGraderVersion)
    findings.add(fmt::format("run {} was graded by version {} of the grader, this is version {}", run.id,
                             run.grader, kGraderVersion));
  TANDEM_TRY(const auto completions, session.completions(run.id));
  std::map<std::int64_t, std::int64_t> count;  // of completions, by problem
  for (const SessionCompletion& row : completions) {
    ++count[row.problem_id];
    if (const auto problem = problems.find(row.problem_id); problem != problems.end())
      check_completion(run, problem->second, row, findings);
  }
  TANDEM_TRY(const auto timings, session.timings(run.id));
  for (const ProblemTiming& timing : timings) {
    // Under a budget, completions that were never started are not part of the run.
    const bool too_few = !run.settings.time_budget_s && count[timing.problem_id] < run.settings.completions;
    if (timing.complete && (too_few || count[timing.problem_id] == 0))
      findings.add(fmt::format("run {}, problem {} is marked complete but has {} of {} completions", run.id,
                               timing.problem_id, count[timing.problem_id], run.settings.completions));
  }
  return {};
}

/// Updates follow each other without holes, from the first of each stage of the recipe on.
void check_updates(const SessionTraining& training, std::span<const training::TrainingUpdate> updates,
                   Findings& findings) {
  std::int64_t stage = 0, step = 0, steps = 0, tokens = 0;
  for (const training::TrainingUpdate& update : updates) {
    if (step == steps && update.stage == stage + (steps > 0 ? 1 : 0)) step = 0;
    if (update.step != step + 1 || update.tokens < tokens) {
      findings.add(
          fmt::format("training run {} '{}': stage {}, update {} does not follow update {} of stage {}",
                      training.id, training.name, update.stage + 1, update.step, step, stage + 1));
      return;
    }
    stage = update.stage;
    step = update.step;
    steps = update.steps;
    tokens = update.tokens;
  }
}

Status check_training(const Session& session, const SessionTraining& training, Findings& findings) {
  if (const auto recipe = training::parse_recipe(training.recipe, training.name); !recipe)
    findings.add(fmt::format("training run {}: {}", training.id, recipe.error().message));
  TANDEM_TRY(const auto updates, session.training_updates(training.id));
  check_updates(training, updates, findings);
  TANDEM_TRY(const auto snapshots, session.training_snapshots(training.id));
  for (const SessionSnapshot& snapshot : snapshots) {
    TANDEM_TRY(const Capture capture, session.training_matrices(snapshot.id));
    if (capture.layers.empty())
      findings.add(fmt::format("training run {} '{}': the snapshot of stage {}, update {} has no matrices",
                               training.id, training.name, snapshot.stage + 1, snapshot.step));
  }
  return {};
}

}  // namespace

Verdict judge(const SessionProblem& problem, const Completion& completion) {
  Verdict verdict;
  if (is_cut(completion.finish)) return verdict;
  verdict.answer = extract_answer(problem.kind, completion.text);
  verdict.correct = verdict.answer && answers_equal(problem.kind, *verdict.answer, problem.problem.answer);
  return verdict;
}

Result<std::vector<std::string>> verify_session(const std::string& path) {
  TANDEM_TRY(const auto session, Session::open(path, true));
  Findings findings;
  TANDEM_RETURN_IF_ERROR(check_database(path, findings));
  TANDEM_TRY(const auto models, session->models());
  for (const SessionModel& model : models)
    if (const auto info = model_info(model); !info) findings.add(info.error().message);
  TANDEM_TRY(const auto rows, session->problems());
  std::unordered_map<std::int64_t, SessionProblem> problems;
  for (const SessionProblem& problem : rows) problems.emplace(problem.id, problem);
  TANDEM_TRY(const auto runs, session->runs());
  for (const SessionRun& run : runs) TANDEM_RETURN_IF_ERROR(check_run(*session, run, problems, findings));
  TANDEM_TRY(const auto trainings, session->trainings());
  for (const SessionTraining& training : trainings)
    TANDEM_RETURN_IF_ERROR(check_training(*session, training, findings));
  return findings.take();
}

}  // namespace tandem
