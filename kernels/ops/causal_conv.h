// Short depthwise causal convolution (kernel W, usually 4), whole sequences and one step.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/base/context.h"
#include "kernels/base/tensor_view.h"

namespace tandem {

enum class ConvActivation { Identity, Silu };

/// y[t,c] = act(bias[c] + sum_k weight[c,k] x[t-W+1+k, c]), inputs before the start taken from `window`, then
/// updated: window [W-1, C] holds the last W-1 inputs, oldest first (zeros for a new sequence), and receives
/// the new last ones. x [T, C] may be strided; weight [C, W]; bias [C] or empty; y [T, C]. Source:
/// models.md 2.4 step 2.
void causal_conv(Context& context, TensorView x, TensorView weight, TensorView bias,
                 ConvActivation activation, TensorView window, TensorView y);

/// One step of B sequences: row b of x [B, C] after the window of slot slots[b], which moves on. windows
/// [slots, (W-1) * C], each [W-1, C]; slots [B], all different; y [B, C].
void causal_conv_step(Context& context, TensorView x, TensorView weight, TensorView bias,
                      ConvActivation activation, TensorView windows, std::span<const std::int32_t> slots,
                      TensorView y);

}  // namespace tandem
