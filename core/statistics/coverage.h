// Coverage at k and at t seconds, with intervals over problems. Formulas: test_time_compute.md sections 2
// and 3.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "core/base/result.h"

namespace tandem {

/// Unbiased pass@k of one problem: chance that k of n completions, c of them right, drawn without
/// replacement, hold a right one. (Chen et al. 2021.) Errors: InvalidArgument when k < 1, c < 0, c > n or k >
/// n.
Result<double> pass_at_k(std::int64_t n, std::int64_t c, std::int64_t k);

/// How one completion of a problem ended, as the time statistics need it.
struct TimedOutcome {
  double finish_s = 0;  // from the first decode step
  std::int64_t tokens = 0;
  bool correct = false;
  bool cut = false;  // by budget or cancel: spends time, never finishes
};

struct Interval {
  double low = 0;
  double high = 0;
};
struct Estimate {
  double mean = 0;
  Interval band;          // 95 %, bootstrap over problems, or the exact bound when all values are equal
  bool has_band = false;  // false with fewer than 10 problems
  std::int64_t problems = 0;
};

/// Index lists drawn once (64-bit Mersenne Twister, u = (x >> 11) * 2^-53) and used for every k, every t and
/// both models.
class Bootstrap {
 public:
  Bootstrap(std::int64_t problems, std::uint64_t seed, int draws = 2000);
  /// Mean of per-problem values in [0, 1] with its percentile interval; values.size() == problems.
  Estimate estimate(std::span<const double> values) const;
  /// The same for differences a - b, paired by problem. "Leads" may be said only where the band excludes 0.
  Estimate paired(std::span<const double> a, std::span<const double> b) const;

 private:
  Estimate interval_of(std::span<const double> values, Interval range) const;

  std::int64_t problems_;
  int draws_;
  std::vector<std::int32_t> indices_;  // [problems, draws]
};

/// Wilson 95 % interval of c right out of n.
Interval wilson(std::int64_t c, std::int64_t n);

/// Measured order (3.2, 1): 1 if some right completion finished by t, else 0.
double covered_at(std::span<const TimedOutcome> outcomes, double t_s);

/// One batch of k started together, drawn from n (3.2, 3): 1 - C(n - r(t), k) / C(n, k). Label "modelled".
Result<double> one_batch_coverage(std::span<const TimedOutcome> outcomes, std::int64_t k, double t_s);

/// Waves of b slots, each wave lasting wave_s (3.2, 3). Label "modelled".
Result<double> waves_coverage(std::span<const TimedOutcome> outcomes, std::int64_t slots, double wave_s,
                              double t_s);

/// Duration of one step at an occupancy and mean context: piecewise linear in context through a run's own
/// samples (3.3), those of the same whole context averaged; constant beyond the first and the last.
class StepTimes {
 public:
  void add(int occupied, double mean_context, double step_s);
  bool empty() const { return knots_.empty(); }
  /// Occupancies without samples are interpolated linearly in occupancy; beyond the sampled ones the nearest
  /// is used. Must not be empty.
  double at(int occupied, double mean_context) const;

 private:
  struct Knot {
    double context_sum = 0;
    double step_sum_s = 0;
    std::int64_t samples = 0;
    double context() const { return context_sum / static_cast<double>(samples); }
    double step_s() const { return step_sum_s / static_cast<double>(samples); }
  };
  using Knots = std::map<std::int64_t, Knot>;  // by whole context
  static double at_context(const Knots& knots, double context);
  std::map<int, Knots> knots_;  // by occupancy
};

/// Replays the schedule (3.3): finish times when completions of these lengths (tokens) start in this order on
/// `slots` slots. prompt_tokens is added to each context; `times` must not be empty. Indexed like `outcomes`;
/// those cut and those that never start get infinity.
std::vector<double> replay_finish_times(std::span<const TimedOutcome> outcomes,
                                        std::span<const std::int32_t> order, std::int64_t slots,
                                        std::int64_t prompt_tokens, const StepTimes& times);

/// Resampled orders (3.2, 2): chance that a right completion has finished by each t, over `draws` seeded
/// orders.
std::vector<double> resampled_coverage(std::span<const TimedOutcome> outcomes, std::int64_t slots,
                                       std::int64_t prompt_tokens, const StepTimes& times,
                                       std::span<const double> seconds, std::uint64_t seed, int draws = 200);

/// Least-squares fit of log(-log c) on log k over the k with 0 < c < 1: c(k) = exp(a k^b). Errors: fewer than
/// 3 usable points.
struct PowerLaw {
  double a = 0;
  double b = 0;
  double r_squared = 0;
  double k_min = 0;
  double k_max = 0;
};
Result<PowerLaw> fit_power_law(std::span<const double> k, std::span<const double> coverage);

}  // namespace tandem
