// The embedding of a model: values, or the blocks of a quantised file.
#pragma once

#include <optional>

#include "core/tensor/tensor.h"
#include "kernels/ops/block_format.h"
#include "kernels/ops/embedding.h"

namespace tandem {

struct EmbeddingTable {
  Tensor values;                    // [V, C], unless stored
  std::optional<BlockRows> stored;  // borrowed from the model's checkpoint

  std::int64_t width() const { return stored ? stored->columns : values.shape()[1]; }
  /// x [T, C] = rows `ids`
  void rows(Context& context, std::span<const std::int32_t> ids, TensorView x) const {
    if (stored) {
      embedding(context, *stored, ids, x);
    } else {
      embedding(context, values, ids, x);
    }
  }
};

}  // namespace tandem
