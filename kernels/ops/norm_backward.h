// Backward passes of the norms (kernels/ops/norm.h). Activations' gradients are written, parameters' added
// to.
#pragma once

#include "kernels/base/context.h"
#include "kernels/base/tensor_view.h"

namespace tandem {

/// Of rms_norm: x, d_y, d_x [rows, C]; weight, d_weight [C]. d_x = , d_weight +=. d_x may alias d_y.
void rms_norm_backward(Context& context, TensorView x, TensorView weight, float eps, TensorView d_y,
                       TensorView d_x, TensorView d_weight);

/// Of gated_group_norm: y as it was before (the op overwrites it), z, d_out, d_y, d_z [rows, C]; weight,
/// d_weight [C]. d_y = , d_z = , d_weight +=. d_y may alias d_out; z and d_z may be strided.
void gated_group_norm_backward(Context& context, TensorView y, TensorView z, TensorView weight,
                               std::int64_t group, float eps, TensorView d_out, TensorView d_y,
                               TensorView d_z, TensorView d_weight);

}  // namespace tandem
