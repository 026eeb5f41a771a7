// Every generated problem is read back from its text alone: each calculation is done again, every number in
// it must come from the question or from an earlier step, and every number of the question must be needed.
#include <map>
#include <regex>
#include <set>

#include <QTest>

#include "core/base/random_stream.h"
#include "core/corpus/problem_generator.h"
#include "core/corpus/vocabulary.h"

using namespace tandem::corpus;

namespace {

constexpr int kProblems = 4000;

struct TextStep {
  long a = 0;
  char op = 0;
  long b = 0;
  long result = 0;
};

std::vector<TextStep> steps_in(const std::string& solution) {
  static const std::regex kStep(R"((\d+) ([-+*/]) (\d+) = (\d+))");
  std::vector<TextStep> steps;
  for (std::sregex_iterator it(solution.begin(), solution.end(), kStep), end; it != end; ++it)
    steps.push_back({std::stol((*it)[1]), (*it)[2].str()[0], std::stol((*it)[3]), std::stol((*it)[4])});
  return steps;
}

long calculate(const TextStep& step) {
  switch (step.op) {
    case '+':
      return step.a + step.b;
    case '-':
      return step.a - step.b;
    case '*':
      return step.a * step.b;
    default:
      return step.a % step.b == 0 ? step.a / step.b : -1;
  }
}

// What a question's numbers stand for: digits as they are, "25 percent" as 4 parts.
std::set<long> numbers_in(const std::string& question) {
  static const std::regex kNumber(R"((\d+)( percent)?)");
  std::set<long> numbers;
  for (std::sregex_iterator it(question.begin(), question.end(), kNumber), end; it != end; ++it)
    numbers.insert((*it)[2].matched ? 100 / std::stol((*it)[1]) : std::stol((*it)[1]));
  return numbers;
}

std::set<long> number_words_in(const std::string& question) {
  static const std::map<std::string, long> kWords = {
      {"twice", 2},  {"half", 2},     {"third", 3},   {"thirds", 3},  {"three", 3},    {"quarter", 4},
      {"four", 4},   {"quarters", 4}, {"fifth", 5},   {"fifths", 5},  {"five", 5},     {"sixth", 6},
      {"six", 6},    {"sixths", 6},   {"seven", 7},   {"seventh", 7}, {"sevenths", 7}, {"two", 2},
      {"tenth", 10}, {"eighth", 8},   {"eighths", 8}, {"ninth", 9},   {"Half", 2}};
  static const std::regex kWord("[A-Za-z]+");
  std::set<long> numbers;
  std::set<std::string> names;
  for (std::sregex_iterator it(question.begin(), question.end(), kWord), end; it != end; ++it) {
    std::string lower = it->str();
    lower[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(lower[0])));
    if (const auto word = kWords.find(lower); word != kWords.end()) numbers.insert(word->second);
    for (const Person& person : people())
      if (person.name == it->str()) names.insert(it->str());
  }
  numbers.insert(static_cast<long>(names.size()));  // "each of the 4 people"
  return numbers;
}

GeneratorOptions options(Split split, std::uint64_t seed = 11) {
  GeneratorOptions result;
  result.seed = seed;
  result.split = split;
  return result;
}

}  // namespace

class TestProblemGenerator : public QObject {
  Q_OBJECT
 private slots:
  void every_step_follows_from_the_text() {
    for (int i = 0; i < kProblems; ++i) {
      const WordProblem problem = generate_problem(options(Split::Train), static_cast<std::uint64_t>(i));
      const std::string text = problem.question + "\n" + problem.solution;
      const std::vector<TextStep> steps = steps_in(problem.solution);
      QVERIFY2(steps.size() == problem.calculations.size(), text.c_str());
      std::set<long> known = numbers_in(problem.question);
      const std::set<long> told = known;
      known.merge(number_words_in(problem.question));
      std::set<long> used;
      for (const TextStep& step : steps) {
        QVERIFY2(calculate(step) == step.result, text.c_str());
        QVERIFY2(step.result >= 2, text.c_str());
        QVERIFY2(known.contains(step.a) && known.contains(step.b), text.c_str());
        known.insert(step.result);
        used.insert({step.a, step.b});
      }
      QVERIFY2(steps.back().result == problem.answer, text.c_str());
      for (long number : told) QVERIFY2(used.contains(number), text.c_str());
      for (std::size_t s = 0; s + 1 < steps.size(); ++s)
        QVERIFY2(used.contains(steps[s].result), text.c_str());
      const std::string ending = " The final answer is " + std::to_string(problem.answer) + ".";
      QVERIFY2(problem.solution.ends_with(ending), text.c_str());
    }
  }

  void text_is_well_formed() {
    static const std::regex kWrong(R"([{}]|  | [.,?]|\.\.|[.?] [a-z]|^[a-z]|\b1 [a-z]|[^.?]$|\b(\w+) \1\b)");
    for (int i = 0; i < kProblems; ++i) {
      const WordProblem problem = generate_problem(options(Split::Train, 12), static_cast<std::uint64_t>(i));
      for (const std::string& text : {problem.question, problem.solution})
        QVERIFY2(!std::regex_search(text, kWrong), text.c_str());
      QVERIFY2(problem.question.ends_with('?'), problem.question.c_str());
    }
  }

  void all_families_and_lengths_occur() {
    std::map<std::pair<int, std::size_t>, int> seen;
    for (int i = 0; i < kProblems; ++i) {
      const WordProblem problem = generate_problem(options(Split::Train), static_cast<std::uint64_t>(i));
      ++seen[{static_cast<int>(problem.family), problem.calculations.size()}];
    }
    QCOMPARE(seen.size(), static_cast<std::size_t>(kFamilies * (kMaxSteps - kMinSteps + 1)));
    for (const auto& [key, count] : seen) QVERIFY(count > kProblems / 84);  // half of an even share
  }

  void steps_can_be_limited() {
    GeneratorOptions limited = options(Split::HeldOut);
    limited.min_steps = 4;
    limited.max_steps = 5;
    for (std::uint64_t i = 0; i < 100; ++i) {
      const std::size_t steps = generate_problem(limited, i).calculations.size();
      QVERIFY(steps == 4 || steps == 5);
    }
  }

  void a_problem_depends_on_seed_split_and_index_alone() {
    const WordProblem first = generate_problem(options(Split::Train), 5);
    generate_problem(options(Split::Train), 6);
    QCOMPARE(generate_problem(options(Split::Train), 5).question, first.question);
    QCOMPARE(generate_problem(options(Split::Train), 5).solution, first.solution);
    QVERIFY(generate_problem(options(Split::Train), 6).question != first.question);
    QVERIFY(generate_problem(options(Split::Train, 12), 5).question != first.question);
    QVERIFY(generate_problem(options(Split::HeldOut), 5).question != first.question);
  }

  void sets_share_no_problem_whatever_their_seeds() {
    const auto key = [](const WordProblem& problem) {
      std::string text;
      for (const Calculation& c : problem.calculations)
        text += std::to_string(c.a) + c.op + std::to_string(c.b) + ";";
      return text;
    };
    std::set<std::string> questions;
    std::set<std::string> keys;
    for (std::uint64_t i = 0; i < kProblems; ++i) {
      const WordProblem problem = generate_problem(options(Split::Train), i);
      QVERIFY(split_of(problem) == Split::Train);
      questions.insert(problem.question);
      keys.insert(key(problem));
    }
    QVERIFY(questions.size() > kProblems * 999 / 1000);  // hardly any repeats
    for (std::uint64_t i = 0; i < kProblems / 4; ++i) {
      const WordProblem problem = generate_problem(options(Split::HeldOut, 99), i);
      QVERIFY(split_of(problem) == Split::HeldOut);
      QVERIFY2(!questions.contains(problem.question), problem.question.c_str());
      QVERIFY2(!keys.contains(key(problem)), problem.question.c_str());  // not even with other names
    }
  }

  void bad_options_are_refused_data() {
    QTest::addColumn<int>("least");
    QTest::addColumn<int>("most");
    QTest::addColumn<bool>("good");
    QTest::newRow("all") << 2 << 8 << true;
    QTest::newRow("one length") << 5 << 5 << true;
    QTest::newRow("too short") << 1 << 8 << false;
    QTest::newRow("too long") << 2 << 9 << false;
    QTest::newRow("crossed") << 6 << 5 << false;
  }
  void bad_options_are_refused() {
    QFETCH(int, least);
    QFETCH(int, most);
    QFETCH(bool, good);
    GeneratorOptions bad;
    bad.min_steps = least;
    bad.max_steps = most;
    QCOMPARE(check_options(bad).ok(), good);
  }

  void draws_are_even() {
    tandem::RandomStream random(3, 4);
    std::map<std::int64_t, int> counts;
    double sum = 0;
    double squares = 0;
    for (int i = 0; i < 60000; ++i) {
      ++counts[random.between(-2, 3)];
      const double x = random.normal();
      sum += x;
      squares += x * x;
    }
    QCOMPARE(counts.size(), std::size_t{6});
    for (const auto& [value, count] : counts) QVERIFY(std::abs(count - 10000) < 450);  // about 5 sigma
    QVERIFY(std::abs(sum / 60000) < 0.02);
    QVERIFY(std::abs(squares / 60000 - 1) < 0.03);
  }
};

QTEST_GUILESS_MAIN(TestProblemGenerator)
#include "tst_problem_generator.moc"
