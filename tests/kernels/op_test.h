// Random operands and comparison with double-precision references, for the tests of ops.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <string_view>
#include <vector>

#include <hwy/targets.h>

#include <QString>

#include "kernels/base/tensor_view.h"

namespace tandem::test {

/// An owning f32 tensor; a matrix may have rows further apart than wide, with NaN between them.
class Array {
 public:
  explicit Array(Shape shape, float value = 0.0F)
      : shape_(shape), data_(static_cast<std::size_t>(shape.elements()), value) {}

  static Array random(Shape shape, std::uint32_t seed, float scale = 1.0F) {
    Array result(shape);
    std::mt19937 generator(seed);
    std::normal_distribution<float> normal(0.0F, scale);
    for (float& value : result.data_) value = normal(generator);
    return result;
  }
  /// Random [rows, cols] inside rows that are `padding` longer.
  static Array padded(std::int64_t rows, std::int64_t cols, std::int64_t padding, std::uint32_t seed,
                      float scale = 1.0F) {
    Array result(Shape{rows, cols + padding}, std::nanf(""));
    result.used_ = cols;
    std::mt19937 generator(seed);
    std::normal_distribution<float> normal(0.0F, scale);
    for (std::int64_t i = 0; i < rows; ++i) {
      for (std::int64_t j = 0; j < cols; ++j) result.view().row(i)[j] = normal(generator);
    }
    return result;
  }

  TensorView view() {
    const TensorView whole(data_.data(), shape_);
    return used_ < 0 ? whole : whole.columns(0, used_);
  }
  operator TensorView() { return view(); }
  std::vector<float>& data() { return data_; }
  double at(std::int64_t i, std::int64_t j) const {
    return data_[static_cast<std::size_t>(i * shape_[1] + j)];
  }

 private:
  Shape shape_;
  std::vector<float> data_;
  std::int64_t used_ = -1;
};

/// Runs before main: with TANDEM_TEST_SIMD=avx2 or =baseline the ops pretend that the CPU has no more, so
/// that one machine tests the code of all.
inline const bool kSimdLimited = [] {
  const char* value = std::getenv("TANDEM_TEST_SIMD");
  const std::string_view limit = value == nullptr ? "" : value;
  if (limit == "avx2") hwy::DisableTargets(HWY_AVX3);
  if (limit == "baseline") hwy::DisableTargets(HWY_AVX3 | HWY_AVX2);
  return !limit.empty();
}();

inline double silu(double x) {
  return x / (1 + std::exp(-x));
}
inline double softplus(double x) {
  return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x)));
}

/// Empty if every element of `got` (rank up to 3, rows may be strided) is within `tolerance` times the
/// largest |want| (at least `tolerance` itself); else what differs. NaN equals nothing.
inline QString difference(const TensorView& got, const std::vector<double>& want, double tolerance) {
  if (got.elements() != static_cast<std::int64_t>(want.size())) {
    return QString("%1 elements, wanted %2").arg(got.elements()).arg(want.size());
  }
  const std::int64_t cols = got.rank() == 0 ? 1 : got.extent(-1);
  const std::int64_t stride = got.rank() < 2 ? cols : got.stride(-2);
  double largest = 1;
  double error = 0;
  double square = 0;
  double reference = 0;
  std::size_t worst = 0;
  for (const double value : want) largest = std::max(largest, std::abs(value));
  for (std::size_t i = 0; i < want.size(); ++i) {
    const auto flat = static_cast<std::int64_t>(i);
    const double value = got.f32()[flat / cols * stride + flat % cols];
    const double off = std::abs(value - want[i]);
    if (!(off <= error)) {
      error = off;
      worst = i;
    }
    square += off * off;
    reference += want[i] * want[i];
    if (std::isnan(off)) break;
  }
  if (error <= tolerance * largest) return {};
  return QString("element %1: max abs error %2 of max %3 (tolerance %4), NMSE %5")
      .arg(worst)
      .arg(error)
      .arg(largest)
      .arg(tolerance)
      .arg(square / reference);
}

}  // namespace tandem::test
