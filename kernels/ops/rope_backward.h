// Backward pass of the rotary embedding (kernels/ops/rope.h).
#pragma once

#include <cstdint>
#include <span>

#include "kernels/base/context.h"
#include "kernels/base/tensor_view.h"

namespace tandem {

/// d_x [rows, heads * D], the gradient of what rope() made, becomes the gradient of what it was given: a
/// rotation by the opposite angles, in place. May be strided.
void rope_backward(Context& context, TensorView d_x, std::int64_t heads,
                   std::span<const std::int32_t> positions, std::span<const float> frequencies);

}  // namespace tandem
