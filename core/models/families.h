// From a configuration and a checkpoint to packed weights: one builder a family. Tensor names and shapes:
// models.md 1.2, 2.2, 3.5.
#pragma once

#include <memory>

#include "core/base/result.h"
#include "core/checkpoint/checkpoint.h"
#include "core/checkpoint/model_config.h"
#include "core/models/weights.h"

namespace tandem {

/// Errors: one that lists every missing, misshaped and unexpected tensor; those of Checkpoint::read.
Result<std::unique_ptr<ModelWeights>> build_weights(const ModelConfig& config, const Checkpoint& checkpoint,
                                                    DType type, Context& context);

}  // namespace tandem
