// What the forward and backward passes of the recurrence share: one head's slices of the operands. Private to
// the SSD ops.
#pragma once

#include "kernels/ops/ssd.h"

namespace tandem {

void check_ssd_operands(const SsdOperands& operands, const char* op);

inline std::int64_t source_head(const SsdOperands& o, std::int64_t head, std::int64_t heads) {
  return head / (o.nheads / heads);
}
/// Columns of a head's source in x, or in its gradient; likewise for b and c.
inline TensorView head_x(const SsdOperands& o, const TensorView& x, std::int64_t head) {
  return x.columns(source_head(o, head, o.x_heads) * o.headdim, o.headdim);
}
inline TensorView head_b(const SsdOperands& o, const TensorView& b, std::int64_t head) {
  return b.columns(source_head(o, head, o.b_heads) * o.dstate, o.dstate);
}
inline TensorView head_c(const SsdOperands& o, const TensorView& c, std::int64_t head) {
  return c.columns(source_head(o, head, o.c_heads) * o.dstate, o.dstate);
}
inline float step_size(const SsdOperands& o, std::int64_t row, std::int64_t head) {
  return o.dt.data() == nullptr ? 1.0F : o.dt.row(row)[head];
}

/// decay [n, n] of a head over tokens begin .. begin + n - 1: product of the decays after token m up to token
/// l, 1 on the diagonal; above it nothing is written. log_products: n floats of scratch.
void decay_matrix(const SsdOperands& operands, std::int64_t head, std::int64_t begin, float* log_products,
                  TensorView decay);

}  // namespace tandem
