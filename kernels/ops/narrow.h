// Conversion of f32 to bf16, for the products that take it.
#pragma once

#include <cstdint>

#include "kernels/base/dtype.h"

namespace tandem {

/// to[i] = from[i], rounded to nearest even; NaN stays NaN. On the calling thread.
void narrow(const float* from, BFloat16* to, std::int64_t count);

}  // namespace tandem
