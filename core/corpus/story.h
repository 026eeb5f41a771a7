// The builder behind every generated word problem: it collects the sentences of the question and, beside
// them, the worked solution, and keeps each calculation so that text and arithmetic cannot drift apart.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/random_stream.h"
#include "core/corpus/word_problem.h"

namespace tandem::corpus {

/// Wordings of one sentence, of which one is drawn. "{key}" is replaced by the word of that name, "{Key}" by
/// the same with a capital. Sentences start in lower case: the story adds connectives and capitals.
using Phrases = std::span<const std::string_view>;

struct Word {
  Word(std::string_view name, std::string_view text) : key(name), value(text) {}
  Word(std::string_view name, std::int64_t number) : key(name), value(std::to_string(number)) {}
  std::string_view key;
  std::string value;
};
using Words = std::initializer_list<Word>;

class Story {
 public:
  explicit Story(RandomStream random);

  RandomStream& random() { return random_; }

  /// Defines a word for all sentences to come.
  void set(std::string_view key, std::string_view value);

  /// Makes a drawn person the hero: {name}, {hero} (the name or a pronoun), {he}, {him}, {his}, {himself}.
  void draw_hero();
  /// The name of a new person; never the hero's pronoun, so that {hero} stays unambiguous.
  std::string draw_friend();
  /// Names of `count` different people.
  std::vector<std::string> draw_people(std::int64_t count);

  /// Adds a sentence to the question; `tell_next` may open it with "Then" or the like.
  void tell(Phrases phrases, Words words = {});
  void tell_next(Phrases phrases, Words words = {});

  /// Adds one calculation to the solution, in half of the stories after repeating what was told since the
  /// last one, in a sentence whose {calc} is "a op b = result"; {a}, {b} and {c} are its numbers. Results are
  /// whole and at least 2. op is one of + - * /.
  std::int64_t work(Phrases phrases, std::int64_t a, char op, std::int64_t b, Words words = {});

  /// Ends the story: the question proper, and the sentence that states its answer as {answer}.
  void finish(Phrases question, Phrases conclusion, std::int64_t answer, Words words = {});

  /// The finished problem. `family` and the number of calculations describe it.
  WordProblem take(ProblemFamily family) &&;

 private:
  std::string fill(std::string_view phrase, Words words);
  std::string word(std::string_view key, Words words);
  std::string connected(std::string sentence, Phrases connectives, double share);
  static void append(std::string& text, std::string sentence);

  void tell_sentence(std::string sentence);

  RandomStream random_;
  bool quotes_;           // whether the solution repeats what the question says before it reckons
  std::string unquoted_;  // what has been told since
  std::vector<std::pair<std::string, std::string>> words_;
  std::vector<std::string> people_;  // names taken
  bool hero_is_female_ = false;
  WordProblem problem_;
};

/// A random divisor of n in [low, high], if there is one.
std::optional<std::int64_t> draw_divisor(RandomStream& random, std::int64_t n, std::int64_t low,
                                         std::int64_t high);

/// "2" -> "twice" or "2 times", "3" -> "3 times" or "three times", and so on.
std::string times_words(RandomStream& random, std::int64_t factor);

}  // namespace tandem::corpus
