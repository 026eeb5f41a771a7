// Training batches. What a batch holds is a pure function of (settings, examples, step, micro-batch), so a
// run continues exactly where it stopped without remembering its place.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/training/examples.h"
#include "core/training/trainable_mixer.h"

namespace tandem::training {

/// What is to be said after each token.
enum class Target {
  NextToken,  // the token that follows
  Outcome     // 1 when the completion it belongs to is right, else 0; prompts have no weight
};

struct BatchSettings {
  BatchShape shape{16, 256};
  std::int64_t accumulate = 1;  // micro-batches of one update
  double prompt_weight = 0.1;   // of a prompt's token in the loss; a completion's weighs 1
  double result_weight = 1;     // of the digits of a calculation's result, "103" in "138 - 35 = 103"
  Target target = Target::NextToken;
};

struct Batch {
  BatchShape shape;
  std::vector<std::int32_t> ids;      // [B * T]
  std::vector<std::int32_t> targets;  // of each
  std::vector<float> weights;         // of each target
};

/// Immutable and thread-safe.
class BatchSource {
 public:
  BatchSource(const BatchSettings& settings, std::shared_ptr<const ExampleSource> examples);

  /// All micro-batches of one update; their weights together sum to 1. Rows start with a whole example,
  /// others follow back to back, the last is cut.
  std::vector<Batch> update(std::int64_t step) const;

  const BatchSettings& settings() const { return settings_; }
  std::int64_t tokens_per_update() const { return settings_.accumulate * settings_.shape.rows(); }

 private:
  void fill_row(std::uint64_t row, Batch& batch) const;

  BatchSettings settings_;
  std::shared_ptr<const ExampleSource> examples_;
};

}  // namespace tandem::training
