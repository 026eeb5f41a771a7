// RMSNorm on the device.
#pragma once

#include "kernels/base/tensor_view.h"
#include "kernels/cuda/stream.h"

namespace tandem::cuda {

/// y = x / sqrt(mean(x^2) + eps) * weight, row by row. x, y [rows, C] f32, may alias, rows may be strided;
/// weight [C] f32. Accumulates in f32. Launch: a block of 256 threads per row. Moves (2 rows + 1) * C floats;
/// the second read of x comes from the cache.
void rms_norm(Stream& stream, TensorView x, TensorView weight, float eps, TensorView y);

}  // namespace tandem::cuda
