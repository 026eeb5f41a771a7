// Problem sets: GSM8K jsonl, MATH-500 jsonl, CSV with question,answer headers, and the bundled sets.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/grading/grading.h"

namespace tandem {

struct Problem {
  std::int64_t index = 0;  // position in the set: part of a completion's random stream
  std::string id;          // unique_id where the file has one, else "NAME-INDEX"
  std::string question;
  std::string answer;    // gold, extracted (what grading compares with)
  std::string solution;  // worked solution for display, calculator marks stripped; may be empty
  std::string subject;   // MATH only
  int level = 0;         // MATH only, 1..5; 0 = none
};

struct ProblemSet {
  std::string name;  // a bundled name, or the file's stem
  std::string path;
  AnswerKind kind = AnswerKind::Gsm8k;
  std::vector<Problem> problems;
  std::vector<std::string> skipped;  // one sentence for each line left out (only with skip_bad_lines)
};

/// The set that is offered first: held-out problems of the corpus that the pocket models learn from.
inline constexpr const char* kDefaultProblems = "pocket";
/// Names of the sets in resources/problems, the default first. "seed" is what the seed models can read.
std::vector<std::string> bundled_problem_sets();

/// A bundled name or a path. The kind is recognised from the fields. Errors name file, line and reason.
Result<ProblemSet> read_problems(const std::string& name_or_path, bool skip_bad_lines = false);

}  // namespace tandem
