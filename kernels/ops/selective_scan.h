// The recurrence of Mamba-1, with a decay of its own for every channel and state:
// s_t[e,m] = exp(delta_t[e] A[e,m]) s_{t-1}[e,m] + delta_t[e] B_t[m] x_t[e], y_t[e] = C_t . s_t[e] + D[e]
// x_t[e]. Channels share B and C in groups (models.md 3.4).
#pragma once

#include <cstdint>
#include <span>

#include "kernels/base/context.h"
#include "kernels/base/tensor_view.h"

namespace tandem {

/// Operands for R rows (tokens of one sequence, or one token of R sequences). Channel e reads b group
/// e / (E / b_groups), and c likewise.
struct SelectiveOperands {
  std::int64_t channels = 0;  // E
  std::int64_t dstate = 0;    // N
  std::int64_t b_groups = 0;  // b [R, b_groups * N]
  std::int64_t c_groups = 0;  // c [R, c_groups * N]
  TensorView x, delta;        // [R, E], rows may be strided; delta > 0
  TensorView b, c;            // rows may be strided
  TensorView a;               // [E, N], <= 0
  TensorView skip;            // D [E]
};

/// One token of each of R sequences: row r updates the state of slot slots[r] in place. states [slots, E*N],
/// each [E, N]; slots [R], all different; y [R, E].
void selective_step(Context& context, const SelectiveOperands& operands, TensorView states,
                    std::span<const std::int32_t> slots, TensorView y);

/// R tokens of one sequence. state [E, N] in and out. y [R, E].
void selective_scan(Context& context, const SelectiveOperands& operands, TensorView state, TensorView y);

/// Each channel e mixes by a matrix of its own, M_e[i][j] = sum_m C_i[m] exp(A[e,m] (delta_{j+1} + ... +
/// delta_i)) delta_j B_j[m]: y_e = M_e x_e + D[e] x_e. m [H', T, T] receives, for each block of E / nheads
/// channels listed, their mean; 0 above the diagonal. With nheads = E, the channels' own matrices.
void selective_matrix(Context& context, const SelectiveOperands& operands,
                      std::span<const std::int64_t> heads, std::int64_t nheads, TensorView m);

}  // namespace tandem
