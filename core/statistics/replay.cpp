// Coverage at t seconds for orders that were not run: the schedule is replayed from lengths and measured step
// times (test_time_compute.md sections 3.2 and 3.3).
#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <numeric>

#include <fmt/format.h>

#include "core/statistics/coverage.h"
#include "core/statistics/draw.h"

namespace tandem {
namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();

/// Running sums of step times over whole contexts, one row per occupancy, grown as contexts are met: a
/// stretch of steps without a finish costs two look-ups however long it is. Between whole contexts it
/// interpolates.
class StretchTimes {
 public:
  StretchTimes(const StepTimes& times, std::int64_t prompt_tokens, std::size_t most_occupied)
      : times_(times), prompt_tokens_(prompt_tokens), rows_(most_occupied + 1) {}

  /// Seconds of `steps` steps at this occupancy. The occupied slots have generated `generated` tokens each,
  /// on average, before the first step; every step adds one.
  double seconds(std::int64_t occupied, double generated, std::int64_t steps) {
    const auto whole = static_cast<std::int64_t>(generated);
    const double fraction = generated - static_cast<double>(whole);
    const double seconds = whole_contexts(occupied, whole, steps);
    if (fraction == 0) return seconds;
    return (1 - fraction) * seconds + fraction * whole_contexts(occupied, whole + 1, steps);
  }

 private:
  double whole_contexts(std::int64_t occupied, std::int64_t generated, std::int64_t steps) {
    std::vector<double>& sums = rows_[static_cast<std::size_t>(occupied)];
    if (sums.empty()) sums.push_back(0);
    while (static_cast<std::int64_t>(sums.size()) <= generated + steps) {
      const auto context = static_cast<double>(prompt_tokens_) + static_cast<double>(sums.size() - 1);
      sums.push_back(sums.back() + times_.at(static_cast<int>(occupied), context));
    }
    return sums[static_cast<std::size_t>(generated + steps)] - sums[static_cast<std::size_t>(generated)];
  }

  const StepTimes& times_;
  std::int64_t prompt_tokens_;
  std::vector<std::vector<double>> rows_;  // [occupancy][i] = seconds of the first i steps after the prompt
};

/// Replays one order after another of the same completions. Confined to one thread.
class Replay {
 public:
  Replay(std::span<const TimedOutcome> outcomes, std::int64_t slots, std::int64_t prompt_tokens,
         const StepTimes& times)
      : outcomes_(outcomes), slots_(slots), stretches_(times, prompt_tokens, outcomes.size()) {
    TANDEM_CHECK(slots >= 1 && !times.empty(), fmt::format("replay: {} slots, or no step times", slots));
  }

  /// Sets finish_s[i] of every completion that finishes; the others keep what they have.
  void run(std::span<const std::int32_t> order, std::span<double> finish_s) {
    running_.clear();
    std::int64_t step = 0;
    std::int64_t occupied = 0;
    std::int64_t start_sum = 0;  // of the start steps of the occupied slots
    double clock_s = 0;
    auto waiting = order.begin();
    while (true) {
      for (; occupied < slots_ && waiting != order.end(); ++waiting, ++occupied) {
        start_sum += step;
        const TimedOutcome& outcome = outcomes_[static_cast<std::size_t>(*waiting)];
        if (outcome.cut) continue;  // holds its slot and never finishes
        running_.push_back({step + std::max<std::int64_t>(outcome.tokens, 1), step, *waiting});
        std::push_heap(running_.begin(), running_.end(), ends_later);
      }
      if (running_.empty()) return;
      const std::int64_t end = running_.front().end;
      const double generated =
          static_cast<double>(step) - static_cast<double>(start_sum) / static_cast<double>(occupied);
      clock_s += stretches_.seconds(occupied, generated, end - step);
      step = end;
      while (!running_.empty() && running_.front().end == end) {
        std::pop_heap(running_.begin(), running_.end(), ends_later);
        finish_s[static_cast<std::size_t>(running_.back().completion)] = clock_s;
        start_sum -= running_.back().start;
        --occupied;
        running_.pop_back();
      }
    }
  }

 private:
  struct Running {
    std::int64_t end;  // steps on the run's clock
    std::int64_t start;
    std::int32_t completion;
  };
  static bool ends_later(const Running& a, const Running& b) { return a.end > b.end; }

  std::span<const TimedOutcome> outcomes_;
  std::int64_t slots_;
  StretchTimes stretches_;
  std::vector<Running> running_;  // heap, next to end in front
};

}  // namespace

void StepTimes::add(int occupied, double mean_context, double step_s) {
  Knot& knot = knots_[occupied][static_cast<std::int64_t>(std::floor(mean_context))];
  knot.context_sum += mean_context;
  knot.step_sum_s += step_s;
  ++knot.samples;
}

double StepTimes::at(int occupied, double mean_context) const {
  TANDEM_CHECK(!empty(), "step times: no samples");
  const auto above = knots_.lower_bound(occupied);
  if (above == knots_.end()) return at_context(std::prev(above)->second, mean_context);
  if (above->first == occupied || above == knots_.begin()) return at_context(above->second, mean_context);
  const auto below = std::prev(above);
  const double fraction =
      static_cast<double>(occupied - below->first) / static_cast<double>(above->first - below->first);
  return std::lerp(at_context(below->second, mean_context), at_context(above->second, mean_context),
                   fraction);
}

double StepTimes::at_context(const Knots& knots, double context) {
  const auto starts_after = knots.upper_bound(static_cast<std::int64_t>(std::floor(context)));
  auto right = starts_after;  // the first knot at or after the context; the one before may be it
  if (right != knots.begin() && std::prev(right)->second.context() >= context) --right;
  if (right == knots.end()) return std::prev(right)->second.step_s();
  if (right == knots.begin()) return right->second.step_s();
  const Knot& a = std::prev(right)->second;
  const Knot& b = right->second;
  return std::lerp(a.step_s(), b.step_s(), (context - a.context()) / (b.context() - a.context()));
}

std::vector<double> replay_finish_times(std::span<const TimedOutcome> outcomes,
                                        std::span<const std::int32_t> order, std::int64_t slots,
                                        std::int64_t prompt_tokens, const StepTimes& times) {
  std::vector<double> finish_s(outcomes.size(), kNever);
  Replay(outcomes, slots, prompt_tokens, times).run(order, finish_s);
  return finish_s;
}

std::vector<double> resampled_coverage(std::span<const TimedOutcome> outcomes, std::int64_t slots,
                                       std::int64_t prompt_tokens, const StepTimes& times,
                                       std::span<const double> seconds, std::uint64_t seed, int draws) {
  TANDEM_CHECK(draws >= 1, fmt::format("resampled coverage: {} draws", draws));
  const auto n = static_cast<std::int64_t>(outcomes.size());
  if (n <= slots) draws = 1;  // all start together: the order changes nothing
  Replay replay(outcomes, slots, prompt_tokens, times);
  std::vector<std::int32_t> order(outcomes.size());
  std::iota(order.begin(), order.end(), 0);
  std::vector<double> finish_s(outcomes.size(), kNever);
  std::vector<double> first_right(static_cast<std::size_t>(draws), kNever);
  std::mt19937_64 generator(seed);
  for (double& first : first_right) {
    draw_subset(generator, std::span(order), n);
    std::fill(finish_s.begin(), finish_s.end(), kNever);
    replay.run(order, finish_s);
    for (std::size_t i = 0; i < outcomes.size(); ++i)
      if (outcomes[i].correct) first = std::min(first, finish_s[i]);
  }
  std::sort(first_right.begin(), first_right.end());
  std::vector<double> coverage;
  coverage.reserve(seconds.size());
  for (const double t_s : seconds) {
    const auto covered = std::upper_bound(first_right.begin(), first_right.end(), t_s) - first_right.begin();
    coverage.push_back(static_cast<double>(covered) / draws);
  }
  return coverage;
}

}  // namespace tandem
