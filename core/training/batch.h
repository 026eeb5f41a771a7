// Training batches of generated word problems. What a batch holds is a pure function of (settings, step,
// micro-batch), so a run continues exactly where it stopped without remembering its place.
#pragma once

#include <cstdint>
#include <vector>

#include "core/corpus/corpus.h"
#include "core/tokenizer/tokenizer.h"
#include "core/training/trainable_mixer.h"

namespace tandem::training {

struct BatchSettings {
  corpus::CorpusOptions corpus;
  BatchShape shape{16, 256};
  std::int64_t accumulate = 1;  // micro-batches of one update
  double prompt_weight = 0.1;   // of a prompt's token in the loss; a completion's weighs 1
  double result_weight = 1;     // of the digits of a calculation's result, "103" in "138 - 35 = 103"
};

struct Batch {
  BatchShape shape;
  std::vector<std::int32_t> ids;      // [B * T]
  std::vector<std::int32_t> targets;  // the token after each
  std::vector<float> weights;         // of each target
};

/// Immutable and thread-safe.
class BatchSource {
 public:
  /// `end`: the token after each example. The tokenizer must outlive it.
  BatchSource(const BatchSettings& settings, const Tokenizer& tokenizer, std::int32_t end);

  /// All micro-batches of one update; their weights together sum to 1. Rows start with a whole example,
  /// others follow back to back, the last is cut.
  std::vector<Batch> update(std::int64_t step) const;

  const BatchSettings& settings() const { return settings_; }
  std::int64_t tokens_per_update() const { return settings_.accumulate * settings_.shape.rows(); }

 private:
  void fill_row(std::uint64_t row, Batch& batch) const;

  BatchSettings settings_;
  const Tokenizer& tokenizer_;
  std::int32_t end_;
};

}  // namespace tandem::training
