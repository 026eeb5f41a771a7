// RMSNorm, whole rows or per group of channels.
#pragma once

#include "kernels/base/context.h"
#include "kernels/base/tensor_view.h"

namespace tandem {

/// y = x / sqrt(mean(x^2) + eps) * weight, row by row, in f32.
/// x, y [rows, C], may alias; weight [C]. Source: Zhang & Sennrich 2019, eq. 4.
void rms_norm(Context& context, TensorView x, TensorView weight, float eps, TensorView y);

/// residual += x; y = rms_norm(residual). [rows, C] each; y may be x.
void add_rms_norm(Context& context, TensorView x, TensorView residual, TensorView weight, float eps,
                  TensorView y);

/// The gated norm of MambaInLlama's Mamba-2 mixer (models.md 3.5 step 4): g = y * silu(z), then
/// RMS-normalised in groups of `group` channels, times weight [C]. y is overwritten. y, z [rows, C]; z may be
/// strided; group divides C.
void gated_group_norm(Context& context, TensorView y, TensorView z, TensorView weight, std::int64_t group,
                      float eps);

}  // namespace tandem
