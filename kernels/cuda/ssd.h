// The state-space recurrence on the device: the operands of kernels/ops/ssd.h. f32, state and sums included.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/base/tensor_view.h"
#include "kernels/cuda/stream.h"
#include "kernels/ops/ssd.h"

namespace tandem::cuda {

/// Floats of scratch memory that ssd_scan wants: the state of every 64 tokens.
std::int64_t ssd_scan_scratch(const SsdOperands& operands);

/// R tokens of one sequence, in chunks of 64. state [H, P, N] contiguous, in and out; y [R, H*P], rows may be
/// strided. Launch: blocks of 256 threads per chunk, head and 64 x 64 numbers of the state; a thread per
/// number of the state, chunk after chunk; blocks of 256 threads per chunk, head and 64 dimensions. Moves the
/// operands twice, y once, and 4 * R/64 * H*P*N floats of states; 2 * R * H * (64 * (P + N) / 2 + 2 * P*N)
/// operations.
void ssd_scan(Stream& stream, const SsdOperands& operands, TensorView state, TensorView scratch,
              TensorView y);

/// For the heads listed (on the host, H' of them): decay L [H', T, T], content (C_i . B_j) dt_j [H', T, T],
/// and their product m; 0 above the diagonal. The skip is not included. Any output may be empty. Launch:
/// blocks of 256 threads per head and 64 x 64 numbers. Writes each output once, H' * T^2 floats; H' * T^2 / 2
/// * N multiply-adds.
void ssd_matrix(Stream& stream, const SsdOperands& operands, std::span<const std::int64_t> heads,
                TensorView decay, TensorView content, TensorView m);

/// The diagonal of m [H, T, T], contiguous, += values [H], each to its matrix. Launch: a thread per number of
/// the diagonals.
void add_diagonals(Stream& stream, TensorView values, TensorView m);

}  // namespace tandem::cuda
