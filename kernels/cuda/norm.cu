#include "kernels/cuda/norm.h"

#include "kernels/cuda/reduce.cuh"
#include "kernels/cuda/rowwise.cuh"

namespace tandem::cuda {
namespace {

constexpr int kThreads = 256;

/// What makes the mean square of `channels` values 1, from each thread's part of their squares.
__device__ __forceinline__ float normaliser(float square, int channels, float eps) {
  return 1.0F / sqrtf(block_sum<kThreads>(square) / static_cast<float>(channels) + eps);
}

/// y = values * scale * weight for this thread's channels.
template <int kWidth>
__device__ __forceinline__ void scale_row(const float* values, const float* weight, float scale, float* y,
                                          int channels) {
  for (int c = static_cast<int>(threadIdx.x) * kWidth; c < channels; c += kThreads * kWidth) {
    auto scaled = load<kWidth>(values + c);
    const auto weights = load<kWidth>(weight + c);
    for (int i = 0; i < kWidth; ++i) scaled.at[i] *= scale * weights.at[i];
    store<kWidth>(y + c, scaled);
  }
}

template <int kWidth>
__global__ void __launch_bounds__(kThreads)
    rms_norm_kernel(Matrix<float> x, const float* weight, float eps, Matrix<float> y, int channels) {
  const float* from = x.at(blockIdx.x, 0);
  float square = 0.0F;
  for (int c = static_cast<int>(threadIdx.x) * kWidth; c < channels; c += kThreads * kWidth) {
    const auto values = load<kWidth>(from + c);
    for (int i = 0; i < kWidth; ++i) square += values.at[i] * values.at[i];
  }
  scale_row<kWidth>(from, weight, normaliser(square, channels, eps), y.at(blockIdx.x, 0), channels);
}

/// Block: a row, which it reads again from the cache.
template <int kWidth>
__global__ void __launch_bounds__(kThreads)
    add_rms_norm_kernel(Matrix<float> x, Matrix<float> residual, const float* weight, float eps,
                        Matrix<float> y, int channels) {
  const float* added = x.at(blockIdx.x, 0);
  float* sums = residual.at(blockIdx.x, 0);
  float square = 0.0F;
  for (int c = static_cast<int>(threadIdx.x) * kWidth; c < channels; c += kThreads * kWidth) {
    auto values = load<kWidth>(sums + c);
    const auto more = load<kWidth>(added + c);
    for (int i = 0; i < kWidth; ++i) {
      values.at[i] += more.at[i];
      square += values.at[i] * values.at[i];
    }
    store<kWidth>(sums + c, values);
  }
  scale_row<kWidth>(sums, weight, normaliser(square, channels, eps), y.at(blockIdx.x, 0), channels);
}

template <int kWidth>
__global__ void __launch_bounds__(kThreads)
    gated_group_norm_kernel(Matrix<float> y, Matrix<float> z, const float* weight, float eps, int group) {
  const std::int64_t begin = std::int64_t{blockIdx.y} * group;
  float* gated = y.at(blockIdx.x, begin);
  const float* gate = z.at(blockIdx.x, begin);
  float square = 0.0F;
  for (int c = static_cast<int>(threadIdx.x) * kWidth; c < group; c += kThreads * kWidth) {
    auto values = load<kWidth>(gated + c);
    const auto gates = load<kWidth>(gate + c);
    for (int i = 0; i < kWidth; ++i) {
      values.at[i] *= silu(gates.at[i]);
      square += values.at[i] * values.at[i];
    }
    store<kWidth>(gated + c, values);
  }
  scale_row<kWidth>(gated, weight + begin, normaliser(square, group, eps), gated, group);
}

}  // namespace

void rms_norm(Stream& stream, TensorView x, TensorView weight, float eps, TensorView y) {
  TANDEM_CHECK(
      x.rank() == 2 && x.shape() == y.shape() && weight.shape() == Shape{x.extent(1)},
      "rms_norm: x " + x.shape().str() + ", weight " + weight.shape().str() + ", y " + y.shape().str());
  const auto kernel = vectorizable(x, weight, y) ? rms_norm_kernel<kVector> : rms_norm_kernel<1>;
  launch(stream, kernel, Grid{x.extent(0)}, Block{kThreads}, 0, matrix(x), weight.f32(), eps, matrix(y),
         x.extent(1));
}

void add_rms_norm(Stream& stream, TensorView x, TensorView residual, TensorView weight, float eps,
                  TensorView y) {
  TANDEM_CHECK(x.rank() == 2 && x.shape() == y.shape() && x.shape() == residual.shape() &&
                   weight.shape() == Shape{x.extent(1)},
               "add_rms_norm: x " + x.shape().str() + ", residual " + residual.shape().str() + ", weight " +
                   weight.shape().str() + ", y " + y.shape().str());
  const bool wide = vectorizable(x, residual, weight, y);
  launch(stream, wide ? add_rms_norm_kernel<kVector> : add_rms_norm_kernel<1>, Grid{x.extent(0)},
         Block{kThreads}, 0, matrix(x), matrix(residual), weight.f32(), eps, matrix(y), x.extent(1));
}

void gated_group_norm(Stream& stream, TensorView y, TensorView z, TensorView weight, std::int64_t group,
                      float eps) {
  TANDEM_CHECK(y.rank() == 2 && y.shape() == z.shape() && weight.shape() == Shape{y.extent(1)} && group > 0 &&
                   y.extent(1) % group == 0,
               "gated_group_norm: y " + y.shape().str() + ", z " + z.shape().str() + ", weight " +
                   weight.shape().str() + ", group " + std::to_string(group));
  const bool wide = vectorizable(y, z, weight) && group % kVector == 0;
  const auto kernel = wide ? gated_group_norm_kernel<kVector> : gated_group_norm_kernel<1>;
  launch(stream, kernel, Grid{y.extent(0), y.extent(1) / group}, Block{kThreads}, 0, matrix(y), matrix(z),
         weight.f32(), eps, group);
}

}  // namespace tandem::cuda
