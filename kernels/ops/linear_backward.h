// Backward pass of the linear layer y = x W^T (kernels/ops/matmul.h).
#pragma once

#include "kernels/base/context.h"
#include "kernels/base/tensor_view.h"
#include "kernels/ops/matmul.h"

namespace tandem {

/// Of y = x W^T: d_x [M, in] = d_y W, and d_weight [out, in] += d_y^T x. x [M, in], weight [out, in],
/// d_y [M, out]; rows may be strided. An empty d_x or d_weight is left out. f32 throughout.
void linear_backward(Context& context, TensorView x, TensorView weight, TensorView d_y, TensorView d_x,
                     TensorView d_weight);

/// The same with products in bf16 that accumulate in f32: x bf16 and contiguous, `weight` W^T packed
/// (PackedMatrix::pack_whole); d_y, d_x and d_weight f32.
void linear_backward(Context& context, TensorView x, const PackedMatrix& weight, TensorView d_y,
                     TensorView d_x, TensorView d_weight);

}  // namespace tandem
