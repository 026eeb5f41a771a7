// The seeded generator of word problems: six families, 2 to 8 steps, and two sets that share no problem.
#pragma once

#include <cstdint>
#include <vector>

#include "core/base/random_stream.h"
#include "core/base/result.h"
#include "core/corpus/word_problem.h"

namespace tandem::corpus {

enum class Split { Train, HeldOut };

struct GeneratorOptions {
  std::uint64_t seed = 0;
  Split split = Split::Train;
  int min_steps = 2;  // calculations a problem needs, 2 to 8, drawn evenly
  int max_steps = 8;
};
inline constexpr int kMinSteps = 2;
inline constexpr int kMaxSteps = 8;

/// Errors: InvalidArgument (steps outside 2..8, or in the wrong order).
Status check_options(const GeneratorOptions& options);

/// Problem number `index` of the endless set of `options`: a pure function of both, on every platform.
WordProblem generate_problem(const GeneratorOptions& options, std::uint64_t index);

/// The set a problem belongs to, decided by a hash of its calculations: problems that differ only in names,
/// things and wording need the same calculations, so none of them is in the other set, whatever the seeds.
Split split_of(const WordProblem& problem);

}  // namespace tandem::corpus
