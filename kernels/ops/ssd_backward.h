// Backward passes of the state-space recurrence (kernels/ops/ssd.h): of the chunked scan, and of the mixing
// matrix itself (MOHAWK stage 1).
#pragma once

#include <cstdint>

#include "kernels/ops/ssd.h"

namespace tandem {

/// Where the gradients of the operands go, in the operands' shapes; rows may be strided. x, b, c, log_decay
/// and dt are written (summed over the heads that share a source), skip [H] is added to. x may be empty when
/// only a matrix's gradient is asked for; dt is empty when the operands have none.
struct SsdGradients {
  TensorView x, b, c, log_decay, dt, skip;
};

/// Of ssd_scan over one sequence. initial_state [H, P, N]: the state before the first token, or empty for
/// zeros. d_y [R, H*P]. d_state [H, P, N], or empty for zeros: in, the gradient of the final state; out, that
/// of the initial state. States between chunks are computed again.
void ssd_scan_backward(Context& context, const SsdOperands& operands, TensorView initial_state,
                       std::int64_t chunk, TensorView d_y, TensorView d_state, const SsdGradients& gradients);

/// Of the matrices m [H, R, R] that ssd_matrix gives for all heads in order, with the skip added on their
/// diagonals: d_m [H, R, R], of which only the lower triangle is read. The matrices do not depend on x:
/// gradients.x stays as it is.
void ssd_matrix_backward(Context& context, const SsdOperands& operands, TensorView d_m,
                         const SsdGradients& gradients);

}  // namespace tandem
