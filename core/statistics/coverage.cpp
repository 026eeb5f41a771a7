// Closed forms: pass@k, coverage at t seconds of one batch and of waves, and the power law in k.
#include "core/statistics/coverage.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

namespace tandem {
namespace {

/// C(n - c, k) / C(n, k): the chance that k of n, drawn without replacement, hold none of the c. 0 <= c <= n,
/// 0 <= k <= n. A product of min(c, k) factors in [0, 1], so nothing overflows.
double miss_chance(std::int64_t n, std::int64_t c, std::int64_t k) {
  if (n - c < k) return 0;
  const auto [few, many] = std::minmax(c, k);
  double miss = 1;
  for (std::int64_t i = 0; i < few; ++i)
    miss *= static_cast<double>(n - many - i) / static_cast<double>(n - i);
  return miss;
}

std::int64_t count_right_by(std::span<const TimedOutcome> outcomes, double t_s) {
  return std::count_if(outcomes.begin(), outcomes.end(), [t_s](const TimedOutcome& outcome) {
    return outcome.correct && !outcome.cut && outcome.finish_s <= t_s;
  });
}

}  // namespace

Result<double> pass_at_k(std::int64_t n, std::int64_t c, std::int64_t k) {
  if (c < 0 || c > n)
    return Error{ErrorCode::InvalidArgument,
                 fmt::format("pass@k: {} right of {} completions; it must be between 0 and {}", c, n, n)};
  if (k < 1 || k > n)
    return Error{ErrorCode::InvalidArgument,
                 fmt::format("pass@k: k is {} with {} completions; it must be between 1 and {}", k, n, n)};
  return 1 - miss_chance(n, c, k);
}

double covered_at(std::span<const TimedOutcome> outcomes, double t_s) {
  return count_right_by(outcomes, t_s) > 0 ? 1 : 0;
}

Result<double> one_batch_coverage(std::span<const TimedOutcome> outcomes, std::int64_t k, double t_s) {
  return pass_at_k(static_cast<std::int64_t>(outcomes.size()), count_right_by(outcomes, t_s), k);
}

Result<double> waves_coverage(std::span<const TimedOutcome> outcomes, std::int64_t slots, double wave_s,
                              double t_s) {
  if (slots < 1 || !(wave_s > 0))
    return Error{
        ErrorCode::InvalidArgument,
        fmt::format("coverage by waves: {} slots and waves of {} s; both must be positive", slots, wave_s)};
  if (!(t_s >= 0)) return 0.0;
  const auto n = static_cast<std::int64_t>(outcomes.size());
  const double full_waves = std::floor(t_s / wave_s);
  const double started = std::min(static_cast<double>(n), full_waves * static_cast<double>(slots));
  const auto ended = static_cast<std::int64_t>(started);
  const std::int64_t running = std::min(slots, n - ended);
  const std::int64_t right = count_right_by(outcomes, std::numeric_limits<double>::infinity());
  const std::int64_t right_in_wave = count_right_by(outcomes, t_s - full_waves * wave_s);
  const double missed_before = miss_chance(n, right, ended);
  // Where no right one ended, all of them are among the n - ended left, so right_in_wave <= n - ended.
  return missed_before == 0 ? 1.0 : 1 - missed_before * miss_chance(n - ended, right_in_wave, running);
}

Result<PowerLaw> fit_power_law(std::span<const double> k, std::span<const double> coverage) {
  TANDEM_CHECK(k.size() == coverage.size(),
               fmt::format("power law: {} k values, {} coverage values", k.size(), coverage.size()));
  std::vector<double> x;
  std::vector<double> y;
  PowerLaw law;
  for (std::size_t i = 0; i < k.size(); ++i) {
    if (!(k[i] > 0) || !(coverage[i] > 0 && coverage[i] < 1)) continue;
    law.k_min = x.empty() ? k[i] : std::min(law.k_min, k[i]);
    law.k_max = x.empty() ? k[i] : std::max(law.k_max, k[i]);
    x.push_back(std::log(k[i]));
    y.push_back(std::log(-std::log(coverage[i])));
  }
  if (x.size() < 3 || law.k_min == law.k_max)
    return Error{
        ErrorCode::InvalidArgument,
        fmt::format("power law: {} points have a coverage between 0 and 1; at least 3 are needed", x.size())};
  const auto count = static_cast<double>(x.size());
  double mean_x = 0;
  double mean_y = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    mean_x += x[i] / count;
    mean_y += y[i] / count;
  }
  double xx = 0;
  double xy = 0;
  double yy = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    xx += (x[i] - mean_x) * (x[i] - mean_x);
    xy += (x[i] - mean_x) * (y[i] - mean_y);
    yy += (y[i] - mean_y) * (y[i] - mean_y);
  }
  law.b = xy / xx;
  law.a = -std::exp(mean_y - law.b * mean_x);
  law.r_squared = yy > 0 ? xy * xy / (xx * yy) : 1;  // a flat curve is fitted exactly
  return law;
}

}  // namespace tandem
