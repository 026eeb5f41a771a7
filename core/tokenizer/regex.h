// Regular expressions over valid UTF-8 (PCRE2), with the Unicode classes that tokenizer files mean.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/result.h"

struct pcre2_real_code_8;

namespace tandem {

/// Immutable and thread-safe.
class Regex {
 public:
  /// Errors: BadFormat, with the place in the pattern.
  static Result<Regex> compile(std::string_view pattern);
  /// Matches this text and nothing else.
  static Result<Regex> literal(std::string_view text);

  struct Match {
    std::size_t begin = 0;  // bytes
    std::size_t end = 0;
  };
  /// All non-empty matches from left to right. Where matching exceeds PCRE2's limits the rest of the text
  /// counts as unmatched.
  void find_all(std::string_view text, std::vector<Match>& matches) const;

 private:
  static Result<Regex> compile_with(std::string_view pattern, unsigned options);
  explicit Regex(std::shared_ptr<pcre2_real_code_8> code) : code_(std::move(code)) {}
  std::shared_ptr<pcre2_real_code_8> code_;
};

}  // namespace tandem
