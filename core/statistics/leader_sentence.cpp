// The sentence under the coverage curves. "Leads" is said only where the paired interval excludes 0.
#include <algorithm>
#include <functional>

#include <fmt/format.h>

#include "core/statistics/session_coverage.h"

namespace tandem {
namespace {

/// The curves of one axis, and how its values are spoken of.
struct Axis {
  std::vector<Estimate> RunCoverage::*coverage;
  std::vector<Estimate> PairedDifference::*difference;
  std::function<std::string(std::size_t)> budget;                    // "With 8 completions per problem"
  std::function<std::string(std::size_t, std::size_t)> range_words;  // "k = 4 to 64"
};

std::string with_band(const Estimate& estimate) {
  if (!estimate.has_band) return fmt::format("{:.2f}", estimate.mean);
  return fmt::format("{:.2f} [{:.2f}, {:.2f}]", estimate.mean, estimate.band.low, estimate.band.high);
}

std::string signed_with_band(const Estimate& estimate) {
  return fmt::format("{:+.2f} [{:+.2f}, {:+.2f}]", estimate.mean, estimate.band.low, estimate.band.high);
}

std::string problems_text(std::int64_t problems) {
  return fmt::format("{} problem{}", problems, problems == 1 ? "" : "s");
}

/// 1 the later run leads, -1 the first run leads, 0 neither.
int leader(const Estimate& difference) {
  if (!difference.has_band) return 0;
  return (difference.band.low > 0) - (difference.band.high < 0);
}

/// "the teacher" and "the student" where that is clear, else the models' names.
std::string name_of(const CoverageReport& report, std::size_t run) {
  const bool one_of_each = report.runs.size() == 2 && report.runs[0].is_teacher && !report.runs[1].is_teacher;
  if (!one_of_each) return report.runs[run].model;
  return run == 0 ? "the teacher" : "the student";
}

/// The stretch around `at` over which the same model leads.
std::string lead_range(const std::vector<Estimate>& differences, std::size_t at, const Axis& axis) {
  constexpr std::size_t kFewValues = 4;  // hand-picked ones say nothing about their neighbours
  if (differences.size() < kFewValues) return {};
  const int side = leader(differences[at]);
  std::size_t first = at;
  std::size_t last = at;
  while (first > 0 && leader(differences[first - 1]) == side) --first;
  while (last + 1 < differences.size() && leader(differences[last + 1]) == side) ++last;
  if (first == last) return " This holds at this value only, which is weak evidence.";
  return fmt::format(" This holds {}.", axis.range_words(first, last));
}

std::string compare(const CoverageReport& report, std::size_t run, std::size_t at, const Axis& axis) {
  const Estimate& first = (report.runs[0].*axis.coverage)[at];
  const Estimate& other = (report.runs[run].*axis.coverage)[at];
  const std::vector<Estimate>& differences = report.differences[run - 1].*axis.difference;
  const Estimate& difference = differences[at];
  const std::string budget = axis.budget(at);
  const std::string problems = problems_text(difference.problems);
  if (!difference.has_band)
    return fmt::format("{} {} covers {} and {} {} of {}: too few problems to say who leads.", budget,
                       name_of(report, run), with_band(other), name_of(report, 0), with_band(first),
                       problems);
  const int side = leader(difference);
  if (side == 0)
    return fmt::format("{} {} covers {} and {} {}: {} is no difference that {} can show.", budget,
                       name_of(report, run), with_band(other), name_of(report, 0), with_band(first),
                       signed_with_band(difference), problems);
  // The leader comes first, so the difference is turned to its side.
  Estimate ahead = difference;
  if (side < 0) {
    ahead.mean = -difference.mean;
    ahead.band = {-difference.band.high, -difference.band.low};
  }
  return fmt::format("{} {} leads{}: {} against {}, difference {} over {}.{}", budget,
                     name_of(report, side > 0 ? run : 0),
                     report.runs.size() > 2 ? " " + name_of(report, side > 0 ? 0 : run) : "",
                     with_band(side > 0 ? other : first), with_band(side > 0 ? first : other),
                     signed_with_band(ahead), problems, lead_range(differences, at, axis));
}

std::string sentence(const CoverageReport& report, std::size_t at, const Axis& axis) {
  if (report.runs.size() == 1) {
    const Estimate& only = (report.runs[0].*axis.coverage)[at];
    return fmt::format("{} {} covers {} of {}.", axis.budget(at), report.runs[0].model, with_band(only),
                       problems_text(only.problems));
  }
  std::string text;
  for (std::size_t run = 1; run < report.runs.size(); ++run)
    text += (run > 1 ? "\n" : "") + compare(report, run, at, axis);
  return text;
}

/// The last value that is not above the one asked for, or the first.
template <typename T>
std::size_t nearest_below(const std::vector<T>& values, T wanted) {
  const auto above = std::upper_bound(values.begin(), values.end(), wanted);
  return above == values.begin() ? 0 : static_cast<std::size_t>(above - values.begin() - 1);
}

std::string seconds_text(double seconds) {
  return fmt::format("{:.{}f} s", seconds, seconds < 1 ? 3 : seconds < 10 ? 2 : 1);
}

}  // namespace

std::string leader_sentence_at_k(const CoverageReport& report, std::int64_t k) {
  if (report.k.empty() || report.runs.empty()) return "No completion has finished on every problem yet.";
  const auto budget = [&report](std::size_t i) {
    return fmt::format("With {} completion{} per problem", report.k[i], report.k[i] == 1 ? "" : "s");
  };
  const auto range_words = [&report](std::size_t a, std::size_t b) {
    return fmt::format("for k from {} to {}", report.k[a], report.k[b]);
  };
  return sentence(report, nearest_below(report.k, k),
                  {&RunCoverage::coverage_k, &PairedDifference::k, budget, range_words});
}

std::string leader_sentence_at_seconds(const CoverageReport& report, double seconds) {
  if (report.seconds.empty() || report.runs.empty()) return "No completion has finished yet.";
  const auto budget = [&report](std::size_t i) {
    return fmt::format("With {} per problem", seconds_text(report.seconds[i]));
  };
  const auto range_words = [&report](std::size_t a, std::size_t b) {
    return fmt::format("from {} to {}", seconds_text(report.seconds[a]), seconds_text(report.seconds[b]));
  };
  std::string text = sentence(report, nearest_below(report.seconds, seconds),
                              {&RunCoverage::coverage_t, &PairedDifference::t, budget, range_words});
  if (std::any_of(report.runs.begin(), report.runs.end(),
                  [](const RunCoverage& run) { return run.shared_device; }))
    text += " The models shared the device, so these seconds are no measurement.";
  return text;
}

}  // namespace tandem
