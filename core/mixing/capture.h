// Mixing matrices of any prompt, layer and head: attention probabilities, or the SSM matrix with its factors.
// y = M x per head; the D skip, the short convolution and the gate are kept apart (models.md 2.6, 3.5;
// MOHAWK, stage 1).
#pragma once

#include <cstdint>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/models/model.h"
#include "core/tensor/tensor.h"

namespace tandem {

struct LayerMatrices {
  std::int64_t layer = 0;
  MixerKind kind = MixerKind::Attention;
  std::vector<std::int64_t> heads;  // which heads the stacks hold, in order
  Tensor matrix;                    // [H, T, T], row = output position; lower triangular; without the D skip
  Tensor decay;    // [H, T, T], SSM only: L[i][j] = prod_{k=j+1..i} a_k, 1 on the diagonal, 0 above
  Tensor content;  // [H, T, T], SSM only: C_i . B_j, times dt_j where the mixer has a step size; 0 above the
                   // diagonal
  Tensor skip;     // [H], SSM only: D, to be added on the diagonal for MOHAWK's matrix
  Tensor values;   // [T, H, P]: what M multiplies (v, or x after the convolution)
  Tensor mixed;    // [T, H, P]: what the layer itself computed: M values + skip * values
  Tensor input;    // [T, C]: residual stream entering the block
};

struct Capture {
  std::vector<std::int32_t> ids;
  Tensor logits;                      // [T, V]; of a verifier its scores, [T, 1]
  std::vector<LayerMatrices> layers;  // in layer order
};

struct CaptureOptions {
  std::vector<std::int64_t> layers;  // empty = all
  std::vector<std::int64_t> heads;   // empty = all
  std::int64_t max_tokens = 2048;    // T^2 floats per head and matrix: refused beyond this
};

/// Arithmetic in f32; for exact matrices the model is one opened with f32 weights. Errors: InvalidArgument
/// (layer or head outside the model, ids outside the vocabulary, no ids), OutOfRange (more than max_tokens),
/// Cancelled.
Result<Capture> capture(const Model& model, std::span<const std::int32_t> ids, const CaptureOptions& options,
                        Context& context, std::stop_token stop = {});

/// What capture() demands of its arguments.
Status check_capture(const ModelInfo& info, std::span<const std::int32_t> ids, const CaptureOptions& options);

/// Distances between a student's matrix M and a teacher's A, both [T, T].
struct MatrixDistance {
  double frobenius = 0;  // ||M - A||_F
  double relative = 0;   // ||M - A||_F / ||A||_F; infinite when only A is 0
  double cosine = 0;     // <M, A> / (||M||_F ||A||_F); 0 when either is 0
};
MatrixDistance matrix_distance(TensorView m, TensorView a);
/// From the sums over all entries of (M - A)^2, M^2, A^2 and M A (kernels/ops/matrix_sums.h).
struct MatrixSums {
  double difference = 0, m_squares = 0, a_squares = 0, product = 0;
};
MatrixDistance matrix_distance(const MatrixSums& sums);

/// Per-matrix summary numbers for the navigator (lower triangle only). Weights |m_ij|. Rows of zeros have no
/// entropy and rows with a non-finite entry are left out.
struct MatrixSummary {
  double mean_entropy = 0;       // nats, of |row| normalised to 1
  double mean_lag = 0;           // reach: mean i - j weighted by |m_ij|
  double max_row_sum_error = 0;  // max_i |sum_j m_ij - 1|
  std::int64_t non_finite = 0;
};
MatrixSummary matrix_summary(TensorView m);

/// Mean |m_ij| over i at each lag i - j = 0 .. T-1.
std::vector<double> lag_profile(TensorView m);

/// Max-pooled (by magnitude, sign kept) [n, n] thumbnail of the lower triangle of m [T, T]; n = min(T, size).
/// NaN above the diagonal; a NaN inside is passed over.
Tensor pooled(TensorView m, std::int64_t size);

}  // namespace tandem
