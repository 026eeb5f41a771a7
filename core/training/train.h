// Runs a recipe: makes the model, goes through the stages, keeps checkpoints that resume bit for bit.
#pragma once

#include <cstdint>
#include <stop_token>
#include <string>

#include "core/base/result.h"
#include "core/training/observer.h"
#include "core/training/recipe.h"

namespace tandem::training {

struct TrainingOptions {
  std::string folder;   // where the model goes; made if absent
  bool resume = false;  // go on from the folder's checkpoint
  int threads = 1;
  Device* device = nullptr;  // null: the CPU. On a device the student's products are in f32
};

struct TrainingResult {
  bool finished = false;  // false: stopped, and ready to be resumed
  std::int64_t tokens = 0;
  double final_loss = 0;
};

/// The folder gets config.json, tokenizer.json, prompt.json and model.safetensors (a model that opens like
/// any other), recipe.json, training.safetensors (the checkpoint) and log.jsonl (one line an update); where
/// the recipe has completions sampled, before all else, also completions.tandem, a session that holds them.
/// Checkpoints are written every `checkpoint_every` updates, at the end of each stage and when `stop` is
/// requested. With the same number of threads a resumed run gives the same bits as one that was never
/// stopped. Errors: those of the recipe's files; InvalidArgument (the folder holds a run already, or resume
/// finds none or another recipe; completions that are all wrong, or for a verifier all right); OutOfRange
/// (the loss is no longer finite); Io; the observer's.
Result<TrainingResult> run_training(const Recipe& recipe, const TrainingOptions& options,
                                    TrainingObserver& observer, std::stop_token stop = {});

}  // namespace tandem::training
