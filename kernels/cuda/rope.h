// Rotary position embedding on the device.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/base/tensor_view.h"
#include "kernels/cuda/stream.h"
#include "kernels/ops/attention.h"

namespace tandem::cuda {

/// Rotates pairs (m, m + D/2) of each head by positions[row] * frequencies[m], in place. x [rows, heads * D]
/// f32, rows may be strided; positions one per row, or none: row t is at position t; frequencies [D/2], D up
/// to 256. Both on the device. Launch: a block of 128 threads per row and 8 heads, which share their sines.
/// Moves 2 * rows * heads * D floats.
void rope(Stream& stream, TensorView x, std::int64_t heads, std::span<const std::int32_t> positions,
          std::span<const float> frequencies);

/// The newest token of each slot: qkv [B, (H + 2K) * D] f32, rows may be strided; rotates its queries in place
/// and puts rotated keys, and values, into the caches of `own` [slots, K, capacity, D], f32 or bf16, at entry
/// positions[b] - first of slot slot_ids[b]. Launch: a block of 128 threads per row and 8 heads. Moves 2 * B *
/// (H + 2K) * D elements.
void rope_append(Stream& stream, TensorView qkv, std::int64_t nheads, std::span<const float> frequencies,
                 const SlotCaches& own);

/// d_x, the gradient of what rope() made, becomes the gradient of what it was given: a rotation by the
/// opposite angles. Operands, launch and traffic are rope()'s.
void rope_backward(Stream& stream, TensorView d_x, std::int64_t heads,
                   std::span<const std::int32_t> positions, std::span<const float> frequencies);

}  // namespace tandem::cuda
