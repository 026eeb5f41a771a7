// Backward passes of the state-space recurrence on the device: the operands of kernels/ops/ssd_backward.h.
// f32, with sums of log decays in double.
#pragma once

#include "kernels/base/tensor_view.h"
#include "kernels/cuda/stream.h"
#include "kernels/ops/ssd_backward.h"

namespace tandem::cuda {

/// Floats of scratch memory that the two want.
std::int64_t ssd_scan_backward_scratch(const SsdOperands& operands);
std::int64_t ssd_matrix_backward_scratch(const SsdOperands& operands);

/// Of ssd_scan over one sequence, in chunks of 64. initial_state and d_state as in the op, either may be left
/// out; d_y [R, H*P]. Gradients of heads that share a source of x, b or c are added up in order. Launch:
/// blocks of 256 threads per chunk and head, once each for states, their gradients and the mixing matrix,
/// then per 64 dimensions of x, b and c; threads per token and head for the decays. Moves the operands and
/// gradients a few times and 8 * R/64 * H*P*N floats of states.
void ssd_scan_backward(Stream& stream, const SsdOperands& operands, TensorView initial_state, TensorView d_y,
                       TensorView d_state, const SsdGradients& gradients, TensorView scratch);

/// Of the matrices m [H, R, R] of all heads with the skip on their diagonals: d_m [H, R, R], contiguous, of
/// which only the lower triangle is read. gradients.x stays as it is. Launch: blocks of 256 threads per tile
/// of 64 x 64 and head, then per 64 tokens, head and 64 dimensions of b and c. Moves 4 * H*R*R floats.
void ssd_matrix_backward(Stream& stream, const SsdOperands& operands, TensorView d_m,
                         const SsdGradients& gradients, TensorView scratch);

}  // namespace tandem::cuda
