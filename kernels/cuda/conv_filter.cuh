// The taps of a short depthwise convolution.
#pragma once

#include "kernels/cuda/rowwise.cuh"
#include "kernels/ops/causal_conv.h"

namespace tandem::cuda {

inline constexpr int kTaps = 4;      // of the kernels that know their number
inline constexpr int kMaxTaps = 16;  // of those that do not

/// Weights [C, W] and what follows the sum. kHeld: inputs held in registers, the number of taps unless
/// kMaxTaps.
template <int kHeld>
struct Filter {
  const float* weight;
  const float* bias;  // or null
  bool with_silu;
  int taps;

  __device__ int count() const { return kHeld == kMaxTaps ? taps : kHeld; }

  /// The output of kWidth channels from their last inputs, oldest first.
  template <int kWidth>
  __device__ Floats<kWidth> apply(const Floats<kWidth> (&inputs)[kHeld], std::int64_t channel) const {
    Floats<kWidth> sum = {};
    if (bias != nullptr) sum = load<kWidth>(bias + channel);
    TANDEM_UNROLL
    for (int i = 0; i < kWidth; ++i) {
      const float* own = weight + (channel + i) * count();
      TANDEM_UNROLL
      for (int k = 0; k < kHeld; ++k) {
        if (k < count()) sum.at[i] += own[k] * inputs[k].at[i];
      }
      if (with_silu) sum.at[i] = silu(sum.at[i]);
    }
    return sum;
  }
};

template <int kHeld>
Filter<kHeld> make_filter(const TensorView& weight, const TensorView& bias, ConvActivation activation) {
  return {weight.f32(), bias.empty() ? nullptr : bias.f32(), activation == ConvActivation::Silu,
          static_cast<int>(weight.extent(1))};
}

}  // namespace tandem::cuda
