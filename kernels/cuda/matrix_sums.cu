#include "kernels/cuda/matrix_sums.h"

#include <algorithm>

#include "kernels/cuda/launch.h"
#include "kernels/cuda/reduce.cuh"

namespace tandem::cuda {
namespace {

constexpr int kThreads = 256;
constexpr std::int64_t kSpan = 4096;  // entries that one block sums
constexpr int kSums = 4;

/// Block (span, matrix).
__global__ void __launch_bounds__(kThreads)
    span_sums_kernel(const float* m, const float* a, std::int64_t count, float* parts) {
  const std::int64_t begin = std::int64_t{blockIdx.x} * kSpan;
  const std::int64_t end = min(begin + kSpan, count);
  const std::int64_t matrix = std::int64_t{blockIdx.y} * count;
  float sums[kSums] = {};
  for (std::int64_t i = begin + threadIdx.x; i < end; i += kThreads) {
    const float x = m[matrix + i];
    const float y = a[matrix + i];
    sums[0] += (x - y) * (x - y);
    sums[1] += x * x;
    sums[2] += y * y;
    sums[3] += x * y;
  }
  float* part = parts + (std::int64_t{blockIdx.y} * gridDim.x + blockIdx.x) * kSums;
  TANDEM_UNROLL
  for (int k = 0; k < kSums; ++k) {
    const float sum = block_sum<kThreads>(sums[k]);
    if (threadIdx.x == 0) part[k] = sum;
  }
}

/// Block: a matrix.
__global__ void __launch_bounds__(kThreads) join_sums_kernel(const float* parts, int spans, float* sums) {
  TANDEM_UNROLL
  for (int k = 0; k < kSums; ++k) {
    float own = 0.0F;
    for (int i = static_cast<int>(threadIdx.x); i < spans; i += kThreads)
      own += parts[(std::int64_t{blockIdx.x} * spans + i) * kSums + k];
    const float sum = block_sum<kThreads>(own);
    if (threadIdx.x == 0) sums[blockIdx.x * kSums + k] = sum;
  }
}

std::int64_t spans_of(TensorView m) {
  return ceil_div(m.extent(1) * m.extent(2), kSpan);
}

}  // namespace

std::int64_t matrix_sums_scratch(TensorView m) {
  return m.extent(0) * spans_of(m) * kSums;
}

void matrix_sums(Stream& stream, TensorView m, TensorView a, TensorView scratch, TensorView sums) {
  const std::int64_t spans = spans_of(m);
  launch(stream, span_sums_kernel, Grid{spans, m.extent(0)}, Block{kThreads}, 0, m.f32(), a.f32(),
         m.extent(1) * m.extent(2), scratch.f32());
  launch(stream, join_sums_kernel, Grid{m.extent(0)}, Block{kThreads}, 0, scratch.f32(), spans, sums.f32());
}

}  // namespace tandem::cuda
