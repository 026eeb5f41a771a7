// Cuts text into the pieces that a subword model encodes one by one.
#pragma once

#include <string_view>
#include <vector>

#include "core/tokenizer/regex.h"

namespace tandem {

/// GPT-2's pieces, and one digit at a time. Text between matches stays a piece of its own.
inline constexpr std::string_view kGpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
inline constexpr std::string_view kDigitPattern = R"(\p{N})";

/// Immutable and thread-safe.
class PreTokenizer {
 public:
  /// One pass over the pieces of the pass before.
  struct Step {
    Regex regex;
    bool keep_matches = true;
    bool keep_rest = true;  // text between matches
  };
  explicit PreTokenizer(std::vector<Step> steps) : steps_(std::move(steps)) {}

  /// Non-empty pieces of a valid UTF-8 text, in order; they point into it.
  std::vector<std::string_view> split(std::string_view text) const;

 private:
  std::vector<Step> steps_;
};

}  // namespace tandem
