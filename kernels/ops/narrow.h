// Conversion of f32 to bf16, for the products that take it.
#pragma once

#include <cstdint>

#include "kernels/base/context.h"
#include "kernels/base/dtype.h"
#include "kernels/base/tensor_view.h"

namespace tandem {

/// to[i] = from[i], rounded to nearest even; NaN stays NaN. On the calling thread.
void narrow(const float* from, BFloat16* to, std::int64_t count);

/// The same for matrices: x [M, N] f32, rows may be strided; y [M, N] bf16, contiguous.
void narrow(Context& context, TensorView x, TensorView y);

}  // namespace tandem
