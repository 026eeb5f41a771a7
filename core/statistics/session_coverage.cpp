// From a session's rows to curves. The formulas are in coverage.cpp, selection.cpp and replay.cpp; here is
// which completions, problems and runs they are given (test_time_compute.md sections 2 to 4).
#include "core/statistics/session_coverage.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <set>

#include <fmt/format.h>

#include "core/statistics/selection.h"

namespace tandem {
namespace {

constexpr int kDefaultSeconds = 60;
constexpr double kReplayTolerance = 0.05;  // median, relative: replayed against measured finish times
constexpr double kManyCut = 0.05;

/// One problem of one run.
struct ProblemRun {
  std::vector<TimedOutcome> outcomes;  // by completion index; tokens = steps taken part in
  std::vector<Vote> votes;             // of the finished ones
  std::int64_t right = 0;              // among the finished
  std::int64_t text_tokens = 0;        // of the finished ones, without stop tokens
  std::int64_t sampled = 0;            // of all
  ProblemTiming timing;

  std::int64_t finished() const { return static_cast<std::int64_t>(votes.size()); }
};

struct RunData {
  SessionRun run;
  std::string model;
  bool is_teacher = false;
  std::vector<SessionCompletion> completions;      // by problem and index
  std::map<std::int64_t, ProblemTiming> complete;  // by problem
  std::vector<ProblemRun> problems;                // the common ones, in their order
  StepTimes step_times;
  bool has_scores = false;
};

bool is_right(const SessionCompletion& row) {
  return row.override_correct.value_or(row.correct);
}

ProblemRun reduce(std::span<const SessionCompletion> rows, AnswerKind kind, const ProblemTiming& timing) {
  ProblemRun problem;
  problem.timing = timing;
  std::vector<std::optional<std::string>> answers;
  for (const SessionCompletion& row : rows) {
    const Completion& completion = row.completion;
    const bool cut = is_cut(completion.finish);
    problem.outcomes.push_back({completion.finish_s, sampled_tokens(completion), !cut && is_right(row), cut});
    problem.sampled += sampled_tokens(completion);
    if (cut) continue;
    problem.right += is_right(row) ? 1 : 0;
    problem.text_tokens += static_cast<std::int64_t>(completion.tokens.size());
    answers.push_back(row.answer);
    problem.votes.push_back({-1, is_right(row), row.score.value_or(std::numeric_limits<double>::quiet_NaN()),
                             completion.finish_s});
  }
  const std::vector<int> groups = group_answers(kind, answers);
  std::map<int, bool> verdicts;  // of a group: its first member's
  for (std::size_t i = 0; i < groups.size(); ++i) {
    problem.votes[i].group = groups[i];
    problem.votes[i].correct = verdicts.try_emplace(groups[i], problem.votes[i].correct).first->second;
  }
  return problem;
}

/// The runs that have a complete problem, teachers first.
Result<std::vector<RunData>> read_runs(const Session& session) {
  TANDEM_TRY(const auto models, session.models());
  std::map<std::int64_t, const SessionModel*> model_of;
  for (const SessionModel& model : models) model_of[model.id] = &model;
  TANDEM_TRY(const auto runs, session.runs());
  std::vector<RunData> found;
  for (const SessionRun& run : runs) {
    RunData data;
    TANDEM_TRY(const auto timings, session.timings(run.id));
    for (const ProblemTiming& timing : timings)
      if (timing.complete) data.complete.emplace(timing.problem_id, timing);
    if (data.complete.empty()) continue;
    data.run = run;
    if (const auto model = model_of.find(run.model_id); model != model_of.end()) {
      data.model = model->second->name;
      TANDEM_TRY(const ModelInfo info, model_info(*model->second));
      data.is_teacher = info.is_pure_attention();
    }
    TANDEM_TRY(data.completions, session.completions(run.id));
    TANDEM_TRY(const auto samples, session.samples(run.id));
    for (const ThroughputSample& sample : samples)
      data.step_times.add(sample.step.occupied, sample.step.mean_context, sample.step.step_s);
    found.push_back(std::move(data));
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const RunData& a, const RunData& b) { return a.is_teacher && !b.is_teacher; });
  if (found.empty())
    return Error{ErrorCode::NotFound, session.path() + " holds no run with a complete problem yet"};
  return found;
}

/// Sets report.problem_ids and left_out.
Status find_common_problems(std::span<const RunData> runs, const std::string& path, CoverageReport& report) {
  std::map<std::int64_t, std::size_t> count;  // of runs that have the problem complete
  for (const RunData& data : runs)
    for (const auto& [id, timing] : data.complete) ++count[id];
  for (const auto& [id, in_runs] : count) {
    if (in_runs == runs.size()) {
      report.problem_ids.push_back(id);
    } else {
      ++report.left_out;
    }
  }
  if (report.problem_ids.empty())
    return Error{ErrorCode::NotFound, path + " holds no problem that all of its runs have complete"};
  return {};
}

void reduce_problems(RunData& data, std::span<const std::int64_t> problem_ids,
                     const std::map<std::int64_t, AnswerKind>& kinds) {
  for (const std::int64_t id : problem_ids) {
    const auto first = std::ranges::lower_bound(data.completions, id, {}, &SessionCompletion::problem_id);
    const auto last = std::ranges::upper_bound(data.completions, id, {}, &SessionCompletion::problem_id);
    const std::span<const SessionCompletion> rows(first, last);
    data.problems.push_back(reduce(rows, kinds.at(id), data.complete.at(id)));
    data.has_scores =
        data.has_scores || std::any_of(rows.begin(), rows.end(),
                                       [](const SessionCompletion& row) { return row.score.has_value(); });
  }
}

std::int64_t fewest_finished(const RunData& data) {
  std::int64_t fewest = std::numeric_limits<std::int64_t>::max();
  for (const ProblemRun& problem : data.problems) fewest = std::min(fewest, problem.finished());
  return fewest;
}

/// The k asked for, checked, or powers of two up to n and n itself.
Result<std::vector<std::int64_t>> choose_k(const CoverageOptions& options, std::span<const RunData> runs) {
  std::int64_t n = std::numeric_limits<std::int64_t>::max();
  const RunData* shortest = nullptr;
  for (const RunData& data : runs)
    if (const std::int64_t fewest = fewest_finished(data); fewest < n) {
      n = fewest;
      shortest = &data;
    }
  std::vector<std::int64_t> chosen = options.k;
  if (!chosen.empty() && n < 1)
    return Error{
        ErrorCode::InvalidArgument,
        fmt::format("{} has a problem without a finished completion, so there is no coverage at any k",
                    shortest->model)};
  for (const std::int64_t k : chosen)
    if (k < 1 || k > n)
      return Error{
          ErrorCode::InvalidArgument,
          fmt::format("k = {} was asked for; {} has {} finished completions on some problem, so k is 1 to {}",
                      k, shortest->model, n, n)};
  if (chosen.empty()) {
    for (std::int64_t k = 1; k < n; k *= 2) chosen.push_back(k);
    if (n >= 1) chosen.push_back(n);
  }
  std::sort(chosen.begin(), chosen.end());
  chosen.erase(std::unique(chosen.begin(), chosen.end()), chosen.end());
  return chosen;
}

/// 60 values, logarithmic from the first finish of any run to the last; none when nothing finished.
std::vector<double> default_seconds(std::span<const RunData> runs) {
  double first = std::numeric_limits<double>::infinity();
  double last = 0;
  for (const RunData& data : runs)
    for (const ProblemRun& problem : data.problems)
      for (const Vote& vote : problem.votes) {
        first = std::min(first, vote.finish_s);
        last = std::max(last, vote.finish_s);
      }
  std::vector<double> seconds;
  if (!(first > 0) || first > last) return seconds;
  for (int i = 0; i < kDefaultSeconds; ++i)
    seconds.push_back(first * std::pow(last / first, static_cast<double>(i) / (kDefaultSeconds - 1)));
  seconds.back() = last;  // not a rounding below it: the last finish counts
  return seconds;
}

Result<std::vector<double>> choose_seconds(const CoverageOptions& options, std::span<const RunData> runs) {
  if (options.seconds.empty()) return default_seconds(runs);
  std::vector<double> chosen = options.seconds;
  for (const double seconds : chosen)
    if (!(seconds > 0) || !std::isfinite(seconds))
      return Error{ErrorCode::InvalidArgument,
                   fmt::format("{} s were asked for, more than 0 are needed", seconds)};
  std::sort(chosen.begin(), chosen.end());
  chosen.erase(std::unique(chosen.begin(), chosen.end()), chosen.end());
  return chosen;
}

/// What `value` gives for every problem, in the common order.
template <typename Value>
std::vector<double> per_problem(const RunData& data, Value&& value) {
  std::vector<double> values;
  values.reserve(data.problems.size());
  for (const ProblemRun& problem : data.problems) values.push_back(value(problem));
  return values;
}

std::vector<double> covered_k(const RunData& data, std::int64_t k) {
  return per_problem(data, [k](const ProblemRun& p) { return *pass_at_k(p.finished(), p.right, k); });
}

std::vector<double> covered_t(const RunData& data, double t_s) {
  return per_problem(data, [t_s](const ProblemRun& p) { return covered_at(p.outcomes, t_s); });
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

std::int64_t slots_of(const RunData& data, const ProblemRun& problem) {
  const auto started = static_cast<std::int64_t>(problem.outcomes.size());
  const int batch = data.run.settings.batch;
  return std::max<std::int64_t>(1, batch > 0 ? std::min<std::int64_t>(batch, started) : started);
}

/// Median relative error of the replayed measured order (section 3.3).
double replay_error(const RunData& data) {
  std::vector<double> errors;
  std::vector<std::int32_t> order;
  for (const ProblemRun& problem : data.problems) {
    order.resize(problem.outcomes.size());
    std::iota(order.begin(), order.end(), 0);
    const std::vector<double> replayed = replay_finish_times(problem.outcomes, order, slots_of(data, problem),
                                                             problem.timing.prompt_tokens, data.step_times);
    for (std::size_t i = 0; i < replayed.size(); ++i)
      if (!problem.outcomes[i].cut)
        errors.push_back(std::abs(replayed[i] / problem.outcomes[i].finish_s - 1));
  }
  return errors.empty() ? 0 : median(std::move(errors));
}

void resample(const RunData& data, std::span<const double> seconds, std::uint64_t seed, RunCoverage& run) {
  if (data.step_times.empty()) {
    run.resampled_note = "no step times were recorded: only the measured order is shown";
    return;
  }
  if (const double error = replay_error(data); !(error <= kReplayTolerance)) {
    run.resampled_note = fmt::format(
        "replaying the measured order misses the measured times by {:.0f} % (median), as when another "
        "program takes "
        "the cores: only the measured order is shown",
        100 * error);
    return;
  }
  if (run.cut_fraction > kManyCut)
    run.resampled_note = fmt::format("{:.0f} % of the completions were cut: a lower bound near the budget",
                                     100 * run.cut_fraction);
  const auto problems = static_cast<std::int64_t>(data.problems.size());
  const int draws = static_cast<int>(std::clamp<std::int64_t>(4000 / problems, 20, 200));
  run.resampled_t.assign(seconds.size(), 0);
  for (const ProblemRun& problem : data.problems) {
    const auto coverage =
        resampled_coverage(problem.outcomes, slots_of(data, problem), problem.timing.prompt_tokens,
                           data.step_times, seconds, seed++, draws);
    for (std::size_t i = 0; i < seconds.size(); ++i)
      run.resampled_t[i] += coverage[i] / static_cast<double>(problems);
  }
}

void fill_totals(const RunData& data, RunCoverage& run) {
  std::int64_t started = 0;
  std::int64_t finished = 0;
  std::int64_t text_tokens = 0;
  std::int64_t sampled = 0;
  double decode_s = 0;
  for (const ProblemRun& problem : data.problems) {
    started += static_cast<std::int64_t>(problem.outcomes.size());
    finished += problem.finished();
    text_tokens += problem.text_tokens;
    sampled += problem.sampled;
    decode_s += problem.timing.decode_s;
  }
  if (started > 0) run.cut_fraction = static_cast<double>(started - finished) / static_cast<double>(started);
  if (finished > 0) run.mean_tokens = static_cast<double>(text_tokens) / static_cast<double>(finished);
  if (decode_s > 0) run.tokens_per_s = static_cast<double>(sampled) / decode_s;
}

Status fill_k(const RunData& data, std::span<const std::int64_t> ks, const Bootstrap& bootstrap,
              RunCoverage& run) {
  if (run.n >= 1) run.pass_at_1 = covered_k(data, 1);
  for (const std::int64_t k : ks) {
    run.coverage_k.push_back(bootstrap.estimate(covered_k(data, k)));
    run.majority_k.push_back(bootstrap.estimate(
        per_problem(data, [k](const ProblemRun& p) { return *majority_at_k(p.votes, k); })));
    if (!data.has_scores) continue;
    std::vector<double> weighted;
    for (const ProblemRun& problem : data.problems) {
      TANDEM_TRY(weighted.emplace_back(), weighted_at_k(problem.votes, k));
    }
    run.weighted_k.push_back(bootstrap.estimate(weighted));
  }
  return {};
}

void fill_t(const RunData& data, std::span<const double> seconds, const Bootstrap& bootstrap,
            RunCoverage& run) {
  for (const double t_s : seconds) {
    run.coverage_t.push_back(bootstrap.estimate(covered_t(data, t_s)));
    run.majority_t.push_back(bootstrap.estimate(
        per_problem(data, [t_s](const ProblemRun& p) { return majority_at_time(p.votes, t_s); })));
    run.median_finished_t.push_back(median(per_problem(data, [t_s](const ProblemRun& p) {
      return static_cast<double>(std::count_if(p.votes.begin(), p.votes.end(),
                                               [t_s](const Vote& vote) { return vote.finish_s <= t_s; }));
    })));
  }
}

std::vector<double> crossings(std::span<const double> seconds, std::span<const Estimate> differences) {
  const auto sign = [](double x) { return (x > 0) - (x < 0); };
  std::vector<double> found;
  int leader = 0;         // the last confirmed one's sign
  std::size_t since = 0;  // where the present sign began
  for (std::size_t i = 0; i < differences.size(); ++i) {
    const Estimate& d = differences[i];
    if (i > 0 && sign(d.mean) != sign(differences[i - 1].mean)) since = i;
    const bool confirmed = d.has_band && (d.band.low > 0 || d.band.high < 0);
    if (!confirmed || sign(d.mean) == leader) continue;
    if (leader != 0) found.push_back(seconds[since]);
    leader = sign(d.mean);
  }
  return found;
}

std::vector<Estimate> differences_t(const RunData& student, const RunData& teacher,
                                    std::span<const double> seconds, const Bootstrap& bootstrap) {
  std::vector<Estimate> differences;
  for (const double t_s : seconds)
    differences.push_back(bootstrap.paired(covered_t(student, t_s), covered_t(teacher, t_s)));
  return differences;
}

}  // namespace

Result<CoverageReport> coverage_report(const Session& session, const CoverageOptions& options) {
  CoverageReport report;
  TANDEM_TRY(std::vector<RunData> runs, read_runs(session));
  TANDEM_RETURN_IF_ERROR(find_common_problems(runs, session.path(), report));
  TANDEM_TRY(const auto problems, session.problems());
  std::map<std::int64_t, AnswerKind> kinds;
  for (const SessionProblem& problem : problems) kinds[problem.id] = problem.kind;
  for (RunData& data : runs) reduce_problems(data, report.problem_ids, kinds);
  TANDEM_TRY(report.k, choose_k(options, runs));
  TANDEM_TRY(report.seconds, choose_seconds(options, runs));

  const Bootstrap bootstrap(static_cast<std::int64_t>(report.problem_ids.size()), options.seed,
                            options.draws);
  for (const RunData& data : runs) {
    RunCoverage run;
    run.run_id = data.run.id;
    run.model = data.model;
    run.is_teacher = data.is_teacher;
    run.shared_device = data.run.settings.mode == "together";
    run.n = fewest_finished(data);
    fill_totals(data, run);
    TANDEM_RETURN_IF_ERROR(fill_k(data, report.k, bootstrap, run));
    fill_t(data, report.seconds, bootstrap, run);
    resample(data, report.seconds, options.seed, run);
    report.runs.push_back(std::move(run));
  }
  const std::vector<double> crossing_seconds = default_seconds(runs);
  for (std::size_t i = 1; i < runs.size(); ++i) {
    PairedDifference difference;
    for (const std::int64_t k : report.k)
      difference.k.push_back(bootstrap.paired(covered_k(runs[i], k), covered_k(runs[0], k)));
    difference.t = differences_t(runs[i], runs[0], report.seconds, bootstrap);
    difference.crossings_s =
        crossings(crossing_seconds, options.seconds.empty()
                                        ? difference.t
                                        : differences_t(runs[i], runs[0], crossing_seconds, bootstrap));
    report.differences.push_back(std::move(difference));
  }
  return report;
}

}  // namespace tandem
