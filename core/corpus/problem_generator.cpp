#include "core/corpus/problem_generator.h"

#include <string>

#include "core/corpus/families.h"
#include "core/corpus/story.h"

namespace tandem::corpus {
namespace {

constexpr std::uint64_t kHeldOutShare = 16;  // one problem in so many is held out

using Tell = void (*)(Story& story, int steps);
constexpr Tell kTellers[kFamilies] = {tell_shopping, tell_sharing,   tell_rates,
                                      tell_ages,     tell_fractions, tell_comparison};

WordProblem draw_problem(const GeneratorOptions& options, std::uint64_t index, std::uint32_t attempt) {
  RandomStream random(options.seed, index, attempt);
  const auto family = static_cast<ProblemFamily>(random.between(0, kFamilies - 1));
  const int steps = static_cast<int>(random.between(options.min_steps, options.max_steps));
  Story story(random);
  kTellers[static_cast<std::size_t>(family)](story, steps);
  WordProblem problem = std::move(story).take(family);
  TANDEM_CHECK(static_cast<int>(problem.calculations.size()) == steps,
               std::string(family_name(family)) + " made " + std::to_string(problem.calculations.size()) +
                   " calculations instead of " + std::to_string(steps));
  return problem;
}

}  // namespace

Status check_options(const GeneratorOptions& options) {
  if (options.min_steps >= kMinSteps && options.max_steps <= kMaxSteps &&
      options.min_steps <= options.max_steps)
    return {};
  return Error{ErrorCode::InvalidArgument, "problems have 2 to 8 steps; " +
                                               std::to_string(options.min_steps) + " to " +
                                               std::to_string(options.max_steps) + " were asked for"};
}

WordProblem generate_problem(const GeneratorOptions& options, std::uint64_t index) {
  for (std::uint32_t attempt = 0;; ++attempt) {
    WordProblem problem = draw_problem(options, index, attempt);
    if (split_of(problem) == options.split) return problem;
  }
}

Split split_of(const WordProblem& problem) {
  std::uint64_t hash = 0xCBF29CE484222325;  // FNV-1a over the numbers
  const auto mix = [&hash](std::int64_t value) {
    for (int shift = 0; shift < 64; shift += 8) {
      hash ^= (static_cast<std::uint64_t>(value) >> shift) & 0xFF;
      hash *= 0x100000001B3;
    }
  };
  for (const Calculation& c : problem.calculations) {
    mix(c.a);
    mix(c.op);
    mix(c.b);
  }
  return (hash >> 32) % kHeldOutShare == 0 ? Split::HeldOut : Split::Train;
}

}  // namespace tandem::corpus
