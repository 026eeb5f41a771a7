#include "kernels/cuda/launch.h"
#include "kernels/cuda/reduce.cuh"
#include "kernels/cuda/rms_norm.h"
#include "kernels/cuda/vector.cuh"

namespace tandem::cuda {
namespace {

constexpr int kThreads = 256;

template <int kWidth>
__global__ void __launch_bounds__(kThreads)
    rms_norm_kernel(const float* x, std::int64_t x_stride, const float* weight, float eps, float* y,
                    std::int64_t y_stride, int channels) {
  x += blockIdx.x * x_stride;
  y += blockIdx.x * y_stride;
  const int first = static_cast<int>(threadIdx.x) * kWidth;
  float square = 0.0F;
  for (int c = first; c < channels; c += kThreads * kWidth) {
    const auto values = load<kWidth>(x + c);
    for (int i = 0; i < kWidth; ++i) square += values.at[i] * values.at[i];
  }
  const float mean = block_sum<kThreads>(square) / static_cast<float>(channels);
  const float scale = 1.0F / sqrtf(mean + eps);
  for (int c = first; c < channels; c += kThreads * kWidth) {
    auto values = load<kWidth>(x + c);
    const auto weights = load<kWidth>(weight + c);
    for (int i = 0; i < kWidth; ++i) values.at[i] *= scale * weights.at[i];
    store<kWidth>(y + c, values);
  }
}

}  // namespace

void rms_norm(Stream& stream, TensorView x, TensorView weight, float eps, TensorView y) {
  TANDEM_CHECK(
      x.rank() == 2 && x.shape() == y.shape() && weight.shape() == Shape{x.extent(1)},
      "rms_norm: x " + x.shape().str() + ", weight " + weight.shape().str() + ", y " + y.shape().str());
  const auto kernel = vectorizable(x, weight, y) ? rms_norm_kernel<kVector> : rms_norm_kernel<1>;
  launch(stream, kernel, Grid{x.extent(0)}, Block{kThreads}, 0, x.f32(), x.stride(0), weight.f32(), eps,
         y.f32(), y.stride(0), x.extent(1));
}

}  // namespace tandem::cuda
