// From a configuration and a checkpoint to packed weights: what tensors each family has. Names and shapes:
// models.md 1.2, 2.2, 3.3, 3.5, 4.
#pragma once

#include <memory>

#include "core/checkpoint/model_config.h"
#include "core/models/tensor_source.h"
#include "core/models/weights.h"

namespace tandem {

/// Takes everything the configuration implies from `source`. From a source that plans, the layers come
/// without data, and only their info() may be asked for. The caller asks source.finish() what went wrong.
std::unique_ptr<ModelWeights> build_weights(const ModelConfig& config, TensorSource& source);

}  // namespace tandem
