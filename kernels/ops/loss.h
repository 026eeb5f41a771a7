// Losses with their gradients, computed together. Every loss is a sum over rows (or matrices) of a weight
// times the row's loss; the caller's weights make it a mean. Sums in double, in row order. On a device,
// targets and weights lie there, too.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/base/context.h"
#include "kernels/base/tensor_view.h"

namespace tandem {

/// Sum over rows of weights[i] * -log softmax(logits_i)[targets[i]], in nats. logits, d_logits [M, V];
/// d_logits = , and may alias logits; empty: no gradient. Rows of weight 0 are not read.
double cross_entropy_loss(Context& context, TensorView logits, std::span<const std::int32_t> targets,
                          std::span<const float> weights, TensorView d_logits);

/// Sum over rows of weights[i] * -log of the probability that sigmoid(scores_i) gives to what is the case:
/// targets[i] 1 or 0. In nats. scores, d_scores [M, 1]; d_scores = , and may alias scores; empty: no
/// gradient.
double binary_cross_entropy_loss(Context& context, TensorView scores, std::span<const std::int32_t> targets,
                                 std::span<const float> weights, TensorView d_scores);

enum class KlDirection {
  Forward,  // KL(teacher || student) = sum p_T (log p_T - log p_S): covers all the teacher does
  Reverse,  // KL(student || teacher) = sum p_S (log p_S - log p_T): avoids what the teacher does not do
};

/// Sum over rows of weights[i] * KL of the softmaxes of the two rows of logits, in nats (models.md 5.3, 5.5).
/// student, teacher, d_student [M, V]; d_student = , and may alias student; empty: no gradient.
double kl_loss(Context& context, TensorView student, TensorView teacher, KlDirection direction,
               std::span<const float> weights, TensorView d_student);

/// Sum over matrices of weight * ||m - target||_F (MOHAWK stage 1, models.md 5.1: the norm itself, not
/// squared). m, target, d_m [H, T, T], contiguous; d_m = , may alias m. Where the two are equal the gradient
/// is 0.
double frobenius_loss(Context& context, TensorView m, TensorView target, float weight, TensorView d_m);

/// Sum over rows of weights[i] * ||y_i - target_i||_2 (MOHAWK stage 2, models.md 5.2). y, target, d_y [M, C];
/// d_y = , may alias y. Where the two are equal the gradient is 0.
double l2_loss(Context& context, TensorView y, TensorView target, std::span<const float> weights,
               TensorView d_y);

/// Sum over rows of ||row||_2. rows [M, C], may be strided.
double row_norms(Context& context, TensorView rows);

}  // namespace tandem
