// Rotary position embedding on the device.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/base/tensor_view.h"
#include "kernels/cuda/stream.h"

namespace tandem::cuda {

/// Rotates pairs (m, m + D/2) of each head by positions[row] * frequencies[m], in place. x [rows, heads * D]
/// f32, rows may be strided; positions one per row, or none: row t is at position t; frequencies [D/2], D up
/// to 256. Both on the device. Launch: a block of 128 threads per row and 8 heads, which share their sines.
/// Moves 2 * rows * heads * D floats.
void rope(Stream& stream, TensorView x, std::int64_t heads, std::span<const std::int32_t> positions,
          std::span<const float> frequencies);

/// d_x, the gradient of what rope() made, becomes the gradient of what it was given: a rotation by the
/// opposite angles. Operands, launch and traffic are rope()'s.
void rope_backward(Stream& stream, TensorView d_x, std::int64_t heads,
                   std::span<const std::int32_t> positions, std::span<const float> frequencies);

}  // namespace tandem::cuda
