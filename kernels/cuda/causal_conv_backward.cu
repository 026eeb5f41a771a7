#include "kernels/cuda/causal_conv_backward.h"

#include "kernels/cuda/columnwise.cuh"
#include "kernels/cuda/silu_slope.cuh"

namespace tandem::cuda {
namespace {

constexpr int kTaps = 4;      // of the kernel that knows their number
constexpr int kMaxTaps = 16;  // of the one that does not

/// d_sum = d_y silu'(bias + the taps' sum): the gradient before the activation.
struct ThroughSilu {
  Matrix<float> x;
  const float* weight;
  const float* bias;  // or null
  std::int64_t taps;
  Matrix<float> d_y, d_sum;
  template <int kWidth>
  __device__ void apply(std::int64_t row, std::int64_t c) const {
    Floats<kWidth> sum = {};
    if (bias != nullptr) sum = load<kWidth>(bias + c);
    for (std::int64_t back = min(taps - 1, row); back >= 0; --back) {
      const auto inputs = load<kWidth>(x.at(row - back, c));
      for (int i = 0; i < kWidth; ++i) sum.at[i] += weight[(c + i) * taps + taps - 1 - back] * inputs.at[i];
    }
    const auto gradients = load<kWidth>(d_y.at(row, c));
    for (int i = 0; i < kWidth; ++i) sum.at[i] = gradients.at[i] * silu_slope(sum.at[i]).slope;
    store<kWidth>(d_sum.at(row, c), sum);
  }
};

/// sums: of the taps, then of the bias. kHeld: the number of taps unless kMaxTaps.
template <int kHeld>
struct ConvBackward {
  Matrix<float> x, d_sum, d_x;
  const float* weight;
  int taps;
  std::int64_t tokens;

  __device__ int count() const { return kHeld == kMaxTaps ? taps : kHeld; }
  __device__ void apply(std::int64_t row, std::int64_t c, float (&sums)[kHeld + 1]) const {
    const float gradient = *d_sum.at(row, c);
    const float* own = weight + c * count();
    const int last = count() - 1;
    float to_x = 0.0F;
    TANDEM_UNROLL
    for (int k = 0; k < kHeld; ++k) {
      const int apart = last - k;  // between the token that tap k reads and the one that it is for
      if (apart < 0) continue;
      if (row >= apart) sums[k] += gradient * *x.at(row - apart, c);
      if (row + apart < tokens) to_x += own[k] * *d_sum.at(row + apart, c);
    }
    *d_x.at(row, c) = to_x;
    sums[kHeld] += gradient;
  }
};

template <int kHeld>
void launch_backward(Stream& stream, const TensorView& x, const TensorView& weight, Matrix<float> d_sum,
                     const TensorView& d_x, const TensorView& d_weight, float* d_bias, float* scratch) {
  const std::int64_t taps = weight.extent(1);
  Totals<kHeld + 1> totals = {};
  for (int k = 0; k < static_cast<int>(taps); ++k) totals.of[k] = {d_weight.f32() + k, taps};
  totals.of[kHeld] = {d_bias};
  launch_columnwise<kHeld + 1>(
      stream, x.extent(0), x.extent(1),
      ConvBackward<kHeld>{matrix(x), d_sum, matrix(d_x), weight.f32(), static_cast<int>(taps), x.extent(0)},
      scratch, totals);
}

void check_shapes(const TensorView& x, const TensorView& weight, const TensorView& bias,
                  const TensorView& d_y, const TensorView& d_x, const TensorView& d_weight,
                  const TensorView& d_bias) {
  TANDEM_CHECK(x.rank() == 2 && x.shape() == d_y.shape() && x.shape() == d_x.shape() && weight.rank() == 2 &&
                   weight.contiguous() && d_weight.contiguous() && weight.extent(0) == x.extent(1) &&
                   weight.extent(1) >= 1 && weight.extent(1) <= kMaxTaps &&
                   d_weight.shape() == weight.shape() && bias.empty() == d_bias.empty() &&
                   (bias.empty() || (bias.shape() == Shape{x.extent(1)} && d_bias.shape() == bias.shape())),
               "causal_conv_backward: x " + x.shape().str() + ", weight " + weight.shape().str() + ", bias " +
                   bias.shape().str() + ", d_y " + d_y.shape().str() + ", d_x " + d_x.shape().str() +
                   ", d_weight " + d_weight.shape().str() + ", d_bias " + d_bias.shape().str());
}

bool is_short(const TensorView& weight) {
  return weight.extent(1) == kTaps;
}

}  // namespace

std::int64_t causal_conv_backward_scratch(TensorView x, TensorView weight) {
  return x.elements() +
         columnwise_scratch(x.extent(0), x.extent(1), (is_short(weight) ? kTaps : kMaxTaps) + 1);
}

void causal_conv_backward(Stream& stream, TensorView x, TensorView weight, TensorView bias,
                          ConvActivation activation, TensorView d_y, TensorView d_x, TensorView d_weight,
                          TensorView d_bias, TensorView scratch) {
  check_shapes(x, weight, bias, d_y, d_x, d_weight, d_bias);
  check_scratch(scratch, causal_conv_backward_scratch(x, weight), "causal_conv_backward");
  Matrix<float> before = matrix(d_y);
  if (activation == ConvActivation::Silu) {
    const TensorView d_sum(scratch.f32(), x.shape());
    before = matrix(d_sum);
    const bool wide = vectorizable(x, d_y, d_sum) && (bias.empty() || vectorizable(bias));
    launch_rowwise(stream, x.extent(0), x.extent(1), wide,
                   ThroughSilu{matrix(x), weight.f32(), bias.empty() ? nullptr : bias.f32(), weight.extent(1),
                               matrix(d_y), before});
  }
  const auto run = is_short(weight) ? launch_backward<kTaps> : launch_backward<kMaxTaps>;
  run(stream, x, weight, before, d_x, d_weight, d_bias.empty() ? nullptr : d_bias.f32(),
      scratch.f32() + x.elements());
}

}  // namespace tandem::cuda
