// The numbers of the Coverage view and of `tandem-cli coverage`, computed from a session by one function for
// both.
#pragma once

#include <cstdint>
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

/// One model's run, reduced to what the curves need. A person's verdict goes before the grader's. Completions
/// cut by the budget or by the user are neither right nor wrong: they are not part of n, but hold their slot.
struct RunCoverage {
  std::int64_t run_id = 0;
  std::string model;
  bool is_teacher = false;           // pure attention
  bool shared_device = false;        // mode "together": its seconds are no measurement
  std::int64_t n = 0;                // smallest number of finished completions over the problems
  std::vector<double> pass_at_1;     // per problem, in the common order
  std::vector<Estimate> coverage_k;  // one per k
  std::vector<Estimate> majority_k;
  std::vector<Estimate> weighted_k;  // empty when completions carry no scores
  std::vector<Estimate> coverage_t;  // measured order, one per second value
  std::vector<Estimate> majority_t;
  std::vector<double> resampled_t;        // mean over problems; empty when the replay check fails
  std::string resampled_note;             // why it is empty, or that it is a lower bound
  std::vector<double> median_finished_t;  // k(t): completions finished by t, median over problems
  double cut_fraction = 0;                // share of started completions that were cut
  double mean_tokens = 0;
  double tokens_per_s = 0;  // sampled tokens (the stop token too) / decode seconds over the common problems
};

struct PairedDifference {  // student - teacher
  std::vector<Estimate> k;
  std::vector<Estimate> t;
  /// Where the lead passes from one to the other, each lead confirmed by a band that leaves out 0, so that
  /// noise about 0 crosses nothing (test_time_compute.md 3.5 asks for the later one only, and names the first
  /// change): the first value with the new sign. Looked for at 60 values whatever seconds were asked for.
  std::vector<double> crossings_s;
};

struct CoverageReport {
  std::vector<std::int64_t> k;
  std::vector<double> seconds;
  std::vector<std::int64_t> problem_ids;      // SessionProblem::id, problems that every run has complete
  std::int64_t left_out = 0;                  // problems that only some of the runs have complete
  std::vector<RunCoverage> runs;              // teachers first
  std::vector<PairedDifference> differences;  // for each run after the first, against the first
};

/// Over the runs that have a complete problem. Resampled orders: 200 a problem, fewer where there are many
/// problems (20 from 200 problems on), whose mean is as steady. Errors: NotFound (no run, no problem complete
/// in all runs), InvalidArgument (k < 1 or beyond n: never extrapolated; seconds not above 0), those of the
/// session.
Result<CoverageReport> coverage_report(const Session& session, const CoverageOptions& options);

/// The sentence under the curves: who leads at this k or at these seconds, by how much, with what certainty,
/// and over which range of the curve that holds (where it has four values or more). One sentence for each run
/// after the first, against the first. Speaks of the report's value nearest below the one asked for, and
/// names it.
std::string leader_sentence_at_k(const CoverageReport& report, std::int64_t k);
std::string leader_sentence_at_seconds(const CoverageReport& report, double seconds);

}  // namespace tandem
