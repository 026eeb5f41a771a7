// The nouns of the word problems.
#pragma once

#include <span>
#include <string_view>

namespace tandem::corpus {

struct Person {
  std::string_view name;
  bool female;
};
std::span<const Person> people();

struct Noun {
  std::string_view singular;
  std::string_view plural;
};
/// Small things that people keep, give away and share.
std::span<const Noun> keepsakes();
/// Food that is handed out or eaten piece by piece.
std::span<const Noun> snacks();
/// What such things come in: boxes, bags.
std::span<const Noun> containers();

/// Goods with a usual price range in whole dollars.
struct Goods {
  Noun noun;
  int low;
  int high;
};
std::span<const Goods> goods();

}  // namespace tandem::corpus
