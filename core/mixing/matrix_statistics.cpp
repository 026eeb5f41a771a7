// Numbers about one mixing matrix, or about a pair: distances, summaries, the lag profile, thumbnails.
// Sums run in double: a matrix has up to 4 million entries of very different sizes.
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/mixing/capture.h"

namespace tandem {
namespace {

/// T of a square f32 matrix; anything else is a caller's mistake.
std::int64_t square_extent(TensorView m) {
  TANDEM_CHECK(m.rank() == 2 && m.extent(0) == m.extent(1), "expected [T, T], found " + m.shape().str());
  return m.extent(0);
}

/// Shannon entropy in nats of |row[0 .. count)| normalised to 1; `total` is the sum of magnitudes, > 0.
double row_entropy(const float* row, std::int64_t count, double total) {
  double entropy = 0;
  for (std::int64_t j = 0; j < count; ++j) {
    const double p = std::abs(static_cast<double>(row[j])) / total;
    if (p > 0) entropy -= p * std::log(p);
  }
  return entropy;
}

}  // namespace

MatrixDistance matrix_distance(TensorView m, TensorView a) {
  const std::int64_t seqlen = square_extent(m);
  TANDEM_CHECK(m.shape() == a.shape(), "matrices of " + m.shape().str() + " and " + a.shape().str());
  MatrixSums sums;
  for (std::int64_t i = 0; i < seqlen; ++i) {
    const float* m_row = m.row(i);
    const float* a_row = a.row(i);
    for (std::int64_t j = 0; j < seqlen; ++j) {
      const double x = m_row[j], y = a_row[j];
      sums.difference += (x - y) * (x - y);
      sums.m_squares += x * x;
      sums.a_squares += y * y;
      sums.product += x * y;
    }
  }
  return matrix_distance(sums);
}

MatrixDistance matrix_distance(const MatrixSums& s) {
  MatrixDistance distance;
  distance.frobenius = std::sqrt(s.difference);
  distance.relative = s.a_squares > 0 ? distance.frobenius / std::sqrt(s.a_squares)
                                      : (s.difference > 0 ? std::numeric_limits<double>::infinity() : 0.0);
  if (s.m_squares > 0 && s.a_squares > 0) distance.cosine = s.product / std::sqrt(s.m_squares * s.a_squares);
  return distance;
}

MatrixSummary matrix_summary(TensorView m) {
  const std::int64_t seqlen = square_extent(m);
  MatrixSummary summary;
  double entropy = 0, lag = 0, weight = 0;
  std::int64_t rows = 0;
  for (std::int64_t i = 0; i < seqlen; ++i) {
    const float* row = m.row(i);
    double magnitude = 0, row_lag = 0, sum = 0;
    bool finite = true;
    for (std::int64_t j = 0; j <= i; ++j) {
      if (!std::isfinite(row[j])) {
        ++summary.non_finite;
        finite = false;
        continue;
      }
      const double w = std::abs(static_cast<double>(row[j]));
      magnitude += w;
      row_lag += w * static_cast<double>(i - j);
      sum += row[j];
    }
    if (!finite) continue;  // counted above; its sums would say nothing
    summary.max_row_sum_error = std::max(summary.max_row_sum_error, std::abs(sum - 1));
    lag += row_lag;
    weight += magnitude;
    if (magnitude <= 0) continue;
    entropy += row_entropy(row, i + 1, magnitude);
    ++rows;
  }
  if (rows > 0) summary.mean_entropy = entropy / static_cast<double>(rows);
  if (weight > 0) summary.mean_lag = lag / weight;
  return summary;
}

std::vector<double> lag_profile(TensorView m) {
  const std::int64_t seqlen = square_extent(m);
  std::vector<double> profile(static_cast<std::size_t>(seqlen), 0.0);
  for (std::int64_t i = 0; i < seqlen; ++i) {
    const float* row = m.row(i);
    for (std::int64_t j = 0; j <= i; ++j)
      profile[static_cast<std::size_t>(i - j)] += std::abs(static_cast<double>(row[j]));
  }
  for (std::int64_t lag = 0; lag < seqlen; ++lag)
    profile[static_cast<std::size_t>(lag)] /= static_cast<double>(seqlen - lag);
  return profile;
}

Tensor pooled(TensorView m, std::int64_t size) {
  const std::int64_t seqlen = square_extent(m);
  TANDEM_CHECK(size >= 1, "a thumbnail needs at least one cell, asked for " + std::to_string(size));
  const std::int64_t n = std::min(seqlen, size);
  Tensor thumbnail(Shape{n, n});
  for (std::int64_t r = 0; r < n; ++r) {
    float* out = thumbnail.view().row(r);
    std::fill(out + r + 1, out + n, std::numeric_limits<float>::quiet_NaN());
    for (std::int64_t i = r * seqlen / n; i < (r + 1) * seqlen / n; ++i) {
      const float* row = m.row(i);
      for (std::int64_t c = 0; c <= r; ++c) {
        const std::int64_t end = std::min((c + 1) * seqlen / n, i + 1);
        for (std::int64_t j = c * seqlen / n; j < end; ++j)
          if (std::abs(row[j]) > std::abs(out[c])) out[c] = row[j];
      }
    }
  }
  return thumbnail;
}

}  // namespace tandem
