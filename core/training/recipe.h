// Recipes: what a training run does, as a JSON file. Every field is range-checked; unknown fields are errors,
// so that a misspelt setting is not silently a default. Four kinds, told apart by what they name:
//   train     "model": trains it from scratch on the corpus
//   distil    "model" (or "start") and "teacher": makes it from the teacher, stage by stage
//   sft       "start": fine-tunes that model on the corpus, or on "completions" that were right
//   verifier  "start", "completions" and the goal "outcome": trains that model's body, under a head of one
//             score, to tell which completions are right
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/corpus/bpe_trainer.h"
#include "core/corpus/corpus.h"
#include "core/training/adamw.h"
#include "core/training/schedule.h"
#include "core/training/trainable_mixer.h"

namespace tandem::training {

/// What a stage makes smaller.
enum class Goal {
  Tokens,         // cross-entropy of the corpus: training from scratch, and fine-tuning
  Matrices,       // MOHAWK stage 1: mixing matrices against the teacher's, layer by layer
  Hidden,         // MOHAWK stage 2: mixer outputs against the teacher's, layer by layer
  Logits,         // MOHAWK stage 3: KL(teacher || student) end to end
  LogitsReverse,  // the same with KL(student || teacher)
  Outcome         // binary cross-entropy of whether a completion is right, at each of its tokens
};
/// "tokens", "matrices", "hidden", "logits", "logits_reverse", "outcome"
const char* goal_name(Goal goal);
std::optional<Goal> goal_from_name(std::string_view name);

struct Stage {
  Goal goal = Goal::Tokens;
  BatchShape shape;
  std::int64_t accumulate = 1;
  double result_weight = 1;  // of the results of calculations in the loss (batch.h)
  Schedule schedule;
  AdamWSettings optimizer;
};

/// Of the matrix products of linear layers, forward and backward, the teacher's included; all else is f32, as
/// are the weights that AdamW changes and the sums inside a product.
enum class Precision { F32, BF16 };

/// Completions that a model writes for the corpus's first problems, to learn from instead of its solutions.
struct CompletionSettings {
  std::string model;  // a bundled name or a folder
  std::int64_t problems = 1000;
  std::int64_t per_problem = 16;
  double temperature = 1;
  std::int64_t max_tokens = 512;
  std::uint64_t seed = 0;
};

struct Recipe {
  std::string json;  // as read
  std::uint64_t seed = 0;
  std::string config;        // config.json of the model to make; empty where `start` gives it
  std::string mamba_config;  // mamba_config.json, or empty
  std::string teacher;       // a bundled name or a folder; empty when training from scratch
  std::string start;         // the model to go on from, a bundled name or a folder; or empty
  corpus::CorpusOptions corpus;
  std::optional<CompletionSettings> completions;
  double prompt_weight = 0.1;
  corpus::BpeOptions tokenizer;  // trained when there is neither teacher nor start, else theirs is used
  std::int64_t tokenizer_examples = 20000;
  std::vector<Stage> stages;
  std::int64_t checkpoint_every = 100;    // updates
  Precision precision = Precision::BF16;  // BF16 counts where the CPU has it (bf16_products_supported)

  bool makes_verifier() const { return stages.front().goal == Goal::Outcome; }
};

/// The same recipe with another teacher, a bundled name or a folder. Errors: BadFormat.
Result<Recipe> with_teacher(const Recipe& recipe, const std::string& teacher);

/// The command that runs a recipe: "train", "distil", "sft" or "verifier".
const char* recipe_command(const Recipe& recipe);

/// Errors: NotFound, Io; BadFormat (file, field, found, wanted).
Result<Recipe> read_recipe(const std::string& path);
/// `name` is for messages.
Result<Recipe> parse_recipe(const std::string& text, const std::string& name);

}  // namespace tandem::training
