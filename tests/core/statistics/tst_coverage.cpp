// Coverage at k and at t, intervals and the power law, against values worked by enumeration in exact
// fractions.
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include <QElapsedTimer>
#include <QTest>

#include "core/statistics/coverage.h"

using namespace tandem;

namespace {

bool near(double a, double b, double tolerance = 1e-12) {
  return std::abs(a - b) <= tolerance;
}

#define QNEAR(actual, expected, tolerance)    \
  QVERIFY2(near(actual, expected, tolerance), \
           qPrintable(QStringLiteral("%1, expected %2").arg(actual, 0, 'g', 17).arg(expected, 0, 'g', 17)))

TimedOutcome right(double finish_s) {
  return {finish_s, 1, true, false};
}
TimedOutcome wrong(double finish_s) {
  return {finish_s, 1, false, false};
}

}  // namespace

class TestCoverage : public QObject {
  Q_OBJECT
 private slots:
  void pass_at_k_matches_exact_fractions_data() {
    QTest::addColumn<qint64>("n");
    QTest::addColumn<qint64>("c");
    QTest::addColumn<qint64>("k");
    QTest::addColumn<double>("expected");
    const auto add = [](qint64 n, qint64 c, qint64 k, double expected) {
      QTest::addRow("n %lld c %lld k %lld", n, c, k) << n << c << k << expected;
    };
    add(10, 3, 1, 3.0 / 10);
    add(10, 3, 2, 8.0 / 15);
    add(10, 3, 5, 11.0 / 12);
    add(10, 3, 7, 119.0 / 120);
    add(10, 3, 8, 1);
    add(10, 3, 10, 1);
    for (int k = 1; k <= 4; ++k) add(4, 1, k, k / 4.0);
    add(64, 5, 1, 5.0 / 64);
    add(64, 5, 2, 305.0 / 2016);
    add(64, 5, 4, 12875.0 / 45384);
    add(64, 5, 8, 7549.0 / 15128);
    add(64, 5, 16, 41057.0 / 52948);
    add(64, 5, 32, 1069.0 / 1098);
    add(64, 5, 59, 7624511.0 / 7624512);
    add(64, 5, 60, 1);
    add(10000, 1, 100, 0.01);
    add(10000, 7, 1000, 0.5218147406528013);
    add(12, 0, 12, 0);
    add(12, 12, 1, 1);
  }
  void pass_at_k_matches_exact_fractions() {
    QFETCH(qint64, n);
    QFETCH(qint64, c);
    QFETCH(qint64, k);
    QFETCH(double, expected);
    QNEAR(pass_at_k(n, c, k).value(), expected, 1e-14);
  }

  void pass_at_k_agrees_with_its_other_form() {
    std::mt19937_64 generator(1);
    for (int i = 0; i < 3000; ++i) {
      const auto n = static_cast<std::int64_t>(1 + generator() % 2000);
      const auto c = static_cast<std::int64_t>(generator() % static_cast<std::uint64_t>(n + 1));
      const auto k = static_cast<std::int64_t>(1 + generator() % static_cast<std::uint64_t>(n));
      long double miss = n - c < k ? 0 : 1;
      if (miss > 0)
        for (std::int64_t j = n - c + 1; j <= n; ++j)
          miss *= 1 - static_cast<long double>(k) / static_cast<long double>(j);
      QNEAR(pass_at_k(n, c, k).value(), static_cast<double>(1 - miss), 1e-14);
    }
  }

  void pass_at_k_refuses_what_is_undefined() {
    for (const auto& [n, c, k] : {std::array{4, 1, 5}, {4, 1, 0}, {4, -1, 1}, {4, 5, 1}, {0, 0, 1}}) {
      const auto result = pass_at_k(n, c, k);
      QVERIFY(!result.ok());
      QCOMPARE(result.error().code, ErrorCode::InvalidArgument);
    }
    QVERIFY(pass_at_k(4, 1, 5).error().message.find("k is 5 with 4 completions") != std::string::npos);
  }

  void coverage_is_the_mean_over_problems() {
    const std::vector<std::pair<int, double>> expected = {
        {1, 5.0 / 12}, {2, 41.0 / 84}, {4, 25.0 / 42}, {8, 2.0 / 3}};
    const Bootstrap bootstrap(3, 0);
    for (const auto& [k, coverage] : expected) {
      const std::vector<double> values = {*pass_at_k(8, 0, k), *pass_at_k(8, 2, k), *pass_at_k(8, 8, k)};
      const Estimate estimate = bootstrap.estimate(values);
      QNEAR(estimate.mean, coverage, 1e-14);
      QVERIFY(!estimate.has_band);  // too few problems
      QCOMPARE(estimate.problems, 3);
    }
  }

  void estimate_is_unbiased_with_the_known_variance() {
    struct Row {
      int n, k;
      double p, mean, variance;
    };
    for (const Row& row : {Row{4, 2, 0.5, 3.0 / 4, 7.0 / 96}, Row{10, 5, 0.3, 0.83193, 0.043762846925}}) {
      double mean = 0;
      double square = 0;
      double chance = std::pow(1 - row.p, row.n);  // of c = 0
      for (int c = 0; c <= row.n; ++c) {
        const double value = *pass_at_k(row.n, c, row.k);
        mean += chance * value;
        square += chance * value * value;
        chance *= row.p / (1 - row.p) * (row.n - c) / (c + 1);
      }
      QNEAR(mean, row.mean, 1e-12);
      QNEAR(square - mean * mean, row.variance, 1e-12);
    }
  }

  void bootstrap_follows_its_stated_draws() {
    constexpr int kProblems = 11;
    constexpr int kDraws = 101;
    std::vector<double> values;
    for (int i = 0; i < kProblems; ++i) values.push_back(i * i / 100.0);
    std::mt19937_64 generator(42);
    std::vector<double> means;
    for (int draw = 0; draw < kDraws; ++draw) {
      double sum = 0;
      for (int i = 0; i < kProblems; ++i)
        sum += values[static_cast<std::size_t>(static_cast<double>(generator() >> 11) * 0x1p-53 * kProblems)];
      means.push_back(sum / kProblems);
    }
    std::sort(means.begin(), means.end());
    const Estimate estimate = Bootstrap(kProblems, 42, kDraws).estimate(values);
    QVERIFY(estimate.has_band);
    QNEAR(estimate.mean, 3.85 / kProblems, 1e-15);
    QNEAR(estimate.band.low, (means[2] + means[3]) / 2, 1e-15);     // h = 100 * 0.025 = 2.5
    QNEAR(estimate.band.high, (means[97] + means[98]) / 2, 1e-15);  // h = 97.5
  }

  void bootstrap_means_have_the_enumerated_spread() {
    // All 27 draws of 0, 1/2, 1 have mean 1/2 and variance 1/18. Ten copies of each value: 1/180.
    std::vector<double> values;
    for (int i = 0; i < 30; ++i) values.push_back(i % 3 / 2.0);
    const Estimate estimate = Bootstrap(30, 7, 20000).estimate(values);
    const double half_width = 1.96 * std::sqrt(1.0 / 180);
    QNEAR(estimate.band.low, 0.5 - half_width, 0.01);
    QNEAR(estimate.band.high, 0.5 + half_width, 0.01);
  }

  void equal_values_get_the_exact_bound() {
    const Bootstrap bootstrap(100, 0);
    const Estimate all = bootstrap.estimate(std::vector<double>(100, 1.0));
    QNEAR(all.band.low, 0.964, 5e-4);
    QCOMPARE(all.band.high, 1.0);
    const Estimate none = bootstrap.estimate(std::vector<double>(100, 0.0));
    QCOMPARE(none.band.low, 0.0);
    QNEAR(none.band.high, 1 - std::pow(0.025, 0.01), 1e-15);
    const Estimate same = bootstrap.paired(std::vector<double>(100, 0.5), std::vector<double>(100, 0.5));
    QVERIFY(same.band.low < 0 && same.band.high > 0);  // no lead is claimed from it
  }

  void paired_differences_share_their_draws() {
    const Estimate four =
        Bootstrap(4, 0).paired(std::vector<double>{1, 0.5, 0, 1}, std::vector<double>{0.5, 0.5, 0, 0.25});
    QNEAR(four.mean, 5.0 / 16, 1e-15);
    // Many copies of the four problems: the band's half width approaches 1.96 standard deviations of a mean.
    constexpr int kCopies = 100;
    std::vector<double> student;
    std::vector<double> teacher;
    for (int i = 0; i < kCopies; ++i) {
      student.insert(student.end(), {1, 0.5, 0, 1});
      teacher.insert(teacher.end(), {0.5, 0.5, 0, 0.25});
    }
    const Estimate estimate = Bootstrap(4 * kCopies, 3).paired(student, teacher);
    // Squared standard error 9/256 with divisor 3 at 4 problems is a population variance of 27/256.
    const double half_width = 1.96 * std::sqrt(27.0 / 256 / (4 * kCopies));
    QNEAR((estimate.band.high - estimate.band.low) / 2, half_width, 0.1 * half_width);
  }

  void wilson_matches_known_intervals() {
    QNEAR(wilson(5, 64).low, 0.033831, 5e-7);
    QNEAR(wilson(5, 64).high, 0.170195, 5e-7);
    QCOMPARE(wilson(0, 64).low, 0.0);
    QNEAR(wilson(0, 64).high, 0.056624, 5e-7);
    QNEAR(wilson(64, 64).low, 0.943376, 5e-7);
    QCOMPARE(wilson(64, 64).high, 1.0);
    QCOMPARE(wilson(0, 0).high, 1.0);
  }

  void measured_order_counts_right_and_finished() {
    std::vector<TimedOutcome> outcomes = {wrong(1), right(3), right(2)};
    outcomes.push_back({0.5, 1, true, true});  // cut: never finished
    QCOMPARE(covered_at(outcomes, 1.9), 0.0);
    QCOMPARE(covered_at(outcomes, 2), 1.0);
    QCOMPARE(covered_at({}, 2), 0.0);
  }

  void one_batch_matches_exact_fractions() {
    const std::vector<TimedOutcome> outcomes = {right(5), right(7), right(9), wrong(1),
                                                wrong(2), wrong(3), wrong(4), wrong(8)};
    QNEAR(*one_batch_coverage(outcomes, 4, 4), 0.0, 1e-15);
    QNEAR(*one_batch_coverage(outcomes, 4, 5), 1.0 / 2, 1e-15);
    QNEAR(*one_batch_coverage(outcomes, 4, 7), 11.0 / 14, 1e-15);
    QNEAR(*one_batch_coverage(outcomes, 4, 9), 13.0 / 14, 1e-15);
    QVERIFY(!one_batch_coverage(outcomes, 9, 1).ok());
  }

  void waves_match_exact_fractions() {
    const std::vector<TimedOutcome> outcomes = {right(4), right(9), wrong(3), wrong(6), wrong(10), wrong(10)};
    const std::vector<std::pair<double, double>> expected = {{3, 0},          {4, 1.0 / 3},  {9, 3.0 / 5},
                                                             {10, 3.0 / 5},   {14, 4.0 / 5}, {19, 14.0 / 15},
                                                             {20, 14.0 / 15}, {24, 1}};
    for (const auto& [t_s, coverage] : expected)
      QNEAR(*waves_coverage(outcomes, 2, 10, t_s), coverage, 1e-14);
    QNEAR(*waves_coverage(outcomes, 2, 10, 10), *pass_at_k(6, 2, 2), 1e-15);
    QNEAR(*waves_coverage(outcomes, 2, 10, 20), *pass_at_k(6, 2, 4), 1e-15);
    QCOMPARE(*waves_coverage(outcomes, 2, 10, 1e300), 1.0);
    QVERIFY(!waves_coverage(outcomes, 0, 10, 1).ok());
    QVERIFY(!waves_coverage(outcomes, 2, 0, 1).ok());
  }

  void power_law_is_recovered() {
    const std::vector<double> k = {1, 4, 16, 64};
    std::vector<double> coverage;
    for (const double value : k) coverage.push_back(std::exp(-std::pow(value, -0.5)));
    QNEAR(coverage[0], 0.367879, 5e-7);
    QNEAR(coverage[3], 0.882497, 5e-7);
    const PowerLaw law = fit_power_law(k, coverage).value();
    QNEAR(law.a, -1.0, 1e-12);
    QNEAR(law.b, -0.5, 1e-12);
    QNEAR(law.r_squared, 1.0, 1e-12);
    QCOMPARE(law.k_min, 1.0);
    QCOMPARE(law.k_max, 64.0);
    // Coverage of 0 or 1 has no logarithm; fewer than three points are no fit.
    QVERIFY(
        fit_power_law(std::vector<double>{1, 2, 4, 8, 16}, std::vector<double>{0, 0.2, 0.4, 0.6, 1}).ok());
    QVERIFY(!fit_power_law(std::vector<double>{1, 2, 4, 8}, std::vector<double>{0, 0.2, 0.4, 1}).ok());
  }

  void bootstrap_is_fast_enough_to_drag_a_slider() {
    const Bootstrap bootstrap(200, 0);
    std::vector<double> values;
    for (int i = 0; i < 200; ++i) values.push_back((i * 37 % 100) / 100.0);
    QElapsedTimer timer;
    timer.start();
    double sum = 0;
    for (int t = 0; t < 60; ++t) sum += bootstrap.estimate(values).band.low;
    qInfo("60 bootstraps of 200 problems: %lld ms (%g)", timer.elapsed(), sum);
    QVERIFY(timer.elapsed() < 500);  // 10 times what it takes on an idle core
  }
};

QTEST_GUILESS_MAIN(TestCoverage)
#include "tst_coverage.moc"
