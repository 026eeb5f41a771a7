// The numbers of the Coverage view and of `tandem-cli coverage`, computed from a session by one function for
// both.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/session/session.h"
#include "core/statistics/coverage.h"

namespace tandem {

struct CoverageOptions {
  std::vector<std::int64_t> k;  // empty = powers of two up to the smallest n
  std::vector<double> seconds;  // empty = 60 values, logarithmic from the first finish to the last
  std::uint64_t seed = 0;       // of the bootstrap
  int draws = 2000;
};

/// One model's run, reduced to what the curves need.
struct RunCoverage {
  std::int64_t run_id = 0;
  std::string model;
  bool is_teacher = false;           // pure attention
  std::int64_t n = 0;                // smallest number of finished completions over the problems
  std::vector<double> pass_at_1;     // per problem, in the common order
  std::vector<Estimate> coverage_k;  // one per k
  std::vector<Estimate> majority_k;
  std::vector<Estimate> weighted_k;  // empty when completions carry no scores
  std::vector<Estimate> coverage_t;  // measured order, one per second value
  std::vector<Estimate> majority_t;
  std::vector<double> resampled_t;        // mean over problems; empty when the replay check fails
  std::vector<double> median_finished_t;  // k(t): completions finished by t, median over problems
  double cut_fraction = 0;                // share of started completions that were cut
  double mean_tokens = 0;
  double tokens_per_s = 0;  // generated tokens / decode seconds over the run
};

struct PairedDifference {  // student - teacher
  std::vector<Estimate> k;
  std::vector<Estimate> t;
  double crossing_s = 0;  // 0 = no crossing seen (test_time_compute.md 3.5)
};

struct CoverageReport {
  std::vector<std::int64_t> k;
  std::vector<double> seconds;
  std::vector<std::int64_t> problem_ids;      // SessionProblem::id, problems that every run has complete
  std::int64_t left_out = 0;                  // problems that some run lacks
  std::vector<RunCoverage> runs;              // teachers first
  std::vector<PairedDifference> differences;  // for each run after the first, against the first
};

/// Errors: NotFound (no run, no complete problem), InvalidArgument (k beyond n: never extrapolated).
Result<CoverageReport> coverage_report(const Session& session, const CoverageOptions& options);

/// The sentence under the curves: who leads at this k or at these seconds, by how much, with what certainty.
std::string leader_sentence_at_k(const CoverageReport& report, std::int64_t k);
std::string leader_sentence_at_seconds(const CoverageReport& report, double seconds);

}  // namespace tandem
