#include "kernels/cuda/rope.h"

#include "kernels/cuda/rowwise.cuh"

namespace tandem::cuda {
namespace {

constexpr int kThreads = 128;
constexpr int kHeads = 8;  // of one block
constexpr int kMaxPairs = 128;

__global__ void __launch_bounds__(kThreads)
    rope_kernel(Matrix<float> x, int heads, const std::int32_t* positions, const float* frequencies, int half,
                float direction) {
  TANDEM_SHARED(float, sines, kMaxPairs);
  TANDEM_SHARED(float, cosines, kMaxPairs);
  const std::int64_t row = blockIdx.x;
  const auto position =
      static_cast<float>(positions == nullptr ? row : std::int64_t{positions[row]}) * direction;
  const int thread = static_cast<int>(threadIdx.x);
  for (int m = thread; m < half; m += kThreads) sincosf(position * frequencies[m], sines + m, cosines + m);
  __syncthreads();
  const int first = static_cast<int>(blockIdx.y) * kHeads;
  const int pairs = min(kHeads, heads - first) * half;
  for (int i = thread; i < pairs; i += kThreads) {
    const int m = i % half;
    float* low = x.at(row, std::int64_t{first + i / half} * 2 * half + m);
    float* high = low + half;
    const float a = *low;
    const float b = *high;
    *low = a * cosines[m] - b * sines[m];
    *high = a * sines[m] + b * cosines[m];
  }
}

void rotate(Stream& stream, TensorView x, std::int64_t heads, std::span<const std::int32_t> positions,
            std::span<const float> frequencies, float direction) {
  const std::int64_t half = std::ssize(frequencies);
  TANDEM_CHECK(x.rank() == 2 && x.extent(1) == heads * 2 * half && half <= kMaxPairs &&
                   (positions.empty() || x.extent(0) == std::ssize(positions)),
               "rope: x " + x.shape().str() + " for " + std::to_string(heads) + " heads, " +
                   std::to_string(positions.size()) + " positions and " + std::to_string(half) +
                   " frequencies");
  launch(stream, rope_kernel, Grid{x.extent(0), ceil_div(heads, std::int64_t{kHeads})}, Block{kThreads}, 0,
         matrix(x), heads, positions.empty() ? nullptr : positions.data(), frequencies.data(), half,
         direction);
}

}  // namespace

void rope(Stream& stream, TensorView x, std::int64_t heads, std::span<const std::int32_t> positions,
          std::span<const float> frequencies) {
  rotate(stream, x, heads, positions, frequencies, 1.0F);
}

void rope_backward(Stream& stream, TensorView d_x, std::int64_t heads,
                   std::span<const std::int32_t> positions, std::span<const float> frequencies) {
  rotate(stream, d_x, heads, positions, frequencies, -1.0F);
}

}  // namespace tandem::cuda
