// What the recurrence's passes, forward and backward, on any device, share: one head's slices of the
// operands. Private to the SSD ops.
#pragma once

#include <string>

#include "kernels/ops/ssd.h"

namespace tandem {

inline void check_ssd_operands(const SsdOperands& o, const char* op) {
  const std::int64_t rows = o.x.rank() == 2 ? o.x.extent(0) : -1;
  const auto divides = [&](std::int64_t heads) { return heads > 0 && o.nheads % heads == 0; };
  const Shape per_head = {rows, o.nheads};
  TANDEM_CHECK(rows >= 0 && o.nheads > 0 && divides(o.x_heads) && divides(o.b_heads) && divides(o.c_heads) &&
                   o.x.shape() == Shape({rows, o.x_heads * o.headdim}) &&
                   o.b.shape() == Shape({rows, o.b_heads * o.dstate}) &&
                   o.c.shape() == Shape({rows, o.c_heads * o.dstate}) && o.log_decay.shape() == per_head &&
                   (o.dt.data() == nullptr || o.dt.shape() == per_head) && o.skip.shape() == Shape{o.nheads},
               std::string(op) + ": " + std::to_string(o.nheads) + " heads of " + std::to_string(o.headdim) +
                   " x " + std::to_string(o.dstate) + ", x " + o.x.shape().str() + ", b " +
                   o.b.shape().str() + ", c " + o.c.shape().str() + ", log_decay " +
                   o.log_decay.shape().str() + ", dt " + o.dt.shape().str() + ", skip " +
                   o.skip.shape().str());
}

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
