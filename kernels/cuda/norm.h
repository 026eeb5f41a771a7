// RMSNorm on the device, of whole rows or per group of channels. f32, accumulated in f32.
#pragma once

#include "kernels/base/tensor_view.h"
#include "kernels/cuda/stream.h"

namespace tandem::cuda {

/// y = x / sqrt(mean(x^2) + eps) * weight, row by row. x, y [rows, C], may alias, rows may be strided; weight
/// [C]. Launch: a block of 256 threads per row. Moves (2 * rows + 1) * C floats; x comes from the cache the
/// second time.
void rms_norm(Stream& stream, TensorView x, TensorView weight, float eps, TensorView y);

/// residual += x; y = rms_norm(residual). [rows, C] each, rows may be strided; y may be x. Launch: a block of
/// 256 threads per row. Moves (4 * rows + 1) * C floats; the sum comes from the cache the second time.
void add_rms_norm(Stream& stream, TensorView x, TensorView residual, TensorView weight, float eps,
                  TensorView y);

/// g = y * silu(z), then RMS-normalised in groups of `group` channels, times weight [C]; y is overwritten. y,
/// z [rows, C], rows may be strided; group divides C. Launch: a block of 256 threads per row and group. Moves
/// (3 * rows + 1) * C floats; the gated y goes through the cache once more.
void gated_group_norm(Stream& stream, TensorView y, TensorView z, TensorView weight, std::int64_t group,
                      float eps);

}  // namespace tandem::cuda
