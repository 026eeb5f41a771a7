#include "kernels/cuda/adamw.h"

#include "kernels/cuda/reduce.cuh"
#include "kernels/cuda/rowwise.cuh"

namespace tandem::cuda {
namespace {

constexpr int kThreads = 256;
constexpr std::int64_t kRow = 4096;  // elements are treated as a matrix, whose last row is cut

struct Update {
  AdamWRule rule;
  const float* gradient;
  float *value, *m, *v;
  std::int64_t count;

  __device__ void one(float g, float& own, float& mean, float& square) const {
    g *= rule.gradient_scale;
    mean = rule.beta1 * mean + (1.0F - rule.beta1) * g;
    square = rule.beta2 * square + (1.0F - rule.beta2) * g * g;
    const float spread = sqrtf(square / rule.correction2) + rule.eps;
    own -= rule.learning_rate * (rule.weight_decay * own + mean / rule.correction1 / spread);
  }
  template <int kWidth>
  __device__ void apply(std::int64_t row, std::int64_t c) const {
    const std::int64_t i = row * kRow + c;
    if (i >= count) return;
    const auto gradients = load<kWidth>(gradient + i);
    auto values = load<kWidth>(value + i);
    auto means = load<kWidth>(m + i);
    auto squares = load<kWidth>(v + i);
    for (int k = 0; k < kWidth; ++k) one(gradients.at[k], values.at[k], means.at[k], squares.at[k]);
    store<kWidth>(value + i, values);
    store<kWidth>(m + i, means);
    store<kWidth>(v + i, squares);
  }
};

/// Block: kSquaresSpan elements.
__global__ void __launch_bounds__(kThreads) squares_kernel(const float* x, std::int64_t count, float* sums) {
  const std::int64_t begin = std::int64_t{blockIdx.x} * kSquaresSpan;
  const std::int64_t end = min(begin + kSquaresSpan, count);
  float sum = 0.0F;
  for (std::int64_t i = begin + threadIdx.x; i < end; i += kThreads) sum += x[i] * x[i];
  sum = block_sum<kThreads>(sum);
  if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

}  // namespace

void adamw(Stream& stream, TensorView gradient, const AdamWRule& rule, TensorView value, TensorView m,
           TensorView v) {
  const std::int64_t count = value.elements();
  bool wide = count % kVector == 0;
  for (const TensorView& view : {gradient, value, m, v}) {
    TANDEM_CHECK(view.shape() == value.shape() && view.contiguous(),
                 "adamw: value " + value.shape().str() + " with " + view.shape().str());
    wide = wide && vectorizable(view.reshape({count}));
  }
  launch_rowwise(stream, ceil_div(count, kRow), std::min(count, kRow), wide,
                 Update{rule, gradient.f32(), value.f32(), m.f32(), v.f32(), count});
}

void sums_of_squares(Stream& stream, TensorView x, TensorView sums) {
  TANDEM_CHECK(x.contiguous() && sums.elements() >= squares_count(x.elements()),
               "sums_of_squares: x " + x.shape().str() + ", sums " + sums.shape().str());
  launch(stream, squares_kernel, Grid{squares_count(x.elements())}, Block{kThreads}, 0, x.f32(), x.elements(),
         sums.f32());
}

}  // namespace tandem::cuda
