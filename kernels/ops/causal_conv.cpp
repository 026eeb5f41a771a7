#include "kernels/ops/causal_conv.h"

#include <iterator>

#include "kernels/base/parallel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/ops/causal_conv.cpp"
#include <hwy/foreach_target.h>

#include "kernels/ops/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tandem::HWY_NAMESPACE {

// y = act(bias + sum_k taps[k] * inputs[k]), all rows of `count` channels; bias may be null.
void convolve_row(const float* const* inputs, const float* taps, std::size_t kernel, const float* bias,
                  bool with_silu, float* y, std::size_t count) {
  const FloatTag d;
  for_vectors(d, count, [&](std::size_t c, std::size_t n) HWY_ATTR {
    FloatVec sum = bias == nullptr ? hn::Zero(d) : load_n(d, bias + c, n);
    for (std::size_t k = 0; k < kernel; ++k) {
      sum = hn::MulAdd(load_n(d, taps + k * count + c, n), load_n(d, inputs[k] + c, n), sum);
    }
    store_n(with_silu ? silu(d, sum) : sum, d, y + c, n);
  });
}

// The same for one new input x after `window` [kernel - 1, count], which moves on by it.
void convolve_step(const float* x, const float* taps, std::size_t kernel, const float* bias, bool with_silu,
                   float* window, float* y, std::size_t count) {
  const FloatTag d;
  for_vectors(d, count, [&](std::size_t c, std::size_t n) HWY_ATTR {
    FloatVec sum = bias == nullptr ? hn::Zero(d) : load_n(d, bias + c, n);
    for (std::size_t k = 0; k < kernel; ++k) {
      const FloatVec input = load_n(d, k + 1 < kernel ? window + k * count + c : x + c, n);
      sum = hn::MulAdd(load_n(d, taps + k * count + c, n), input, sum);
      if (k > 0) store_n(input, d, window + (k - 1) * count + c, n);
    }
    store_n(with_silu ? silu(d, sum) : sum, d, y + c, n);
  });
}

}  // namespace tandem::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tandem {
HWY_EXPORT(convolve_row);
HWY_EXPORT(convolve_step);

namespace {

constexpr std::int64_t kMaxKernel = 16;

// Weight [C, W] as [W, C], so that lanes run over channels.
const float* channels_last(Context& context, const TensorView& weight) {
  const std::int64_t channels = weight.extent(0);
  const std::int64_t kernel = weight.extent(1);
  float* taps = context.scratch(channels * kernel);
  for (std::int64_t c = 0; c < channels; ++c) {
    for (std::int64_t k = 0; k < kernel; ++k) taps[k * channels + c] = weight.row(c)[k];
  }
  return taps;
}

void check_shapes(const TensorView& x, const TensorView& weight, const TensorView& bias,
                  const TensorView& y) {
  TANDEM_CHECK(x.rank() == 2 && x.shape() == y.shape() && weight.rank() == 2 &&
                   weight.extent(0) == x.extent(1) && weight.extent(1) >= 1 &&
                   weight.extent(1) <= kMaxKernel && (bias.empty() || bias.shape() == Shape{x.extent(1)}),
               "causal_conv: x " + x.shape().str() + ", weight " + weight.shape().str() + ", bias " +
                   bias.shape().str() + ", y " + y.shape().str());
}

const float* data_or_null(const TensorView& bias) {
  return bias.empty() ? nullptr : bias.f32();
}

// Keeps the last W-1 rows of (window, then x).
void update_window(const TensorView& x, const TensorView& window) {
  const std::int64_t kept = window.extent(0);
  const std::int64_t fresh = std::min(kept, x.extent(0));
  const std::int64_t channels = window.extent(1);
  for (std::int64_t i = 0; i < kept; ++i) {
    const float* from = i + fresh < kept ? window.row(i + fresh) : x.row(x.extent(0) - kept + i);
    std::copy_n(from, channels, window.row(i));
  }
}

}  // namespace

void causal_conv(Context& context, TensorView x, TensorView weight, TensorView bias,
                 ConvActivation activation, TensorView window, TensorView y) {
  check_shapes(x, weight, bias, y);
  const std::int64_t channels = x.extent(1);
  const std::int64_t kernel = weight.extent(1);
  TANDEM_CHECK((window.shape() == Shape{kernel - 1, channels}),
               "causal_conv: window " + window.shape().str());
  if (DeviceQueue* queue = context.queue()) return queue->causal_conv(x, weight, bias, activation, window, y);
  const ScratchScope scope(context);
  const float* taps = channels_last(context, weight);
  parallel_over(context, x.extent(0), 0.3 * static_cast<double>(channels),
                [&](std::int64_t begin, std::int64_t end) {
                  const float* inputs[kMaxKernel];
                  for (std::int64_t t = begin; t < end; ++t) {
                    for (std::int64_t k = 0; k < kernel; ++k) {
                      const std::int64_t source = t - kernel + 1 + k;
                      inputs[k] = source >= 0 ? x.row(source) : window.row(source + kernel - 1);
                    }
                    HWY_DYNAMIC_DISPATCH(convolve_row)
                    (inputs, taps, static_cast<std::size_t>(kernel), data_or_null(bias),
                     activation == ConvActivation::Silu, y.row(t), static_cast<std::size_t>(channels));
                  }
                });
  update_window(x, window);
}

void causal_conv_step(Context& context, TensorView x, TensorView weight, TensorView bias,
                      ConvActivation activation, TensorView windows, std::span<const std::int32_t> slots,
                      TensorView y) {
  check_shapes(x, weight, bias, y);
  const std::int64_t channels = x.extent(1);
  const std::int64_t kernel = weight.extent(1);
  TANDEM_CHECK(
      std::ssize(slots) == x.extent(0) && windows.rank() == 2 && windows.extent(1) == (kernel - 1) * channels,
      "causal_conv_step: " + std::to_string(slots.size()) + " slots of windows " + windows.shape().str() +
          " for x " + x.shape().str());
  if (DeviceQueue* queue = context.queue())
    return queue->causal_conv_step(x, weight, bias, activation, windows, slots, y);
  const ScratchScope scope(context);
  const float* taps = channels_last(context, weight);
  parallel_over(context, x.extent(0), 0.4 * static_cast<double>(channels),
                [&](std::int64_t begin, std::int64_t end) {
                  for (std::int64_t b = begin; b < end; ++b) {
                    HWY_DYNAMIC_DISPATCH(convolve_step)
                    (x.row(b), taps, static_cast<std::size_t>(kernel), data_or_null(bias),
                     activation == ConvActivation::Silu, windows.row(slots[static_cast<std::size_t>(b)]),
                     y.row(b), static_cast<std::size_t>(channels));
                  }
                });
}

}  // namespace tandem
#endif
