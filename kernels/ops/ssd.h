// The state-space recurrence s_t = a_t s_{t-1} + w_t x_t B_t^T, y_t = s_t C_t + D x_t (Mamba-2, SSD): one
// step, chunked scan, and its matrix form. `w` is the step size dt of Mamba-2; Llamba has none
// (models.md 2.4, 3.5).
#pragma once

#include <cstdint>
#include <span>

#include "kernels/base/context.h"
#include "kernels/base/tensor_view.h"

namespace tandem {

/// Operands of the recurrence for R rows (tokens of one sequence, or one token of R sequences).
/// Head h reads x head h / (H / x_heads) and b, c heads likewise, so grouped projections need no copies.
struct SsdOperands {
  std::int64_t nheads = 0;   // H
  std::int64_t headdim = 0;  // P
  std::int64_t dstate = 0;   // N
  std::int64_t x_heads = 0;  // x [R, x_heads * P]
  std::int64_t b_heads = 0;  // b [R, b_heads * N]
  std::int64_t c_heads = 0;  // c [R, c_heads * N]
  TensorView x, b, c;        // rows may be strided
  TensorView log_decay;      // [R, H], <= 0
  TensorView dt;             // [R, H], or empty: 1
  TensorView skip;           // D [H]
};

/// One token of each of R sequences: row r updates the state of slot slots[r] in place. states [slots,
/// H*P*N], each [H, P, N]; slots [R], all different; y [R, H*P].
void ssd_step(Context& context, const SsdOperands& operands, TensorView states,
              std::span<const std::int32_t> slots, TensorView y);

/// R tokens of one sequence, in chunks of `chunk` tokens (models.md 2.4, chunked form). state [H, P, N] in
/// and out. y [R, H*P].
void ssd_scan(Context& context, const SsdOperands& operands, TensorView state, std::int64_t chunk,
              TensorView y);

/// For the heads listed: decay L [H', T, T], content (C_i . B_j) dt_j [H', T, T], and their product m; 0
/// above the diagonal. The skip is not included. Any output may be empty.
void ssd_matrix(Context& context, const SsdOperands& operands, std::span<const std::int64_t> heads,
                TensorView decay, TensorView content, TensorView m);

/// What the skip adds to mixing matrices: the diagonal of m [H, T, T], contiguous, += values [H], each to its
/// matrix.
void add_diagonals(Context& context, TensorView values, TensorView m);

}  // namespace tandem
