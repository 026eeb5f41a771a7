// Distances, summaries, lag profiles and thumbnails against values worked by hand.
#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <limits>

#include <QTest>

#include "core/mixing/capture.h"

using tandem::Shape;
using tandem::Tensor;

namespace {

Tensor square(std::int64_t seqlen, std::initializer_list<float> values) {
  Tensor tensor(Shape{seqlen, seqlen});
  std::copy(values.begin(), values.end(), tensor.f32());
  return tensor;
}

}  // namespace

class TestMatrixStatistics : public QObject {
  Q_OBJECT
 private slots:
  void distances() {
    const Tensor a = square(2, {1, 0, 0, 1});
    const Tensor m = square(2, {1, 0, 3, 1});
    const auto d = tandem::matrix_distance(m, a);
    QCOMPARE(d.frobenius, 3.0);
    QCOMPARE(d.relative, 3.0 / std::sqrt(2.0));
    QCOMPARE(d.cosine, 2.0 / std::sqrt(22.0));
    const auto same = tandem::matrix_distance(a, a);
    QCOMPARE(same.frobenius, 0.0);
    QCOMPARE(same.cosine, 1.0);
  }

  void distance_to_nothing() {
    const Tensor zero = square(2, {0, 0, 0, 0});
    const Tensor one = square(2, {1, 0, 0, 1});
    QCOMPARE(tandem::matrix_distance(zero, zero).relative, 0.0);
    QCOMPARE(tandem::matrix_distance(zero, zero).cosine, 0.0);
    QVERIFY(std::isinf(tandem::matrix_distance(one, zero).relative));
  }

  void distance_reads_one_head_of_a_stack() {
    Tensor stack(Shape{2, 2, 2});
    const float values[] = {9, 9, 9, 9, 1, 0, 0, 2};
    std::copy(std::begin(values), std::end(values), stack.f32());
    const Tensor a = square(2, {1, 0, 0, 1});
    const auto head = stack.view().rows(1, 1).reshape(Shape{2, 2});
    QCOMPARE(tandem::matrix_distance(head, a).frobenius, 1.0);
  }

  void summary_of_attention() {
    // Rows sum to 1. Entropies 0, ln 2, 0; lags 0, (1 + 0) / 2, 2.
    const Tensor a = square(3, {1, 0, 0, 0.5F, 0.5F, 0, 1, 0, 0});
    const auto s = tandem::matrix_summary(a);
    QCOMPARE(s.mean_entropy, std::log(2.0) / 3);
    QCOMPARE(s.mean_lag, (0.5 + 2.0) / 3);
    QCOMPARE(s.max_row_sum_error, 0.0);
    QCOMPARE(s.non_finite, 0);
  }

  void summary_uses_magnitudes_and_the_lower_triangle() {
    // 7 stands above the diagonal and must not count; the signed row sums to 0, an error of 1.
    const Tensor m = square(2, {1, 7, -0.5F, 0.5F});
    const auto s = tandem::matrix_summary(m);
    QCOMPARE(s.mean_entropy, std::log(2.0) / 2);
    QCOMPARE(s.mean_lag, 0.5 / 2);
    QCOMPARE(s.max_row_sum_error, 1.0);
  }

  void summary_leaves_out_empty_and_broken_rows() {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const float inf = std::numeric_limits<float>::infinity();
    const Tensor m = square(4, {0, 0, 0, 0, 1, 1, 0, 0, nan, inf, 1, 0, 0, 0, 0, 0});
    const auto s = tandem::matrix_summary(m);
    QCOMPARE(s.non_finite, 2);
    QCOMPARE(s.mean_entropy, std::log(2.0));  // only row 1 has weights
    QCOMPARE(s.mean_lag, 0.5);
    QCOMPARE(s.max_row_sum_error, 1.0);  // rows of zeros miss 1 by 1
  }

  void lag_profile_averages_diagonals() {
    const Tensor m = square(3, {1, 0, 0, -4, 2, 0, 6, 2, 3});
    const std::vector<double> expected{2.0, 3.0, 6.0};
    QCOMPARE(tandem::lag_profile(m), expected);
  }

  void lag_profile_of_a_decay_is_exponential() {
    const std::int64_t seqlen = 20;
    Tensor m(Shape{seqlen, seqlen});
    for (std::int64_t i = 0; i < seqlen; ++i)
      for (std::int64_t j = 0; j <= i; ++j)
        m.f32()[i * seqlen + j] = std::pow(0.8F, static_cast<float>(i - j));
    const auto profile = tandem::lag_profile(m);
    for (std::size_t lag = 0; lag < profile.size(); ++lag)
      QVERIFY(std::abs(profile[lag] - std::pow(0.8, static_cast<double>(lag))) < 1e-6);
  }

  void pooling_keeps_the_sign_of_the_largest() {
    const Tensor m = square(4, {1, 0, 0, 0, 2, -3, 0, 0, 1, 4, 5, 9, -6, 0, -1, 2});
    const Tensor small = tandem::pooled(m, 2);
    QCOMPARE(small.shape().str(), Shape({2, 2}).str());
    QCOMPARE(small.f32()[0], -3.0F);
    QVERIFY(std::isnan(small.f32()[1]));
    QCOMPARE(small.f32()[2], -6.0F);
    QCOMPARE(small.f32()[3], 5.0F);  // 9 stands above the diagonal
  }

  void pooling_never_enlarges() {
    const Tensor m = square(2, {1, 8, 2, 3});
    const Tensor same = tandem::pooled(m, 48);
    QCOMPARE(same.shape().str(), Shape({2, 2}).str());
    QCOMPARE(same.f32()[0], 1.0F);
    QVERIFY(std::isnan(same.f32()[1]));
    QCOMPARE(same.f32()[2], 2.0F);
    QCOMPARE(same.f32()[3], 3.0F);
  }

  void pooling_covers_every_entry_when_sizes_do_not_divide() {
    const std::int64_t seqlen = 7;
    for (std::int64_t i = 0; i < seqlen; ++i)
      for (std::int64_t j = 0; j <= i; ++j) {
        Tensor m(Shape{seqlen, seqlen});
        m.f32()[i * seqlen + j] = 1;
        const Tensor small = tandem::pooled(m, 3);
        float total = 0;
        for (std::int64_t r = 0; r < 3; ++r)
          for (std::int64_t c = 0; c <= r; ++c) total += small.f32()[r * 3 + c];
        QCOMPARE(total, 1.0F);
      }
  }
};

QTEST_GUILESS_MAIN(TestMatrixStatistics)
#include "tst_matrix_statistics.moc"
