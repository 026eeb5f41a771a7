// Backward passes of the norms on the device: the operands of kernels/ops/norm_backward.h. f32, accumulated
// in f32. Gradients of activations are written, those of parameters added to. Launch: a block of 256 threads
// per row and group for what its channels share; a thread per column of 64 rows for the gradients.
#pragma once

#include "kernels/base/tensor_view.h"
#include "kernels/cuda/stream.h"

namespace tandem::cuda {

/// Floats of scratch memory that the two want.
std::int64_t rms_norm_backward_scratch(TensorView x);
std::int64_t gated_group_norm_backward_scratch(TensorView y, std::int64_t group);

/// Of rms_norm: x, d_y, d_x [rows, C], rows may be strided; weight, d_weight [C]. d_x = , d_weight +=. d_x
/// may alias d_y. Moves 5 * rows * C floats.
void rms_norm_backward(Stream& stream, TensorView x, TensorView weight, float eps, TensorView d_y,
                       TensorView d_x, TensorView d_weight, TensorView scratch);

/// Of gated_group_norm: y as it was before (the op overwrites it), z, d_out, d_y, d_z [rows, C], rows may be
/// strided; weight, d_weight [C]. d_y = , d_z = , d_weight +=. d_y may alias d_out. Moves 8 * rows * C
/// floats.
void gated_group_norm_backward(Stream& stream, TensorView y, TensorView z, TensorView weight,
                               std::int64_t group, float eps, TensorView d_out, TensorView d_y,
                               TensorView d_z, TensorView d_weight, TensorView scratch);

}  // namespace tandem::cuda
