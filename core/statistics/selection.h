// Accuracy: what a selector picks. Majority vote, weighted best-of-N, best-of-N. test_time_compute.md
// section 4.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/grading/grading.h"

namespace tandem {

/// One completion as a voter. group < 0: no answer, no vote.
struct Vote {
  int group = -1;
  bool correct = false;  // the group's verdict
  double score = 0;      // reward in [0, 1]; NaN = no score, no vote in score-based rules
  double finish_s = 0;
};

/// Groups answers by equality as graded, in index order: joins the first group whose first member it equals
/// (section 4). answers[i] empty optional = unanswered, group -1.
std::vector<int> group_answers(AnswerKind kind, std::span<const std::optional<std::string>> answers);

/// Chance that the majority of a random k-subset is right; ties count 1/(tied groups). Exact for n <= 256,
/// else 2,000 seeded subsets. Errors: InvalidArgument when k < 1 or k > n.
Result<double> majority_at_k(std::span<const Vote> votes, std::int64_t k, std::uint64_t seed = 0);
/// The same for score-weighted votes (weighted best-of-N). Enumerates when C(n,k) <= 20,000, else samples.
Result<double> weighted_at_k(std::span<const Vote> votes, std::int64_t k, std::uint64_t seed = 0);
/// Highest single score wins; exact.
Result<double> best_of_at_k(std::span<const Vote> votes, std::int64_t k);

/// What the window shows while completions arrive: groups by falling size; ties by who reached the count
/// first.
struct TallyEntry {
  int group = 0;
  int votes = 0;
  bool correct = false;
  bool tied = false;  // shares the highest count
};
std::vector<TallyEntry> tally(std::span<const Vote> votes);

/// Majority accuracy among completions finished by t: 0, 1, or a tie's share.
double majority_at_time(std::span<const Vote> votes, double t_s);

}  // namespace tandem
