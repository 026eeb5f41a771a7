// Rows of an embedding table, and what flows back into them.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/base/context.h"
#include "kernels/base/tensor_view.h"
#include "kernels/ops/block_format.h"

namespace tandem {

/// x [T, C] = rows `ids` of table [V, C], which is f32 or bf16.
void embedding(Context& context, TensorView table, std::span<const std::int32_t> ids, TensorView x);

/// The same from a table as a weight file stores it.
void embedding(Context& context, const BlockRows& table, std::span<const std::int32_t> ids, TensorView x);

/// d_table [V, C]: row ids[t] += row t of d_x [T, C].
void embedding_backward(Context& context, std::span<const std::int32_t> ids, TensorView d_x,
                        TensorView d_table);

}  // namespace tandem
