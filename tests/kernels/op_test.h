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

#include <QTest>

#include "kernels/base/context.h"
#ifdef TANDEM_HAS_CUDA
#include "tests/kernels/mirror_device.h"
#include "tests/support/cuda_device.h"
#endif

namespace tandem::test {

/// Runs before main: with TANDEM_TEST_SIMD=avx2 or =baseline the ops pretend that the CPU has no more, so
/// that one machine tests the code of all.
inline const bool kSimdLimited = [] {
  const char* value = std::getenv("TANDEM_TEST_SIMD");
  const std::string_view limit = value == nullptr ? "" : value;
  if (limit == "avx2") hwy::DisableTargets(HWY_AVX3);
  if (limit == "baseline") hwy::DisableTargets(HWY_AVX3 | HWY_AVX2);
  return !limit.empty();
}();

/// Where the running test computes. A test class has, beside its tests,
///   void initTestCase_data() { test::backend_rows(); }
///   void init() { test::enter_backend(); }
/// and binds its Contexts to backend(), which is null on the CPU.
inline Device* current_backend = nullptr;
inline bool aligned_rows = false;  // of Array::padded
inline Device* backend() {
  return current_backend;
}

/// Every test runs on the CPU, and, in a build that has one, on the GPU or its emulation, where kernels take
/// other ways when rows start at multiples of 16 bytes.
inline void backend_rows() {
  QTest::addColumn<bool>("on_gpu");
  QTest::addColumn<bool>("aligned");
  QTest::newRow("CPU") << false << false;
#ifdef TANDEM_HAS_CUDA
  if (kSimdLimited) return;
  QTest::newRow("GPU") << true << false;
  QTest::newRow("GPU, aligned rows") << true << true;
#endif
}
/// Skips the test if there is no GPU.
inline void enter_backend() {
#ifdef TANDEM_HAS_CUDA
  QFETCH_GLOBAL(bool, on_gpu);
  QFETCH_GLOBAL(bool, aligned);
  current_backend = nullptr;
  aligned_rows = aligned;
  if (!on_gpu) return;
  if (cuda_device() == nullptr) QSKIP("there is no GPU");
  static MirrorDevice mirror(*cuda_device());
  current_backend = &mirror;
#endif
}
/// Whether that is the emulated GPU, for which large cases take too long.
inline bool emulated() {
#ifdef TANDEM_CUDA_EMULATED
  return backend() != nullptr;
#else
  return false;
#endif
}
/// Threads to run with: the CPU's ops share their work among them.
inline std::vector<int> thread_counts() {
  return backend() == nullptr ? std::vector{1, 2} : std::vector{1};
}

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
  /// Random [rows, cols] inside rows that are `padding` longer, or a little more where rows are aligned.
  static Array padded(std::int64_t rows, std::int64_t cols, std::int64_t padding, std::uint32_t seed,
                      float scale = 1.0F) {
    const std::int64_t stride = cols + padding;
    Array result(Shape{rows, aligned_rows ? (stride + 3) / 4 * 4 : stride}, std::nanf(""));
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

/// Elements of a tensor as the reference of a comparison.
inline std::vector<double> reference(const TensorView& view) {
  std::vector<double> values;
  const std::int64_t width = view.extent(-1);
  const std::int64_t stride = view.rank() < 2 ? width : view.stride(-2);
  for (std::int64_t i = 0; i < view.elements(); ++i) {
    values.push_back(static_cast<double>(view.f32()[i / width * stride + i % width]));
  }
  return values;
}

}  // namespace tandem::test
