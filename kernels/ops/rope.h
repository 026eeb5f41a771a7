// Rotary position embedding, half-rotation convention (models.md 1.4).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/base/context.h"
#include "kernels/base/tensor_view.h"
#include "kernels/ops/attention.h"

namespace tandem {

/// Rotates pairs (m, m + D/2) of each head by positions[row] * frequencies[m], in place.
/// x [rows, heads * D] may be strided; positions one per row, or none at all: row t is at position t;
/// frequencies [D/2].
void rope(Context& context, TensorView x, std::int64_t heads, std::span<const std::int32_t> positions,
          std::span<const float> frequencies);

/// The newest token of each slot, its row of qkv [B, (H + 2K) * D] holding query, key and value heads: rotates
/// the queries in place, and puts rotated keys, and values, into the caches (append_heads). What is left in
/// the keys' columns is not said.
void rope_append(Context& context, TensorView qkv, std::int64_t nheads, std::span<const float> frequencies,
                 const SlotCaches& own);

}  // namespace tandem
