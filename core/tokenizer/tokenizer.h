// Text <-> token ids, from tokenizer.json or a GGUF file. Immutable and thread-safe after loading.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/base/utf8.h"

namespace tandem {

class GgufSettings;

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  /// Ids of a UTF-8 text. `parse_special`: added tokens such as <|eot_id|> in the text become their ids.
  /// `add_bos`: prepend the beginning-of-text token where the file's post-processor asks for it.
  virtual std::vector<std::int32_t> encode(std::string_view text, bool parse_special = true,
                                           bool add_bos = false) const = 0;

  /// Text of a whole sequence of ids; special tokens are left out unless `with_special`. Invalid UTF-8
  /// becomes U+FFFD.
  virtual std::string decode(std::span<const std::int32_t> ids, bool with_special = false) const = 0;

  /// What `id` adds to a text in which `previous` was the last id that added anything (none: -1). Nothing for
  /// a special token. May begin or end inside a UTF-8 sequence.
  virtual std::string bytes_after(std::int32_t previous, std::int32_t id) const = 0;

  /// One token as it is to be shown on an axis: its text, unescaped, without joining rules ("▁" and byte
  /// marks undone).
  virtual std::string piece(std::int32_t id) const = 0;

  /// Ids are 0 .. vocab_size() - 1. Ids outside, which a padded model can produce, decode to nothing.
  virtual std::int64_t vocab_size() const = 0;
  virtual std::optional<std::int32_t> id_of(std::string_view token) const = 0;
  virtual bool is_special(std::int32_t id) const = 0;
};

/// Turns a stream of ids into a stream of text: push() returns the text that the new id made final (bytes of
/// an incomplete UTF-8 sequence are held back). The concatenation of all push() results and finish() equals
/// decode() of all ids.
class StreamDecoder {
 public:
  explicit StreamDecoder(const Tokenizer& tokenizer) : tokenizer_(&tokenizer) {}
  std::string push(std::int32_t id);
  std::string finish();

 private:
  const Tokenizer* tokenizer_;
  std::int32_t previous_ = -1;
  Utf8Repair repair_;
};

/// Reads tokenizer.json: byte-level BPE (with the Llama-3 or a plain ByteLevel pre-tokenizer) or WordLevel.
/// Errors: NotFound, BadFormat, Unsupported (names the component that is not handled).
Result<std::shared_ptr<const Tokenizer>> read_tokenizer(const std::string& path);
/// The same from the file's text; `file` is its name, for messages.
Result<std::shared_ptr<const Tokenizer>> parse_tokenizer(std::string_view text, const std::string& file);

/// The tokenizer that a GGUF file carries: byte-level BPE ("gpt2") with the pre-tokenizers of Llama-3,
/// SmolLM, GPT-2 and Qwen2. Errors: BadFormat, Mismatch, Unsupported (another model or pre-tokenizer, by
/// name).
Result<std::shared_ptr<const Tokenizer>> read_tokenizer(const GgufSettings& settings);

}  // namespace tandem
