// What tells two stacks of mixing matrices apart, on the device: the operands of kernels/ops/matrix_sums.h.
#pragma once

#include <cstdint>

#include "kernels/base/tensor_view.h"
#include "kernels/cuda/stream.h"

namespace tandem::cuda {

/// Floats of scratch memory that matrix_sums wants.
std::int64_t matrix_sums_scratch(TensorView m);

/// sums [H, 4]: of (m - a)^2, m^2, a^2 and m a over each pair of matrices of m, a [H, T, T], contiguous. f32.
/// Launch: blocks of 256 threads per matrix and 4,096 entries, then one per matrix that adds up what they
/// found, in a fixed order. Reads 2 * H * T^2 floats.
void matrix_sums(Stream& stream, TensorView m, TensorView a, TensorView scratch, TensorView sums);

}  // namespace tandem::cuda
