// Products of one row with quantised weights that stay as their file stores them: a decode step of a single
// completion reads a fraction of the bytes that packed weights have.
#pragma once

#include <span>

#include "kernels/base/context.h"
#include "kernels/base/tensor_view.h"
#include "kernels/ops/block_format.h"

namespace tandem {

/// y [1, out] = x [1, in] W^T, or y += with `accumulate`; W is the parts' rows one under the other, each of
/// `in` columns in a quantised format. x, y f32 and dense. Blocks are expanded to f32 in registers, so the
/// weights are exactly those that dequantize() gives; sums are f32. (Activations rounded to eight bits, for
/// the CPU's integer dot products, were measured and are no faster: reading the weights takes the time.)
void block_linear(Context& context, TensorView x, std::span<const BlockRows> parts, TensorView y,
                  bool accumulate = false);

}  // namespace tandem
