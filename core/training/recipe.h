// Recipes: what a training run does, as a JSON file. Every field is range-checked; unknown fields are errors,
// so that a misspelt setting is not silently a default.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/corpus/bpe_trainer.h"
#include "core/training/adamw.h"
#include "core/training/batch.h"
#include "core/training/schedule.h"

namespace tandem::training {

/// What a stage makes smaller.
enum class Goal {
  Tokens,        // cross-entropy of the corpus: training from scratch, and fine-tuning
  Matrices,      // MOHAWK stage 1: mixing matrices against the teacher's, layer by layer
  Hidden,        // MOHAWK stage 2: mixer outputs against the teacher's, layer by layer
  Logits,        // MOHAWK stage 3: KL(teacher || student) end to end
  LogitsReverse  // the same with KL(student || teacher)
};
/// "tokens", "matrices", "hidden", "logits", "logits_reverse"
const char* goal_name(Goal goal);

struct Stage {
  Goal goal = Goal::Tokens;
  BatchShape shape;
  std::int64_t accumulate = 1;
  double result_weight = 1;  // of the results of calculations in the loss (batch.h)
  Schedule schedule;
  AdamWSettings optimizer;
};

/// Of the matrix products of linear layers, forward and backward; all else is f32, as are the weights that
/// AdamW changes and the sums inside a product.
enum class Precision { F32, BF16 };

struct Recipe {
  std::string json;  // as read
  std::uint64_t seed = 0;
  std::string config;        // config.json of the model to make
  std::string mamba_config;  // mamba_config.json, or empty
  std::string teacher;       // a bundled name or a folder; empty when training from scratch
  corpus::CorpusOptions corpus;
  double prompt_weight = 0.1;
  corpus::BpeOptions tokenizer;  // trained when there is no teacher, else the teacher's is used
  std::int64_t tokenizer_examples = 20000;
  std::vector<Stage> stages;
  std::int64_t checkpoint_every = 100;    // updates
  Precision precision = Precision::BF16;  // BF16 counts where the CPU has it (bf16_products_supported)
};

/// Errors: NotFound, Io; BadFormat (file, field, found, wanted).
Result<Recipe> read_recipe(const std::string& path);
/// `name` is for messages.
Result<Recipe> parse_recipe(const std::string& text, const std::string& name);

}  // namespace tandem::training
