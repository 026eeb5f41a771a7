// The worked examples of few-shot prompts, in the form of the usual eight for GSM8K and four for MATH, in our
// own words and numbers. They teach the form of an answer; no problem of a test set is among them.
#pragma once

#include <span>
#include <string_view>

namespace tandem {

struct WorkedExample {
  std::string_view problem;
  std::string_view reasoning;
  std::string_view answer;
};

std::span<const WorkedExample> word_problem_examples();  // eight; answers are numbers
std::span<const WorkedExample> math_examples();          // four; answers are LaTeX

}  // namespace tandem
