// The files beside the weights of a model that a recipe makes: config.json, tokenizer.json, prompt.json.
#pragma once

#include <filesystem>

#include "core/base/result.h"
#include "core/models/model.h"
#include "core/training/recipe.h"

namespace tandem::training {

/// Writes them to a folder that exists. `teacher` and `start`: the models that the recipe names so, or null.
/// With `start` all files are that model's; a verifier's config.json says in addition that it scores, in the
/// public format (LlamaForSequenceClassification with one label).
/// Errors: Unsupported (a verifier from a model that is not a Llama), those of the files.
Status write_model_files(const Recipe& recipe, const Model* teacher, const Model* start,
                         const std::filesystem::path& folder);

}  // namespace tandem::training
