// The AdamW update on the device, and what clipping's norm is summed from: kernels/ops/adamw.h. f32.
#pragma once

#include "kernels/base/tensor_view.h"
#include "kernels/cuda/stream.h"
#include "kernels/ops/adamw.h"

namespace tandem::cuda {

/// All of one shape, contiguous; value, m and v are updated in place. Launch: a thread per four neighbours
/// (per element where they are not aligned). Moves 7 floats an element.
void adamw(Stream& stream, TensorView gradient, const AdamWRule& rule, TensorView value, TensorView m,
           TensorView v);

/// sums [squares_count()]: those of the squares of every kSquaresSpan elements of a contiguous tensor.
/// Launch: a block of 256 threads each. Moves every element once.
void sums_of_squares(Stream& stream, TensorView x, TensorView sums);

}  // namespace tandem::cuda
