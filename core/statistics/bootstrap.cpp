// Intervals: bootstrap over problems and Wilson's for a single count.
#include <algorithm>
#include <cmath>
#include <functional>

#include <fmt/format.h>

#include "core/statistics/coverage.h"
#include "core/statistics/draw.h"

namespace tandem {
namespace {

constexpr std::int64_t kFewestProblems = 10;  // for a band to mean something
constexpr double kTail = 0.025;               // on each side of a 95 % interval

double mean_in_order(std::span<const double> values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return values.empty() ? 0 : sum / static_cast<double>(values.size());
}

/// Percentile q in [0, 1]: linear between the order statistics around (size - 1) q. Reorders the values.
double percentile(std::span<double> values, double q) {
  const double position = static_cast<double>(values.size() - 1) * q;
  const auto below = values.begin() + static_cast<std::ptrdiff_t>(position);
  std::nth_element(values.begin(), below, values.end());
  const double fraction = position - std::floor(position);
  if (fraction == 0) return *below;
  return *below + fraction * (*std::min_element(below + 1, values.end()) - *below);
}

/// Where all P values are equal, resampling them has no width. The exact bound: with 97.5 % confidence no
/// more than 1 - 0.025^(1/P) of all problems like these differ, and those that do may lie anywhere in the
/// range.
Interval exact_bound(double value, std::int64_t problems, Interval range) {
  const double others = 1 - std::pow(kTail, 1 / static_cast<double>(problems));
  return {value - others * (value - range.low), value + others * (range.high - value)};
}

}  // namespace

Bootstrap::Bootstrap(std::int64_t problems, std::uint64_t seed, int draws)
    : problems_(problems), draws_(draws) {
  TANDEM_CHECK(problems >= 0 && draws >= 1, fmt::format("bootstrap: {} problems, {} draws", problems, draws));
  indices_.resize(static_cast<std::size_t>(problems * draws));
  std::mt19937_64 generator(seed);
  for (std::int64_t draw = 0; draw < draws; ++draw)
    for (std::int64_t i = 0; i < problems; ++i)
      indices_[static_cast<std::size_t>(i * draws + draw)] =
          static_cast<std::int32_t>(draw_index(generator, problems));
}

Estimate Bootstrap::estimate(std::span<const double> values) const {
  return interval_of(values, {0, 1});
}

Estimate Bootstrap::paired(std::span<const double> a, std::span<const double> b) const {
  TANDEM_CHECK(a.size() == b.size(), fmt::format("bootstrap: {} values against {}", a.size(), b.size()));
  std::vector<double> differences(a.size());
  std::transform(a.begin(), a.end(), b.begin(), differences.begin(), std::minus<>());
  return interval_of(differences, {-1, 1});
}

Estimate Bootstrap::interval_of(std::span<const double> values, Interval range) const {
  TANDEM_CHECK(static_cast<std::int64_t>(values.size()) == problems_,
               fmt::format("bootstrap: {} values for {} problems", values.size(), problems_));
  Estimate result;
  result.problems = problems_;
  result.mean = mean_in_order(values);
  result.has_band = problems_ >= kFewestProblems;
  if (!result.has_band) return result;
  if (std::all_of(values.begin(), values.end(), [&](double value) { return value == values.front(); })) {
    result.band = exact_bound(values.front(), problems_, range);
    return result;
  }
  // All draws advance together, problem by problem: their sums do not wait for one another.
  std::vector<double> means(static_cast<std::size_t>(draws_), 0.0);
  const std::int32_t* index = indices_.data();
  for (std::int64_t i = 0; i < problems_; ++i)
    for (double& mean : means) mean += values[static_cast<std::size_t>(*index++)];
  for (double& mean : means) mean /= static_cast<double>(problems_);
  result.band = {percentile(means, kTail), percentile(means, 1 - kTail)};
  return result;
}

Interval wilson(std::int64_t c, std::int64_t n) {
  TANDEM_CHECK(c >= 0 && c <= n, fmt::format("wilson: {} of {}", c, n));
  if (n == 0) return {0, 1};
  constexpr double kZ = 1.959963984540054;  // 97.5 % quantile of the normal distribution
  const auto count = static_cast<double>(n);
  const double share = static_cast<double>(c) / count;
  const double scale = 1 + kZ * kZ / count;
  const double centre = (share + kZ * kZ / (2 * count)) / scale;
  const double half = kZ / scale * std::sqrt(share * (1 - share) / count + kZ * kZ / (4 * count * count));
  return {c == 0 ? 0 : centre - half, c == n ? 1 : centre + half};
}

}  // namespace tandem
