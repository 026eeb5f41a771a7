// Moving, repeating and clearing rows without arithmetic.
#pragma once

#include <cstdint>

#include "kernels/base/context.h"
#include "kernels/base/tensor_view.h"

namespace tandem {

/// to = from. [rows, C] each, f32, rows may be strided; they must not overlap. On a device `to`,
/// or both, may be bf16.
void copy(Context& context, TensorView from, TensorView to);

/// x = 0; any contiguous f32 tensor.
void clear(Context& context, TensorView x);

/// Head h of y [rows, nheads * P] = head h / (nheads / heads) of x [rows, heads * P]; x may be strided.
void repeat_heads(Context& context, TensorView x, std::int64_t heads, std::int64_t nheads, TensorView y);

}  // namespace tandem
