// Moving rows on the device without arithmetic: the operands of kernels/ops/{copy,embedding}.h and
// append_heads. Launch: a thread per four neighbours of a row (per element where rows are not aligned). What
// is read and written once is the floor.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/base/tensor_view.h"
#include "kernels/cuda/stream.h"

namespace tandem::cuda {

/// to = from. [rows, C] each, f32 or bf16, but not from bf16 to f32; rows may be strided; they must not
/// overlap. Moves 2 * rows * C elements.
void copy(Stream& stream, TensorView from, TensorView to);

/// Head h of y [rows, nheads * P] = head h / (nheads / heads) of x [rows, heads * P]; rows may be strided.
void repeat_heads(Stream& stream, TensorView x, std::int64_t heads, std::int64_t nheads, TensorView y);

/// x [T, C] f32 = rows `ids` of table [V, C], f32 or bf16. ids on the device, inside the table: not checked.
/// Moves T * C elements of the table and of x.
void embedding(Stream& stream, TensorView table, std::span<const std::int32_t> ids, TensorView x);

/// Puts the heads of x [B, K*D] f32, whose rows may be strided, into a cache [slots, K, capacity, D], f32 or
/// bf16: head k of row b becomes entry positions[b] - first of head k of slot slots[b]. Without positions row
/// t is at position t; without slots all rows go to slot 0. Both on the device, not checked. Moves 2 * B * K
/// * D elements.
void append_heads(Stream& stream, TensorView x, std::span<const std::int32_t> slots,
                  std::span<const std::int32_t> positions, std::int64_t first, TensorView cache);

}  // namespace tandem::cuda
