// Word problems made by the generator: a question in English, a worked solution, and the calculations in it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tandem::corpus {

enum class ProblemFamily { Shopping, Sharing, Rates, Ages, Fractions, Comparison };
inline constexpr int kFamilies = 6;
/// "shopping", "sharing", "rates", "ages", "fractions", "comparison"
const char* family_name(ProblemFamily family);

struct Calculation {
  std::int64_t a = 0;
  char op = '+';  // + - * /
  std::int64_t b = 0;
  std::int64_t result = 0;
};

struct WordProblem {
  ProblemFamily family = ProblemFamily::Shopping;
  std::string question;
  std::string solution;  // chain of thought, "… The final answer is N."
  std::int64_t answer = 0;
  std::vector<Calculation> calculations;  // in the solution's order; one per step
};

}  // namespace tandem::corpus
