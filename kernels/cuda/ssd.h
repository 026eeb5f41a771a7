// The state-space recurrence on the device: the operands of kernels/ops/ssd.h. f32, state and sums included.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/base/tensor_view.h"
#include "kernels/cuda/stream.h"
#include "kernels/ops/ssd.h"

namespace tandem::cuda {

/// One token of each of R sequences: row r updates the state of slot slots[r] in place. states [slots,
/// H*P*N], each [H, P, N]; slots [R] on the device, all different; y [R, H*P], rows may be strided. Launch:
/// blocks of 128 threads per row, head and as many rows of the state as they hold with four a thread;
/// neighbours in a warp are neighbours in a state's row. Moves 2 * R * H*P*N floats of state, and the
/// operands, of which b and c once per block.
void ssd_step(Stream& stream, const SsdOperands& operands, TensorView states,
              std::span<const std::int32_t> slots, TensorView y);

}  // namespace tandem::cuda
