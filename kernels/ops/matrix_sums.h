// What tells two stacks of mixing matrices apart.
#pragma once

#include "kernels/base/context.h"
#include "kernels/base/tensor_view.h"

namespace tandem {

/// For each pair of matrices of m and a [H, T, T], the sums over all entries of (m - a)^2, m^2, a^2 and m a,
/// in sums [H, 4]: the squared Frobenius distance, and what makes it relative, or a cosine.
void matrix_sums(Context& context, TensorView m, TensorView a, TensorView sums);

}  // namespace tandem
