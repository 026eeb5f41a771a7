// Short depthwise causal convolution on the device: the operands of kernels/ops/causal_conv.h. f32,
// accumulated in f32. At most 16 taps; 4 have a kernel of their own.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/base/tensor_view.h"
#include "kernels/cuda/stream.h"
#include "kernels/ops/causal_conv.h"

namespace tandem::cuda {

/// y[t,c] = act(bias[c] + sum_k weight[c,k] x[t-W+1+k, c]), inputs before the start taken from `window` [W-1,
/// C], which receives the last W-1. x, y [T, C], rows may be strided, not aliased; weight [C, W]; bias [C] or
/// empty. Launch: a thread per channel and 16 tokens, then a thread per channel for the window. Moves 2 * T *
/// C floats, of x 19/16.
void causal_conv(Stream& stream, TensorView x, TensorView weight, TensorView bias, ConvActivation activation,
                 TensorView window, TensorView y);

/// One step of B sequences: row b of x [B, C] after the window of slot slots[b], which moves on. windows
/// [slots, (W-1) * C]; slots [B] on the device, all different; y [B, C]. Launch: a thread per row and four
/// channels. Moves B * C * 2 * W floats, and the weight.
void causal_conv_step(Stream& stream, TensorView x, TensorView weight, TensorView bias,
                      ConvActivation activation, TensorView windows, std::span<const std::int32_t> slots,
                      TensorView y);

}  // namespace tandem::cuda
