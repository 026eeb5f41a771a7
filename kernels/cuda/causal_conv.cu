#include "kernels/cuda/causal_conv.h"

#include "kernels/cuda/conv_filter.cuh"

namespace tandem::cuda {
namespace {

constexpr int kTokens = 16;  // of one thread, in a sequence
constexpr int kThreads = 128;

template <int kHeld>
struct ConvStep {
  Filter<kHeld> filter;
  Matrix<float> x, windows;
  const std::int32_t* slots;
  std::int64_t channels;
  Matrix<float> y;
  template <int kWidth>
  __device__ void apply(std::int64_t row, std::int64_t c) const {
    const int last = filter.count() - 1;
    float* window = windows.at(slots[row], c);
    Floats<kWidth> inputs[kHeld];
    TANDEM_UNROLL
    for (int k = 0; k < kHeld; ++k) {
      if (k <= last) inputs[k] = load<kWidth>(k < last ? window + k * channels : x.at(row, c));
    }
    TANDEM_UNROLL
    for (int k = 1; k < kHeld; ++k) {
      if (k <= last) store<kWidth>(window + (k - 1) * channels, inputs[k]);
    }
    store<kWidth>(y.at(row, c), filter.apply(inputs, c));
  }
};

/// What precedes token `token`, which may lie in the window.
__device__ __forceinline__ const float* input_at(Matrix<float> x, Matrix<float> window, std::int64_t token,
                                                 int kept, std::int64_t channel) {
  return token >= 0 ? x.at(token, channel) : window.at(token + kept, channel);
}

template <int kHeld>
__global__ void __launch_bounds__(kThreads)
    causal_conv_kernel(Filter<kHeld> filter, Matrix<float> x, Matrix<float> window, Matrix<float> y,
                       std::int64_t tokens, std::int64_t channels) {
  const std::int64_t c = std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (c >= channels) return;
  const int kept = filter.count() - 1;
  const std::int64_t begin = std::int64_t{blockIdx.y} * kTokens;
  const std::int64_t end = min(begin + kTokens, tokens);
  Floats<1> inputs[kHeld] = {};
  TANDEM_UNROLL
  for (int k = 1; k < kHeld; ++k) {
    if (k <= kept) inputs[k] = load<1>(input_at(x, window, begin - kept + k - 1, kept, c));
  }
  for (std::int64_t t = begin; t < end; ++t) {
    TANDEM_UNROLL
    for (int k = 1; k < kHeld; ++k) inputs[k - 1] = inputs[k];
    TANDEM_UNROLL
    for (int k = 0; k < kHeld; ++k) {
      if (k == kept) inputs[k] = load<1>(x.at(t, c));
    }
    store<1>(y.at(t, c), filter.apply(inputs, c));
  }
}

/// Keeps the last rows of (window, then x); a thread goes through its channel oldest first.
__global__ void __launch_bounds__(kThreads)
    window_kernel(Matrix<float> x, Matrix<float> window, std::int64_t tokens, int kept,
                  std::int64_t channels) {
  const std::int64_t c = std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (c >= channels) return;
  for (int i = 0; i < kept; ++i) *window.at(i, c) = *input_at(x, window, tokens - kept + i, kept, c);
}

void check_shapes(const TensorView& x, const TensorView& weight, const TensorView& bias,
                  const TensorView& y) {
  TANDEM_CHECK(x.rank() == 2 && x.shape() == y.shape() && weight.rank() == 2 && weight.contiguous() &&
                   weight.extent(0) == x.extent(1) && weight.extent(1) >= 1 && weight.extent(1) <= kMaxTaps &&
                   (bias.empty() || bias.shape() == Shape{x.extent(1)}),
               "causal_conv: x " + x.shape().str() + ", weight " + weight.shape().str() + ", bias " +
                   bias.shape().str() + ", y " + y.shape().str());
}

template <int kHeld>
void launch_step(Stream& stream, TensorView x, TensorView weight, TensorView bias, ConvActivation activation,
                 TensorView windows, std::span<const std::int32_t> slots, TensorView y) {
  const bool wide = vectorizable(x, windows, y) && (bias.empty() || vectorizable(bias));
  launch_rowwise(stream, x.extent(0), x.extent(1), wide,
                 ConvStep<kHeld>{make_filter<kHeld>(weight, bias, activation), matrix(x), matrix(windows),
                                 slots.data(), x.extent(1), matrix(y)});
}

}  // namespace

void causal_conv(Stream& stream, TensorView x, TensorView weight, TensorView bias, ConvActivation activation,
                 TensorView window, TensorView y) {
  check_shapes(x, weight, bias, y);
  const std::int64_t tokens = x.extent(0);
  const std::int64_t channels = x.extent(1);
  const std::int64_t kept = weight.extent(1) - 1;
  TANDEM_CHECK((window.shape() == Shape{kept, channels}), "causal_conv: window " + window.shape().str());
  const Grid over_channels = {ceil_div(channels, std::int64_t{kThreads})};
  const Grid grid = {over_channels.x, ceil_div(tokens, std::int64_t{kTokens})};
  const Matrix<float> before = matrix_or_null(window);
  if (kept + 1 == kTaps) {
    launch(stream, causal_conv_kernel<kTaps>, grid, Block{kThreads}, 0,
           make_filter<kTaps>(weight, bias, activation), matrix(x), before, matrix(y), tokens, channels);
  } else {
    launch(stream, causal_conv_kernel<kMaxTaps>, grid, Block{kThreads}, 0,
           make_filter<kMaxTaps>(weight, bias, activation), matrix(x), before, matrix(y), tokens, channels);
  }
  launch(stream, window_kernel, over_channels, Block{kThreads}, 0, matrix(x), before, tokens, kept, channels);
}

void causal_conv_step(Stream& stream, TensorView x, TensorView weight, TensorView bias,
                      ConvActivation activation, TensorView windows, std::span<const std::int32_t> slots,
                      TensorView y) {
  check_shapes(x, weight, bias, y);
  TANDEM_CHECK(std::ssize(slots) == x.extent(0) && windows.rank() == 2 &&
                   windows.extent(1) == (weight.extent(1) - 1) * x.extent(1),
               "causal_conv_step: " + std::to_string(slots.size()) + " slots and windows " +
                   windows.shape().str() + " for x " + x.shape().str());
  const auto run = weight.extent(1) == kTaps ? launch_step<kTaps> : launch_step<kMaxTaps>;
  run(stream, x, weight, bias, activation, windows, slots, y);
}

}  // namespace tandem::cuda
