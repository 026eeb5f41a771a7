#include "core/tokenizer/added_tokens.h"

#include <algorithm>
#include <utility>

namespace tandem {

AddedTokenMatcher::AddedTokenMatcher(std::vector<AddedToken> tokens)
    : tokens_(std::move(tokens)), begins_(256) {
  std::sort(tokens_.begin(), tokens_.end(),
            [](const AddedToken& a, const AddedToken& b) { return a.text < b.text; });
  for (const AddedToken& token : tokens_) begins_[static_cast<unsigned char>(token.text.front())] = true;
}

AddedTokenMatcher::Found AddedTokenMatcher::find(std::string_view text, std::size_t from,
                                                 bool with_special) const {
  if (tokens_.empty()) return {};
  for (std::size_t at = from; at < text.size(); ++at) {
    if (!begins_[static_cast<unsigned char>(text[at])]) continue;
    const Found found = longest_prefix(text.substr(at), with_special);
    if (found.id >= 0) return {at, at + found.end, found.id};
  }
  return {};
}

AddedTokenMatcher::Found AddedTokenMatcher::longest_prefix(std::string_view text, bool with_special) const {
  Found longest;
  auto first = tokens_.begin();  // of the tokens that begin as the text does, up to `length`
  auto last = tokens_.end();
  for (std::size_t length = 0; first != last; ++length) {
    if (first->text.size() == length) {  // the shortest sorts first
      if (with_special || !first->special) longest = {0, length, first->id};
      ++first;
    }
    if (length == text.size()) break;
    const auto byte = static_cast<unsigned char>(text[length]);
    const auto at = [length](const AddedToken& token) {
      return static_cast<unsigned char>(token.text[length]);
    };
    first = std::partition_point(first, last, [&](const AddedToken& token) { return at(token) < byte; });
    last = std::partition_point(first, last, [&](const AddedToken& token) { return at(token) <= byte; });
  }
  return longest;
}

}  // namespace tandem
