// Backward pass of the short causal convolution on the device: the operands of
// kernels/ops/causal_conv_backward.h. f32.
#pragma once

#include "kernels/base/tensor_view.h"
#include "kernels/cuda/stream.h"
#include "kernels/ops/causal_conv.h"

namespace tandem::cuda {

/// Floats of scratch memory that causal_conv_backward wants.
std::int64_t causal_conv_backward_scratch(TensorView x, TensorView weight);

/// Of one sequence that began with an empty window. x, d_y, d_x [T, C], rows may be strided; weight, d_weight
/// [C, W], W up to 16; bias, d_bias [C] or both empty. d_x = , d_weight += , d_bias += . d_x must not alias
/// d_y. Launch: a thread per four neighbours of a row for the gradient before the activation, then one per
/// column of 64 rows. Moves about 5 * T * C floats; the W rows that a token sees come from the cache.
void causal_conv_backward(Stream& stream, TensorView x, TensorView weight, TensorView bias,
                          ConvActivation activation, TensorView d_y, TensorView d_x, TensorView d_weight,
                          TensorView d_bias, TensorView scratch);

}  // namespace tandem::cuda
