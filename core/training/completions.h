// Training data that a model writes itself: completions of the corpus's problems, graded, kept in a session.
#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/corpus/problem_generator.h"
#include "core/training/recipe.h"

namespace tandem::training {

struct SampledCompletion {
  std::string question;
  std::string text;
  bool correct = false;
  bool ended = false;  // by its end token, not by the token limit
};

/// Completions of problems 0, 1, … of `problems`, in the order of problems and completions. Those that the
/// session at `path` holds already are not sampled again, so what a resumed training sees is what it saw
/// before. A stop is no error: the list is then incomplete, and the same call goes on. `observer` may be
/// null. Errors: those of open_model(), of evaluate() and of the session.
Result<std::vector<SampledCompletion>> sample_completions(
    const CompletionSettings& settings, const corpus::GeneratorOptions& problems, const std::string& path,
    int threads, const std::function<void(std::int64_t, std::int64_t)>& on_progress, std::stop_token stop);

}  // namespace tandem::training
