// The AdamW update (Loshchilov & Hutter 2019, algorithm 2) and the norm that clipping needs.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/base/context.h"
#include "kernels/base/tensor_view.h"

namespace tandem {

struct AdamWRule {
  float learning_rate = 0;
  float beta1 = 0.9F;
  float beta2 = 0.95F;
  float eps = 1e-8F;
  float weight_decay = 0;    // per unit of learning rate
  float gradient_scale = 1;  // multiplies the gradient first: clipping
  // 1 - beta^t after t updates, this one included.
  float correction1 = 1;
  float correction2 = 1;
};

/// m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2;
/// value -= learning_rate (weight_decay value + m / correction1 / (sqrt(v / correction2) + eps)).
/// All of one shape, contiguous, f32; value, m and v are updated in place.
void adamw(Context& context, TensorView gradient, const AdamWRule& rule, TensorView value, TensorView m,
           TensorView v);

/// Elements whose squares are summed in f32; those sums are added in double.
inline constexpr std::int64_t kSquaresSpan = 4096;

/// Numbers that so many elements give.
inline std::int64_t squares_count(std::int64_t elements) {
  return (elements + kSquaresSpan - 1) / kSquaresSpan;
}

/// Sum of the squares of contiguous tensors' elements; the same on any number of threads.
double sum_of_squares(Context& context, std::span<const TensorView> tensors);

}  // namespace tandem
