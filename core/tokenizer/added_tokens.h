// Tokens that are looked for in the text itself, before anything else: <|eot_id|> and the like.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tandem {

struct AddedToken {
  std::string text;
  std::int32_t id = 0;
  bool special = false;
};

/// Immutable and thread-safe.
class AddedTokenMatcher {
 public:
  /// Texts are not empty and differ.
  explicit AddedTokenMatcher(std::vector<AddedToken> tokens);

  struct Found {
    std::size_t begin = std::string_view::npos;  // npos: none
    std::size_t end = std::string_view::npos;
    std::int32_t id = -1;
  };
  /// The first place at or after `from` where a token is; the longest token there. Special tokens count only
  /// `with_special`.
  Found find(std::string_view text, std::size_t from, bool with_special) const;

 private:
  /// The longest token that `text` begins with.
  Found longest_prefix(std::string_view text, bool with_special) const;
  std::vector<AddedToken> tokens_;  // by text
  std::vector<bool> begins_;        // by first byte
};

}  // namespace tandem
