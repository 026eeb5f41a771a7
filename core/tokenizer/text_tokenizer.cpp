#include "core/tokenizer/text_tokenizer.h"

namespace tandem {

std::vector<std::int32_t> TextTokenizer::encode(std::string_view text, bool parse_special,
                                                bool add_bos) const {
  std::vector<std::int32_t> ids;
  if (add_bos) ids = parts_.prefix;
  if (is_utf8(text))
    encode_span(text, 0, parse_special, ids);
  else
    encode_span(repair_utf8(text), 0, parse_special, ids);
  return ids;
}

void TextTokenizer::encode_span(std::string_view text, std::size_t pass, bool parse_special,
                                std::vector<std::int32_t>& ids) const {
  if (pass == parts_.added_tokens.size()) {
    for (const std::string_view piece : parts_.pre_tokenizer.split(text)) parts_.model->encode(piece, ids);
    return;
  }
  for (std::size_t at = 0; at < text.size();) {
    const AddedTokenMatcher::Found found = parts_.added_tokens[pass].find(text, at, parse_special);
    encode_span(text.substr(at, found.begin - at), pass + 1, parse_special, ids);
    if (found.id >= 0) ids.push_back(found.id);
    at = found.end;
  }
}

const Token* TextTokenizer::find(std::int32_t id) const {
  const bool inside = id >= 0 && static_cast<std::size_t>(id) < parts_.tokens.size();
  return inside ? &parts_.tokens[static_cast<std::size_t>(id)] : nullptr;
}

bool TextTokenizer::joined_by_space(const Token& left, const Token& right) const {
  if (parts_.joining == Joining::Bytes) return false;
  const auto among = [](const Token& token, std::string_view characters) {
    return token.text.size() == 1 && characters.find(token.text[0]) != std::string_view::npos;
  };
  constexpr std::string_view kDigits = "0123456789";
  return !among(right, ".,?:") && !(among(left, kDigits) && among(right, kDigits));
}

std::string TextTokenizer::bytes_after(std::int32_t previous, std::int32_t id) const {
  const Token* token = find(id);
  if (token == nullptr || token->special || token->text.empty()) return {};
  const Token* before = find(previous);
  return before != nullptr && joined_by_space(*before, *token) ? " " + token->text : token->text;
}

std::string TextTokenizer::decode(std::span<const std::int32_t> ids, bool with_special) const {
  std::string bytes;
  const Token* before = nullptr;
  for (const std::int32_t id : ids) {
    const Token* token = find(id);
    if (token == nullptr || token->text.empty() || (token->special && !with_special)) continue;
    if (before != nullptr && joined_by_space(*before, *token)) bytes += ' ';
    bytes += token->text;
    before = token;
  }
  return repair_utf8(bytes);
}

std::string TextTokenizer::piece(std::int32_t id) const {
  const Token* token = find(id);
  return token == nullptr ? std::string() : repair_utf8(token->text);
}

std::int64_t TextTokenizer::vocab_size() const {
  return static_cast<std::int64_t>(parts_.tokens.size());
}

std::optional<std::int32_t> TextTokenizer::id_of(std::string_view token) const {
  for (const AddedTokenMatcher& matcher : parts_.added_tokens)
    if (const auto found = matcher.find(token, 0, true); found.begin == 0 && found.end == token.size())
      return found.id;
  return parts_.model->id_of(token);
}

bool TextTokenizer::is_special(std::int32_t id) const {
  const Token* token = find(id);
  return token != nullptr && token->special;
}

}  // namespace tandem
