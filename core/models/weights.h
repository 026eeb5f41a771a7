// The weights of a loaded model, packed for the CPU. Filled by core/models/families.cpp, used by model.cpp.
#pragma once

#include <memory>
#include <vector>

#include "core/checkpoint/checkpoint.h"
#include "core/models/embedding_table.h"
#include "core/models/mixer.h"
#include "core/tensor/tensor.h"
#include "kernels/ops/matmul.h"

namespace tandem {

/// Up to this size weights stay in a core's share of the caches: reading them again costs little, compiling
/// products for them counts. Larger ones are read from memory at every step.
inline constexpr std::int64_t kCachedWeightBytes = 16 << 20;

struct LayerWeights {
  Tensor input_norm;  // [C]
  std::unique_ptr<Mixer> mixer;
  Tensor post_norm;      // [C]; empty, like what follows, in layers without an MLP
  PackedMatrix gate_up;  // [2F, C]: gate rows, then up rows
  PackedMatrix down;     // [C, F]
};

struct ModelWeights {
  std::shared_ptr<const Checkpoint> file;  // whose blocks the matrices below use; null when they are packed
  EmbeddingTable embedding;
  std::vector<LayerWeights> layers;
  float block_norm_eps = 1e-5F;
  Tensor final_norm;  // [C]
  float final_norm_eps = 1e-5F;
  PackedMatrix head;  // [V, C], packed from the embedding when tied; [1, C] in a verifier
};

}  // namespace tandem
