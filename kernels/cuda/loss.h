// Losses with their gradients on the device: the operands of kernels/ops/loss.h. f32. Each gives losses [M]:
// what every row, or matrix, adds to the loss, its weight included; rows of weight 0 are not read and add 0.
// targets and weights are on the device. Gradients may be left out.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/base/tensor_view.h"
#include "kernels/cuda/stream.h"
#include "kernels/ops/loss.h"

namespace tandem::cuda {

/// logits, d_logits [M, V], rows may be strided; d_logits may alias logits; targets inside the vocabulary:
/// not checked. Launch: a block of 256 threads per row. Moves 2 * M * V floats; logits come from the cache
/// two more times.
void cross_entropy_loss(Stream& stream, TensorView logits, std::span<const std::int32_t> targets,
                        std::span<const float> weights, TensorView d_logits, TensorView losses);

/// scores, d_scores [M, 1]; d_scores may alias scores. Launch: a thread per row.
void binary_cross_entropy_loss(Stream& stream, TensorView scores, std::span<const std::int32_t> targets,
                               std::span<const float> weights, TensorView d_scores, TensorView losses);

/// student, teacher, d_student [M, V], rows may be strided; d_student may alias student. Launch: a block of
/// 256 threads per row. Moves 3 * M * V floats; logits come from the cache three more times.
void kl_loss(Stream& stream, TensorView student, TensorView teacher, KlDirection direction,
             std::span<const float> weights, TensorView d_student, TensorView losses);

/// Floats of scratch memory that the distances want.
std::int64_t frobenius_loss_scratch(TensorView m);
std::int64_t l2_loss_scratch(TensorView y);

/// m, target, d_m [H, T, T], contiguous; d_m may alias m. Launch: blocks of 256 threads per 4096 numbers, for
/// the squares and again for the gradient. Moves 5 * H * T * T floats.
void frobenius_loss(Stream& stream, TensorView m, TensorView target, float weight, TensorView d_m,
                    TensorView scratch, TensorView losses);

/// y, target, d_y [M, C], rows may be strided; d_y may alias y. Launch: as above, per row.
void l2_loss(Stream& stream, TensorView y, TensorView target, std::span<const float> weights, TensorView d_y,
             TensorView scratch, TensorView losses);

/// norms [M] = ||row||_2. rows [M, C], may be strided. Launch: as above; reads all once.
std::int64_t row_norms_scratch(TensorView rows);
void row_norms(Stream& stream, TensorView rows, TensorView scratch, TensorView norms);

}  // namespace tandem::cuda
