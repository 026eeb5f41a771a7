#include "core/corpus/story.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

#include "core/corpus/vocabulary.h"

namespace tandem::corpus {
namespace {

// From 2 on every noun is in the plural; larger results would be more arithmetic than reasoning.
constexpr std::int64_t kSmallestNumber = 2;
constexpr std::int64_t kLargestNumber = 9999;

constexpr std::string_view kTellConnectives[] = {"then ", "after that, ", "later, ", "next, ",
                                                 "afterwards, "};
constexpr std::string_view kFirstConnectives[] = {"first, ", "to begin, ", "to start, ", "first of all, "};
constexpr std::string_view kWorkConnectives[] = {"then ", "next, ", "after that, "};

// Sentences that begin like this are connected already.
constexpr std::string_view kConnectedOpenings[] = {"after ", "that ",  "then ", "now ",     "so ",
                                                   "with ",  "to ",    "for ",  "without ", "in ",
                                                   "on ",    "today ", "from "};

std::string capitalised(std::string text) {
  if (!text.empty()) text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
  return text;
}

std::int64_t calculate(std::int64_t a, char op, std::int64_t b) {
  switch (op) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    default:
      TANDEM_CHECK(op == '/' && b > 0 && a % b == 0,
                   std::to_string(a) + " " + op + " " + std::to_string(b) + " has no whole result");
      return a / b;
  }
}

}  // namespace

const char* family_name(ProblemFamily family) {
  constexpr std::array kNames = {"shopping", "sharing", "rates", "ages", "fractions", "comparison"};
  static_assert(kNames.size() == kFamilies);
  return kNames[static_cast<std::size_t>(family)];
}

Story::Story(RandomStream random) : random_(random), quotes_(random_.chance(0.5)) {}

void Story::set(std::string_view key, std::string_view value) {
  for (auto& [name, text] : words_) {
    if (name == key) {
      text = value;
      return;
    }
  }
  words_.emplace_back(key, value);
}

void Story::draw_hero() {
  const Person& person = random_.pick(people());
  people_.emplace_back(person.name);
  hero_is_female_ = person.female;
  set("name", person.name);
  set("he", person.female ? "she" : "he");
  set("him", person.female ? "her" : "him");
  set("his", person.female ? "her" : "his");
  set("himself", person.female ? "herself" : "himself");
}

std::string Story::draw_friend() {
  for (;;) {
    const Person& person = random_.pick(people());
    if (person.female == hero_is_female_) continue;
    if (std::find(people_.begin(), people_.end(), person.name) != people_.end()) continue;
    return people_.emplace_back(person.name);
  }
}

std::vector<std::string> Story::draw_people(std::int64_t count) {
  std::vector<std::string> names;
  while (static_cast<std::int64_t>(names.size()) < count) {
    std::string name(random_.pick(people()).name);
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(std::move(name));
  }
  return names;
}

void Story::tell(Phrases phrases, Words words) {
  tell_sentence(fill(random_.pick(phrases), words));
}

void Story::tell_next(Phrases phrases, Words words) {
  tell_sentence(connected(fill(random_.pick(phrases), words), kTellConnectives, 0.4));
}

std::int64_t Story::work(Phrases phrases, std::int64_t a, char op, std::int64_t b, Words words) {
  const std::int64_t result = calculate(a, op, b);
  const std::string calc =
      std::to_string(a) + " " + op + " " + std::to_string(b) + " = " + std::to_string(result);
  TANDEM_CHECK(result >= kSmallestNumber && result <= kLargestNumber,
               "a step left the range of the problems: " + calc);
  set("calc", calc);
  set("a", std::to_string(a));
  set("b", std::to_string(b));
  set("c", std::to_string(result));
  const bool first = problem_.calculations.empty();
  problem_.calculations.push_back({a, op, b, result});
  if (quotes_ && !unquoted_.empty()) append(problem_.solution, std::exchange(unquoted_, {}));
  const Phrases connectives = first ? Phrases(kFirstConnectives) : Phrases(kWorkConnectives);
  append(problem_.solution, connected(fill(random_.pick(phrases), words), connectives, 0.5));
  return result;
}

void Story::finish(Phrases question, Phrases conclusion, std::int64_t answer, Words words) {
  problem_.answer = answer;
  set("answer", std::to_string(answer));
  append(problem_.question, fill(random_.pick(question), words));
  append(problem_.solution, fill(random_.pick(conclusion), words));
  append(problem_.solution, "the final answer is " + std::to_string(answer) + ".");
}

WordProblem Story::take(ProblemFamily family) && {
  problem_.family = family;
  return std::move(problem_);
}

std::string Story::fill(std::string_view phrase, Words words) {
  std::string text;
  while (!phrase.empty()) {
    const std::size_t open = phrase.find('{');
    text += phrase.substr(0, open);
    if (open == std::string_view::npos) break;
    const std::size_t close = phrase.find('}', open);
    TANDEM_CHECK(close != std::string_view::npos, "unclosed brace in: " + std::string(phrase));
    text += word(phrase.substr(open + 1, close - open - 1), words);
    phrase.remove_prefix(close + 1);
  }
  return text;
}

std::string Story::word(std::string_view key, Words words) {
  for (const Word& candidate : words)
    if (candidate.key == key) return candidate.value;
  if (key == "hero") return word(random_.chance(0.5) ? "name" : "he", words);
  for (const auto& [name, text] : words_)
    if (name == key) return text;
  TANDEM_CHECK(std::isupper(static_cast<unsigned char>(key.empty() ? 'a' : key[0])),
               "no word for {" + std::string(key) + "}");
  std::string lower(key);
  lower[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(lower[0])));
  return capitalised(word(lower, words));
}

void Story::tell_sentence(std::string sentence) {
  append(unquoted_, sentence);
  append(problem_.question, std::move(sentence));
}

std::string Story::connected(std::string sentence, Phrases connectives, double share) {
  if (!random_.chance(share)) return sentence;
  for (std::string_view opening : kConnectedOpenings)
    if (sentence.starts_with(opening)) return sentence;
  return std::string(random_.pick(connectives)) + sentence;
}

void Story::append(std::string& text, std::string sentence) {
  if (!text.empty()) text += ' ';
  text += capitalised(std::move(sentence));
}

std::optional<std::int64_t> draw_divisor(RandomStream& random, std::int64_t n, std::int64_t low,
                                         std::int64_t high) {
  std::vector<std::int64_t> divisors;
  for (std::int64_t d = low; d <= std::min(high, n); ++d)
    if (n % d == 0) divisors.push_back(d);
  if (divisors.empty()) return std::nullopt;
  return random.pick(std::span<const std::int64_t>(divisors));
}

std::string times_words(RandomStream& random, std::int64_t factor) {
  constexpr std::string_view kSpelled[] = {"three", "four", "five", "six"};
  if (factor == 2 && random.chance(0.6)) return "twice";
  if (factor >= 3 && factor <= 6 && random.chance(0.4))
    return std::string(kSpelled[static_cast<std::size_t>(factor - 3)]) + " times";
  return std::to_string(factor) + " times";
}

}  // namespace tandem::corpus
