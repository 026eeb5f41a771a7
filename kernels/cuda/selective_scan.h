// The recurrence of Mamba-1 on the device: the operands of kernels/ops/selective_scan.h. f32, state and sums
// included.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/base/tensor_view.h"
#include "kernels/cuda/stream.h"
#include "kernels/ops/selective_scan.h"

namespace tandem::cuda {

/// One token of each of R sequences: row r updates the state of slot slots[r] in place. states [slots, E*N],
/// each [E, N], f32 or bf16; slots [R] on the device, all different; y [R, E], rows may be strided. Launch: blocks of 128
/// threads per row and as many channels as they hold with four a thread; neighbours in a warp are neighbours
/// in a state's row. Moves 2 * R * E*N elements of state, the operands, and A [E, N] once if it stays in the
/// cache.
void selective_step(Stream& stream, const SelectiveOperands& operands, TensorView states,
                    std::span<const std::int32_t> slots, TensorView y);

/// R tokens of one sequence. state [E, N] contiguous, in and out, N up to 256; y [R, E], rows may be strided.
/// Launch: blocks of 128 threads for as many channels as their states take with a few numbers a thread, which
/// go through the tokens one after another. Moves the operands and y once, and the state in and out; R * E *
/// N exponentials.
void selective_scan(Stream& stream, const SelectiveOperands& operands, TensorView state, TensorView y);

/// For the heads listed (on the host, H' of them), each of E / nheads channels: the mean of its channels'
/// mixing matrices, m [H', T, T], 0 above the diagonal. Launch: blocks of 256 threads per head and 64 x 64
/// numbers. Writes H' * T^2 floats; bound by H' * T^2 / 2 * E / nheads * N exponentials.
void selective_matrix(Stream& stream, const SelectiveOperands& operands, std::span<const std::int64_t> heads,
                      std::int64_t nheads, TensorView m);

}  // namespace tandem::cuda
