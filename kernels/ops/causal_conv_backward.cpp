// Threads share the channels: every thread sees all tokens of its channels, so nothing is summed across
// threads.
#include "kernels/ops/causal_conv_backward.h"

#include <cstddef>

#include "kernels/base/parallel.h"

#ifndef TANDEM_KERNELS_OPS_CONV_CHANNELS_
#define TANDEM_KERNELS_OPS_CONV_CHANNELS_
namespace tandem {
namespace {

// `count` channels of a sequence; rows of x, d_y, d_x and d_sum are `*_stride` apart; taps and d_taps [W,
// count], tap W-1 for the token itself; bias and d_bias may be null.
struct ConvChannels {
  const float* x;
  std::size_t x_stride;
  const float* d_y;
  std::size_t d_y_stride;
  float* d_x;
  std::size_t d_x_stride;
  const float* d_sum;  // the gradient before the activation
  std::size_t d_sum_stride;
  const float* taps;
  float* d_taps;
  const float* bias;
  float* d_bias;
  std::size_t tokens, kernel, count;
};

}  // namespace
}  // namespace tandem
#endif  // once for all targets

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/ops/causal_conv_backward.cpp"
#include <hwy/foreach_target.h>

#include "kernels/ops/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tandem::HWY_NAMESPACE {

// d_sum [tokens, count]: d_sum[t] = d_y[t] silu'(bias + sum_k taps[k] x[t - W + 1 + k])
void through_silu(const ConvChannels& v, float* d_sum) {
  const FloatTag d;
  for (std::size_t t = 0; t < v.tokens; ++t) {
    for_vectors(d, v.count, [&](std::size_t c, std::size_t n) HWY_ATTR {
      FloatVec sum = v.bias == nullptr ? hn::Zero(d) : load_n(d, v.bias + c, n);
      for (std::size_t back = 0; back < std::min(v.kernel, t + 1); ++back) {
        const FloatVec input = load_n(d, v.x + (t - back) * v.x_stride + c, n);
        sum = hn::MulAdd(load_n(d, v.taps + (v.kernel - 1 - back) * v.count + c, n), input, sum);
      }
      FloatVec value;
      FloatVec slope;
      silu_and_slope(d, sum, value, slope);
      store_n(hn::Mul(load_n(d, v.d_y + t * v.d_y_stride + c, n), slope), d, d_sum + t * v.count + c, n);
    });
  }
}

void convolve_backward(const ConvChannels& v) {
  const FloatTag d;
  for_vectors(d, v.count, [&](std::size_t c, std::size_t n) HWY_ATTR {
    FloatVec total = hn::Zero(d);
    for (std::size_t t = 0; t < v.tokens; ++t)
      total = hn::Add(total, load_n(d, v.d_sum + t * v.d_sum_stride + c, n));
    if (v.d_bias != nullptr) store_n(hn::Add(load_n(d, v.d_bias + c, n), total), d, v.d_bias + c, n);
    for (std::size_t back = 0; back < v.kernel; ++back) {
      float* tap = v.d_taps + (v.kernel - 1 - back) * v.count + c;
      FloatVec sum = hn::Zero(d);
      for (std::size_t t = back; t < v.tokens; ++t)
        sum = hn::MulAdd(load_n(d, v.d_sum + t * v.d_sum_stride + c, n),
                         load_n(d, v.x + (t - back) * v.x_stride + c, n), sum);
      store_n(sum, d, tap, n);
    }
    for (std::size_t t = 0; t < v.tokens; ++t) {
      FloatVec sum = hn::Zero(d);
      for (std::size_t ahead = 0; ahead < std::min(v.kernel, v.tokens - t); ++ahead)
        sum = hn::MulAdd(load_n(d, v.taps + (v.kernel - 1 - ahead) * v.count + c, n),
                         load_n(d, v.d_sum + (t + ahead) * v.d_sum_stride + c, n), sum);
      store_n(sum, d, v.d_x + t * v.d_x_stride + c, n);
    }
  });
}

}  // namespace tandem::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tandem {
HWY_EXPORT(through_silu);
HWY_EXPORT(convolve_backward);

namespace {

constexpr std::int64_t kChannels = 64;  // of one task
constexpr std::int64_t kMaxKernel = 16;

void check_shapes(const TensorView& x, const TensorView& weight, const TensorView& bias,
                  const TensorView& d_y, const TensorView& d_x, const TensorView& d_weight,
                  const TensorView& d_bias) {
  TANDEM_CHECK(x.rank() == 2 && x.shape() == d_y.shape() && x.shape() == d_x.shape() && weight.rank() == 2 &&
                   weight.extent(0) == x.extent(1) && weight.extent(1) >= 1 &&
                   weight.extent(1) <= kMaxKernel && d_weight.shape() == weight.shape() &&
                   bias.empty() == d_bias.empty() &&
                   (bias.empty() || (bias.shape() == Shape{x.extent(1)} && d_bias.shape() == bias.shape())),
               "causal_conv_backward: x " + x.shape().str() + ", weight " + weight.shape().str() + ", bias " +
                   bias.shape().str() + ", d_y " + d_y.shape().str() + ", d_x " + d_x.shape().str() +
                   ", d_weight " + d_weight.shape().str() + ", d_bias " + d_bias.shape().str());
}

std::size_t size(std::int64_t extent) {
  return static_cast<std::size_t>(extent);
}

}  // namespace

void causal_conv_backward(Context& context, TensorView x, TensorView weight, TensorView bias,
                          ConvActivation activation, TensorView d_y, TensorView d_x, TensorView d_weight,
                          TensorView d_bias) {
  check_shapes(x, weight, bias, d_y, d_x, d_weight, d_bias);
  if (DeviceQueue* queue = context.queue())
    return queue->causal_conv_backward(x, weight, bias, activation, d_y, d_x, d_weight, d_bias);
  const std::int64_t tokens = x.extent(0);
  const std::int64_t channels = x.extent(1);
  const std::int64_t kernel = weight.extent(1);
  const std::int64_t blocks = (channels + kChannels - 1) / kChannels;
  const bool with_silu = activation == ConvActivation::Silu;
  const ScratchScope scope(context);
  const std::int64_t floats = 2 * kernel * kChannels + (with_silu ? tokens * kChannels : 0);
  float* memory = context.scratch(blocks * floats);
  const double block_ns = 0.15 * static_cast<double>(tokens * kChannels * kernel);
  parallel_over(context, blocks, block_ns, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t block = begin; block < end; ++block) {
      const std::int64_t first = block * kChannels;
      const std::int64_t count = std::min(kChannels, channels - first);
      float* taps = memory + block * floats;
      float* d_taps = taps + kernel * count;
      float* d_sum = d_taps + kernel * count;
      for (std::int64_t k = 0; k < kernel; ++k)
        for (std::int64_t c = 0; c < count; ++c) taps[k * count + c] = weight.row(first + c)[k];
      ConvChannels v = {x.f32() + first,
                        size(x.stride(0)),
                        d_y.f32() + first,
                        size(d_y.stride(0)),
                        d_x.f32() + first,
                        size(d_x.stride(0)),
                        d_y.f32() + first,
                        size(d_y.stride(0)),
                        taps,
                        d_taps,
                        bias.empty() ? nullptr : bias.f32() + first,
                        d_bias.empty() ? nullptr : d_bias.f32() + first,
                        size(tokens),
                        size(kernel),
                        size(count)};
      if (with_silu) {
        HWY_DYNAMIC_DISPATCH(through_silu)(v, d_sum);
        v.d_sum = d_sum;
        v.d_sum_stride = size(count);
      }
      HWY_DYNAMIC_DISPATCH(convolve_backward)(v);
      for (std::int64_t k = 0; k < kernel; ++k)
        for (std::int64_t c = 0; c < count; ++c) d_weight.row(first + c)[k] += d_taps[k * count + c];
    }
  });
}

}  // namespace tandem
#endif
