// Weights for models whose files are not there: to measure what a shape costs.
#pragma once

#include <string>

#include "core/tensor/tensor.h"

namespace tandem {

/// Fills a contiguous F32 or BF16 tensor of the host with what its name says it is: 1 for vectors that scale
/// (norms, D) and 0 for those that shift; matrices and convolutions uniform around 0 with variance
/// 1 / (last extent), so that activations keep their size. Values are those of BF16, in either type, and the
/// same for a name every time.
void fill_random(const std::string& name, TensorView to);

}  // namespace tandem
