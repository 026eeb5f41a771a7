// Backward pass of the short causal convolution (kernels/ops/causal_conv.h) over a sequence that began with
// an empty window.
#pragma once

#include "kernels/ops/causal_conv.h"

namespace tandem {

/// x, d_y, d_x [T, C]; weight, d_weight [C, W]; bias, d_bias [C] or both empty. d_x = , d_weight += ,
/// d_bias += . x and d_x may be strided; d_x must not alias d_y.
void causal_conv_backward(Context& context, TensorView x, TensorView weight, TensorView bias,
                          ConvActivation activation, TensorView d_y, TensorView d_x, TensorView d_weight,
                          TensorView d_bias);

}  // namespace tandem
