#include "core/models/worked_examples.h"

namespace tandem {

std::span<const WorkedExample> word_problem_examples() {
  static constexpr WorkedExample kExamples[] = {
      {"A bakery has 23 loaves on the shelf at noon. By evening there are 9. How many loaves were sold?",
       "There were 23 loaves at first and 9 were left. The ones that are gone were sold: 23 - 9 = 14.", "14"},
      {"Two buses stand at the station and four more arrive. How many buses are there now?",
       "There were 2 buses and 4 more came. 2 + 4 = 6.", "6"},
      {"Nora has 28 stickers and her brother has 36. They put them together and give away 20. How many "
       "stickers do they have left?",
       "Together they had 28 + 36 = 64 stickers. After giving away 20, 64 - 20 = 44 are left.", "44"},
      {"A rope was 30 meters long. Pavel cut off some of it, and 17 meters remained. How many meters did he "
       "cut off?",
       "The rope went from 30 meters to 17 meters, so Pavel cut off 30 - 17 = 13 meters.", "13"},
      {"Ines has 6 plants. Her aunt and her uncle each give her 3 more. How many plants does she have now?",
       "Two people gave her 3 plants each, which is 2 * 3 = 6 plants. With the 6 she had, 6 + 6 = 12.", "12"},
      {"A hall had 11 chairs. On each of four days, from Tuesday to Friday, 6 more chairs were brought in. "
       "How "
       "many chairs are in the hall now?",
       "From Tuesday to Friday there are 4 days, so 4 * 6 = 24 chairs were brought in. 11 + 24 = 35.", "35"},
      {"Tomas picked 64 pears. He gave away 18 on Monday and 15 on Tuesday. How many pears did he have after "
       "Tuesday?",
       "After Monday he had 64 - 18 = 46 pears. After Tuesday he had 46 - 15 = 31.", "31"},
      {"Amira has $40. She buys seven notebooks for $4 each. How much money does she have left?",
       "Seven notebooks for $4 each cost 7 * 4 = 28 dollars. She has 40 - 28 = 12 dollars left.", "12"},
  };
  return kExamples;
}

std::span<const WorkedExample> math_examples() {
  static constexpr WorkedExample kExamples[] = {
      {R"(For which values of $x$ is $\frac{\sqrt{x-3}}{\sqrt{7-x}}$ a real number? Answer with an interval.)",
       R"(The root in the numerator needs $x-3\ge 0$, so $x\ge 3$. The root in the denominator must not be zero, so $7-x>0$ and $x<7$. Together, $x$ lies in $\boxed{[3,7)}$.)",
       R"([3,7))"},
      {R"(Two square matrices satisfy $\det \mathbf{A}=3$ and $\det \mathbf{B}=5$. What is $\det (\mathbf{B}\mathbf{A}\mathbf{B})$?)",
       R"(Determinants multiply: $\det (\mathbf{B}\mathbf{A}\mathbf{B})=5\cdot 3\cdot 5=\boxed{75}$.)",
       R"(75)"},
      {R"(A crate of 15-kilogram sacks and a crate of 25-kilogram sacks weigh the same. The first holds 20 sacks. How many sacks does the second hold?)",
       R"(The first crate weighs $20\cdot 15=300$ kilograms. With $n$ sacks in the second, $25n=300$, so $n=\boxed{12}$.)",
       R"(12)"},
      {R"(The system $4x-6y=a$, $9y-6x=b$ has a solution, and $b\ne 0$. Find $\frac{a}{b}$.)",
       R"(Multiply the first equation by $-\frac{3}{2}$: it becomes $9y-6x=-\frac{3}{2}a$. The left side is that of the second equation, so $-\frac{3}{2}a=b$ and $\frac{a}{b}=\boxed{-\frac{2}{3}}$.)",
       R"(-\frac{2}{3})"},
  };
  return kExamples;
}

}  // namespace tandem
