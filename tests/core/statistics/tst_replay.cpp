// Replayed schedules and resampled coverage against the orders enumerated by hand.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include <QElapsedTimer>
#include <QTest>

#include "core/statistics/coverage.h"

using namespace tandem;

namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();

std::vector<TimedOutcome> of_lengths(const std::vector<std::int64_t>& lengths) {
  std::vector<TimedOutcome> outcomes;
  for (const std::int64_t tokens : lengths) outcomes.push_back({0, tokens, false, false});
  return outcomes;
}

std::vector<std::int32_t> in_order(std::size_t count) {
  std::vector<std::int32_t> order(count);
  std::iota(order.begin(), order.end(), 0);
  return order;
}

StepTimes constant_steps() {
  StepTimes times;
  times.add(1, 0, 1);
  return times;
}

}  // namespace

class TestReplay : public QObject {
  Q_OBJECT
 private slots:
  void refills_slots_in_order() {
    const auto outcomes = of_lengths({3, 1, 2, 4});
    QCOMPARE(replay_finish_times(outcomes, in_order(4), 2, 0, constant_steps()),
             (std::vector<double>{3, 1, 3, 7}));
  }

  void step_time_depends_on_occupancy() {
    StepTimes times;
    times.add(1, 0, 1);
    times.add(2, 0, 1.5);
    QCOMPARE(replay_finish_times(of_lengths({2, 3, 2}), in_order(3), 2, 0, times),
             (std::vector<double>{3, 4.5, 5.5}));
  }

  void step_time_depends_on_mean_context() {
    StepTimes times;  // one step costs its context in seconds
    times.add(1, 0, 0);
    times.add(1, 100, 100);
    times.add(2, 0, 0);
    times.add(2, 100, 100);
    // Prompt 10. Steps at mean contexts 10, 11 (both), then one ends and the third starts: (12 + 10) / 2 =
    // 11, then 12 and, for the third alone, (10 + 2) = 12.
    QCOMPARE(replay_finish_times(of_lengths({2, 4, 3}), in_order(3), 2, 10, times),
             (std::vector<double>{21, 44, 56}));
    // One slot starts late: contexts 10 and 11 together make a mean of 10.5.
    QCOMPARE(replay_finish_times(of_lengths({1, 2, 2}), in_order(3), 2, 10, times),
             (std::vector<double>{10, 20.5, 31.5}));
  }

  void refill_matches_all_orders() {
    auto outcomes = of_lengths({3, 1, 2, 4});
    outcomes[2].correct = true;
    const std::vector<double> covered = {0, 1.0 / 2, 2.0 / 3, 2.0 / 3, 5.0 / 6, 1};
    const std::vector<double> finished = {1.0 / 2, 1, 11.0 / 6, 8.0 / 3, 10.0 / 3, 23.0 / 6, 4};
    std::vector<double> covered_sum(7, 0);
    std::vector<double> finished_sum(7, 0);
    auto order = in_order(4);
    int orders = 0;
    do {
      ++orders;
      const auto finish_s = replay_finish_times(outcomes, order, 2, 0, constant_steps());
      for (std::size_t t = 1; t <= 7; ++t) {
        covered_sum[t - 1] += finish_s[2] <= static_cast<double>(t) ? 1 : 0;
        finished_sum[t - 1] += static_cast<double>(std::count_if(
            finish_s.begin(), finish_s.end(), [t](double f) { return f <= static_cast<double>(t); }));
      }
    } while (std::next_permutation(order.begin(), order.end()));
    QCOMPARE(orders, 24);
    for (std::size_t t = 0; t < covered.size(); ++t) QCOMPARE(covered_sum[t] / orders, covered[t]);
    for (std::size_t t = 0; t < finished.size(); ++t) QCOMPARE(finished_sum[t] / orders, finished[t]);
    const std::vector<double> seconds = {1, 2, 3, 4, 5, 6};
    const auto resampled = resampled_coverage(outcomes, 2, 0, constant_steps(), seconds, 5, 20000);
    for (std::size_t t = 0; t < covered.size(); ++t) QVERIFY(std::abs(resampled[t] - covered[t]) < 0.015);
  }

  void cut_completions_hold_their_slot() {
    auto outcomes = of_lengths({2, 1, 1, 1});
    outcomes[1].cut = true;
    QCOMPARE(replay_finish_times(outcomes, in_order(4), 2, 0, constant_steps()),
             (std::vector<double>{2, kNever, 3, 4}));
    outcomes[0].cut = true;  // both slots held: nothing else starts
    QCOMPARE(replay_finish_times(outcomes, in_order(4), 2, 0, constant_steps()),
             (std::vector<double>(4, kNever)));
  }

  void with_a_slot_for_each_there_is_no_order() {
    auto outcomes = of_lengths({3, 5, 2});
    outcomes[1].correct = true;
    const std::vector<double> seconds = {4.9, 5};
    QCOMPARE(resampled_coverage(outcomes, 3, 0, constant_steps(), seconds, 1), (std::vector<double>{0, 1}));
  }

  void step_times_interpolate() {
    StepTimes times;
    QVERIFY(times.empty());
    times.add(4, 10, 1);
    times.add(4, 20, 2);
    times.add(8, 10, 3);
    times.add(8, 10.5, 5);  // the same whole context: averaged at 10.25
    QCOMPARE(times.at(4, 10), 1.0);
    QCOMPARE(times.at(4, 15), 1.5);
    QCOMPARE(times.at(4, 5), 1.0);
    QCOMPARE(times.at(4, 50), 2.0);
    QCOMPARE(times.at(8, 10), 4.0);
    QCOMPARE(times.at(6, 10), 2.5);  // half way between occupancies
    QCOMPARE(times.at(1, 10), 1.0);  // nearest
    QCOMPARE(times.at(99, 10), 4.0);
  }

  void resampling_is_fast_enough() {
    std::vector<TimedOutcome> outcomes;
    for (int i = 0; i < 64; ++i) outcomes.push_back({0, 40 + i * 29 % 60, i % 5 == 0, false});
    StepTimes times;
    for (int occupied = 1; occupied <= 16; ++occupied)
      for (int context = 60; context < 160; ++context)
        times.add(occupied, context, 1e-3 * (1 + 0.1 * occupied) + 1e-6 * context);
    std::vector<double> seconds;
    for (int i = 1; i <= 60; ++i) seconds.push_back(0.01 * i);
    QElapsedTimer timer;
    timer.start();
    double sum = 0;
    for (std::uint64_t problem = 0; problem < 200; ++problem)
      sum += resampled_coverage(outcomes, 16, 60, times, seconds, problem)[30];
    qInfo("200 problems x 64 completions x 200 orders: %lld ms (%g)", timer.elapsed(), sum);
    QVERIFY(timer.elapsed() < 5000);  // over 10 times what it takes on an idle core
  }
};

QTEST_GUILESS_MAIN(TestReplay)
#include "tst_replay.moc"
