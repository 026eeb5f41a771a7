// The tokenizer that files describe: added tokens, then pre-tokenizer, then subword model; decoding by bytes
// or by words.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/tokenizer/added_tokens.h"
#include "core/tokenizer/pre_tokenizer.h"
#include "core/tokenizer/subword.h"
#include "core/tokenizer/tokenizer.h"

namespace tandem {

/// How the texts of neighbouring tokens come together.
enum class Joining {
  Bytes,  // as they are
  Words,  // by a space, but none before . , ? : and none between two digits
};

/// What an id stands for. Ids may have gaps: those that no token has stand for nothing.
struct Token {
  std::string text;
  bool special = false;  // left out of decoded text
};

class TextTokenizer final : public Tokenizer {
 public:
  struct Parts {
    std::vector<Token> tokens;                    // by id
    std::vector<AddedTokenMatcher> added_tokens;  // each looks at what the one before it left over
    std::vector<std::int32_t> prefix;             // beginning of text
    PreTokenizer pre_tokenizer;
    std::unique_ptr<const SubwordModel> model;
    Joining joining = Joining::Bytes;
  };
  explicit TextTokenizer(Parts parts) : parts_(std::move(parts)) {}

  std::vector<std::int32_t> encode(std::string_view text, bool parse_special, bool add_bos) const override;
  std::string decode(std::span<const std::int32_t> ids, bool with_special) const override;
  std::string bytes_after(std::int32_t previous, std::int32_t id) const override;
  std::string piece(std::int32_t id) const override;
  std::int64_t vocab_size() const override;
  std::optional<std::int32_t> id_of(std::string_view token) const override;
  bool is_special(std::int32_t id) const override;

 private:
  void encode_span(std::string_view text, std::size_t pass, bool parse_special,
                   std::vector<std::int32_t>& ids) const;
  const Token* find(std::int32_t id) const;
  bool joined_by_space(const Token& left, const Token& right) const;
  Parts parts_;
};

}  // namespace tandem
