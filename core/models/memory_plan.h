// What a model, its completions and their context need of memory, known before any weight is read.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

#include "core/base/result.h"
#include "core/models/mixer.h"
#include "core/models/model.h"

namespace tandem {

/// Bytes.
struct MemoryPlan {
  std::int64_t weights = 0;      // the model in memory
  std::int64_t loading = 0;      // on top of them, only while they are packed
  std::int64_t prompt = 0;       // the prompt's cache and state
  std::int64_t completions = 0;  // caches and states of all completions at their longest
  std::int64_t working = 0;      // activations and logits, about
  std::int64_t running() const { return prompt + completions + working; }
  std::int64_t peak() const { return weights + std::max(loading, running()); }
};

/// Opens nothing but the configuration and the index of the weights: an info without sha256, whose
/// weight_bytes are planned. Errors: those of open_model() that need no data.
Result<ModelInfo> inspect_model(const std::string& name_or_path, const LoadOptions& options = {});

/// The same for random_model().
Result<ModelInfo> inspect_shape(const std::string& name_or_path, const LoadOptions& options = {});

/// @param shape prompt, completions and their length; all zero for the weights alone.
MemoryPlan plan_memory(const ModelInfo& info, const StateShape& shape);

/// Bytes of a device that may still be taken; of the host, without one, before the system starts to swap or
/// to kill. 0 when it does not say.
std::int64_t available_memory(const Device* device = nullptr);

/// Most completions that can be decoded together in so much memory, at most shape.batch; 0 when not even one.
std::int64_t largest_batch(const ModelInfo& info, StateShape shape, std::int64_t available);

/// Whether there is room to load a model, and to run it once it is loaded. `available`: bytes; 0 is unknown
/// and refuses nothing. Errors: OutOfRange, saying what needs how much and what would fit.
Status check_load(const ModelInfo& info, const MemoryPlan& plan, std::int64_t available);
Status check_run(const ModelInfo& info, const StateShape& shape, std::int64_t available);

}  // namespace tandem
