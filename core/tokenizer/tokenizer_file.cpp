// tokenizer.json to TextTokenizer. A component that would change ids and is not known is refused by name.
#include <algorithm>
#include <filesystem>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/base/file.h"
#include "core/base/json.h"
#include "core/tokenizer/byte_level.h"
#include "core/tokenizer/text_tokenizer.h"

namespace tandem {
namespace {

using nlohmann::json;

constexpr std::int64_t kMaxFileBytes = 256 << 20;
constexpr std::int64_t kMaxGaps = 65536;  // ids without a token that a file may leave

// Hugging Face's Whitespace pre-tokenizer, as a regular expression.
constexpr const char* kWhitespacePattern =
    R"([\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]+|[^\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}\s]+)";

/// One component of the file, with its name for messages.
struct Component {
  const json& value;
  std::string where;
  JsonFields fields() const { return {value, where}; }
};

Error unsupported(std::string_view where, std::string_view what) {
  return {ErrorCode::Unsupported, fmt::format("{}: {} is not supported", where, what)};
}

/// A switch whose other value Tandem does not have.
Status require_off(const Component& component, const char* name) {
  TANDEM_TRY(const bool on, component.fields().boolean(name, false));
  if (on) return unsupported(component.where, fmt::format("{} = true", name));
  return {};
}

Status require_empty(const Component& component, const char* name) {
  TANDEM_TRY(const std::string text, component.fields().text(name, ""));
  if (!text.empty()) return unsupported(component.where, fmt::format("{} = \"{}\"", name, text));
  return {};
}

/// The members of a Sequence, or the component itself; nothing for null.
Result<std::vector<Component>> flatten(const json& document, const char* name, const char* members,
                                       std::string_view file) {
  std::vector<Component> flat;
  const JsonFields top(document, file);
  if (!top.has(name)) return flat;
  TANDEM_TRY(const json* const object, top.object(name));
  Component whole{*object, fmt::format("{}: {}", file, name)};
  TANDEM_TRY(const std::string type, whole.fields().text("type"));
  if (type != "Sequence") {
    flat.push_back(std::move(whole));
    return flat;
  }
  TANDEM_TRY(const json* const list, whole.fields().array(members));
  for (const json& member : *list) {
    if (!member.is_object()) return whole.fields().wrong(members, "an array of objects");
    flat.push_back({member, whole.where});
  }
  return flat;
}

Result<PreTokenizer::Step> read_split(const Component& split) {
  TANDEM_TRY(const json* const object, split.fields().object("pattern"));
  const Component pattern{*object, split.where + ": pattern"};
  TANDEM_TRY(const std::string behaviour, split.fields().text("behavior"));
  TANDEM_TRY(const bool invert, split.fields().boolean("invert", false));
  if (behaviour != "Isolated" && behaviour != "Removed")
    return unsupported(split.where, fmt::format("Split with behavior \"{}\"", behaviour));
  const bool literal = pattern.fields().has("String");
  TANDEM_TRY(const std::string text, pattern.fields().text(literal ? "String" : "Regex"));
  Result<Regex> regex = literal ? Regex::literal(text) : Regex::compile(text);
  if (!regex) return Error{regex.error().code, fmt::format("{}: {}", split.where, regex.error().message)};
  const bool isolated = behaviour == "Isolated";
  return PreTokenizer::Step{*std::move(regex), isolated || invert, isolated || !invert};
}

struct PreTokenizerParts {
  std::vector<PreTokenizer::Step> steps;
  bool byte_level = false;
};

Result<PreTokenizerParts> read_pre_tokenizer(const json& document, std::string_view file) {
  TANDEM_TRY(const auto components, flatten(document, "pre_tokenizer", "pretokenizers", file));
  PreTokenizerParts parts;
  const auto add = [&](std::string_view pattern, bool keep_rest) {
    parts.steps.push_back({*Regex::compile(pattern), true, keep_rest});
  };
  for (const Component& component : components) {
    TANDEM_TRY(const std::string type, component.fields().text("type"));
    if (parts.byte_level) return unsupported(component.where, type + " after ByteLevel");
    if (type == "Split") {
      TANDEM_TRY(PreTokenizer::Step step, read_split(component));
      parts.steps.push_back(std::move(step));
    } else if (type == "ByteLevel") {
      TANDEM_RETURN_IF_ERROR(require_off(component, "add_prefix_space"));
      TANDEM_TRY(const bool use_regex, component.fields().boolean("use_regex", true));
      if (use_regex) add(kGpt2Pattern, true);
      parts.byte_level = true;
    } else if (type == "Digits") {
      TANDEM_TRY(const bool individual, component.fields().boolean("individual_digits", false));
      add(individual ? kDigitPattern : R"(\p{N}+)", true);
    } else if (type == "Whitespace") {
      add(kWhitespacePattern, false);
    } else {
      return unsupported(component.where, type);
    }
  }
  return parts;
}

/// The tokens of a file: by id, and those of the model's vocabulary by their text.
class TokenTable {
 public:
  explicit TokenTable(std::string_view file) : file_(file) {}

  Status add_vocabulary(const json& vocabulary, bool byte_level);
  /// `tokens` is the file's added_tokens; gives the passes of matchers.
  Result<std::vector<AddedTokenMatcher>> add_added_tokens(const json& tokens, const json& vocabulary);

  /// Call when all tokens are in: the keys point into them.
  TokenMap take_map();
  std::vector<Token> take_tokens() { return std::move(tokens_); }

 private:
  /// `id` is in range.
  Status add(const std::string& spelling, std::int64_t id, Token token);

  std::string_view file_;
  std::int64_t most_ = kMaxGaps;  // ids below this are accepted
  std::vector<Token> tokens_;
  std::vector<std::int32_t> encodable_;  // ids that a piece of text can become
};

Status TokenTable::add(const std::string& spelling, std::int64_t id, Token token) {
  const auto at = static_cast<std::size_t>(id);
  if (at >= tokens_.size()) tokens_.resize(at + 1);
  if (!tokens_[at].text.empty())
    return Error{ErrorCode::BadFormat, fmt::format("{}: tokens '{}' and '{}' have the same id {}", file_,
                                                   repair_utf8(tokens_[at].text), spelling, id)};
  tokens_[at] = std::move(token);
  return {};
}

Status TokenTable::add_vocabulary(const json& vocabulary, bool byte_level) {
  most_ += static_cast<std::int64_t>(vocabulary.size());
  for (const auto& [spelling, value] : vocabulary.items()) {
    const bool fits =
        value.is_number_unsigned() && value.get<std::uint64_t>() < static_cast<std::uint64_t>(most_);
    if (spelling.empty() || !fits)
      return Error{
          ErrorCode::BadFormat,
          fmt::format("{}: the vocabulary gives '{}' the id {}, wanted a text and an id from 0 to {}", file_,
                      spelling, describe_json(value), most_ - 1)};
    const auto id = value.get<std::int32_t>();
    std::optional<std::string> bytes = byte_level ? bytes_of_byte_level(spelling) : spelling;
    if (bytes) encodable_.push_back(id);
    TANDEM_RETURN_IF_ERROR(add(spelling, id, {bytes ? *std::move(bytes) : spelling}));
  }
  return {};
}

Result<std::vector<AddedTokenMatcher>> TokenTable::add_added_tokens(const json& tokens,
                                                                    const json& vocabulary) {
  most_ += static_cast<std::int64_t>(tokens.size());
  std::vector<AddedToken> passes[2];  // "normalized" tokens are looked for in what the others left
  std::unordered_set<std::string> texts;
  for (const json& value : tokens) {
    if (!value.is_object())
      return Error{ErrorCode::BadFormat,
                   fmt::format("{}: added_tokens holds {}, wanted objects", file_, describe_json(value))};
    Component token{value, fmt::format("{}: added_tokens", file_)};
    TANDEM_TRY(const std::string text, token.fields().text("content"));
    TANDEM_TRY(const std::int64_t id, token.fields().integer("id", 0, most_ - 1));
    token.where += fmt::format(": '{}'", text);
    if (text.empty() || !texts.insert(text).second)
      return Error{ErrorCode::BadFormat, token.where + " is empty or appears twice"};
    for (const char* flag : {"single_word", "lstrip", "rstrip"})
      TANDEM_RETURN_IF_ERROR(require_off(token, flag));
    TANDEM_TRY(const bool special, token.fields().boolean("special", false));
    TANDEM_TRY(const bool normalized, token.fields().boolean("normalized", !special));
    if (const auto same = vocabulary.find(text); same == vocabulary.end()) {
      TANDEM_RETURN_IF_ERROR(add(text, id, {text, special}));
    } else if (*same == id) {
      tokens_[static_cast<std::size_t>(id)].special = special;
    } else {
      return Error{ErrorCode::Mismatch, fmt::format("{} has id {}, in the vocabulary it has id {}",
                                                    token.where, id, describe_json(*same))};
    }
    passes[normalized ? 1 : 0].push_back({text, static_cast<std::int32_t>(id), special});
  }
  std::vector<AddedTokenMatcher> matchers;
  for (std::vector<AddedToken>& pass : passes)
    if (!pass.empty()) matchers.emplace_back(std::move(pass));
  return matchers;
}

TokenMap TokenTable::take_map() {
  TokenMap map;
  map.reserve(encodable_.size());
  for (const std::int32_t id : encodable_) map.emplace(tokens_[static_cast<std::size_t>(id)].text, id);
  return map;
}

/// A merge is "left right" or ["left", "right"]; two empty texts for anything else.
std::pair<std::string_view, std::string_view> merge_sides(const json& merge) {
  const auto text = [](const json& value) -> std::string_view { return value.get_ref<const std::string&>(); };
  if (merge.is_string()) return split_merge(text(merge));
  if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string())
    return {text(merge[0]), text(merge[1])};
  return {};
}

Result<MergeTable::Map> read_merges(const Component& model, const TokenMap& tokens) {
  TANDEM_TRY(const json* const list, model.fields().array("merges"));
  MergeTable table(tokens, list->size());
  for (const json& merge : *list) {
    const auto [left, right] = merge_sides(merge);
    if (!table.add(left, right))
      return Error{ErrorCode::BadFormat,
                   fmt::format("{}: merge {} is {}, wanted {}", model.where, table.size(),
                               merge.dump(-1, ' ', true, json::error_handler_t::replace), kMergeWanted)};
  }
  return std::move(table).take();
}

/// unk_token's id: nothing when the file names none.
Result<std::optional<std::int32_t>> read_unknown(const Component& model, const json& vocabulary) {
  if (!model.fields().has("unk_token")) return std::optional<std::int32_t>();
  TANDEM_TRY(const std::string text, model.fields().text("unk_token"));
  const auto found = vocabulary.find(text);
  if (found == vocabulary.end()) return model.fields().wrong("unk_token", "a token of the vocabulary");
  return std::optional(found->get<std::int32_t>());
}

Result<std::unique_ptr<const SubwordModel>> read_bpe(const Component& model, const json& vocabulary,
                                                     TokenMap tokens) {
  const JsonFields fields = model.fields();
  TANDEM_RETURN_IF_ERROR(require_empty(model, "continuing_subword_prefix"));
  TANDEM_RETURN_IF_ERROR(require_empty(model, "end_of_word_suffix"));
  TANDEM_RETURN_IF_ERROR(require_off(model, "byte_fallback"));
  TANDEM_TRY(const double dropout, fields.number("dropout", 0, 1, 0));
  if (dropout > 0) return unsupported(model.where, "dropout");
  BytePairEncoding::Settings settings;
  TANDEM_TRY(settings.merges, read_merges(model, tokens));
  TANDEM_TRY(settings.whole_pieces, fields.boolean("ignore_merges", false));
  TANDEM_TRY(settings.fuse_unknown, fields.boolean("fuse_unk", false));
  TANDEM_TRY(settings.unknown, read_unknown(model, vocabulary));
  return std::unique_ptr<const SubwordModel>(
      std::make_unique<BytePairEncoding>(std::move(tokens), std::move(settings)));
}

Result<std::unique_ptr<const SubwordModel>> read_word_level(const Component& model, const json& vocabulary,
                                                            TokenMap tokens) {
  TANDEM_TRY(const std::optional<std::int32_t> unknown, read_unknown(model, vocabulary));
  if (!unknown) return model.fields().wrong("unk_token", "a token of the vocabulary");
  return std::unique_ptr<const SubwordModel>(std::make_unique<WordLevel>(std::move(tokens), *unknown));
}

/// The ids that TemplateProcessing puts before a single text.
Result<std::vector<std::int32_t>> read_template(const Component& component, std::size_t vocab_size) {
  std::vector<std::int32_t> prefix;
  TANDEM_TRY(const json* const items, component.fields().array("single"));
  TANDEM_TRY(const json* const definitions, component.fields().object("special_tokens"));
  bool after_text = false;
  for (const json& item : *items) {
    if (!item.is_object()) return component.fields().wrong("single", "an array of objects");
    if (item.contains("Sequence")) {
      after_text = true;
      continue;
    }
    if (after_text) return unsupported(component.where, "TemplateProcessing with a token after the text");
    TANDEM_TRY(const json* const token, JsonFields(item, component.where).object("SpecialToken"));
    TANDEM_TRY(const std::string name, JsonFields(*token, component.where).text("id"));
    TANDEM_TRY(const json* const definition, JsonFields(*definitions, component.where).object(name.c_str()));
    const JsonFields fields(*definition, component.where);
    TANDEM_TRY(const json* const ids, fields.array("ids"));
    for (const json& id : *ids) {
      if (!id.is_number_unsigned() || id.get<std::uint64_t>() >= vocab_size)
        return fields.wrong("ids", fmt::format("ids below {}", vocab_size));
      prefix.push_back(id.get<std::int32_t>());
    }
  }
  return prefix;
}

Result<std::vector<std::int32_t>> read_post_processor(const json& document, std::string_view file,
                                                      std::size_t vocab_size) {
  TANDEM_TRY(const auto components, flatten(document, "post_processor", "processors", file));
  std::vector<std::int32_t> prefix;
  for (const Component& component : components) {
    TANDEM_TRY(const std::string type, component.fields().text("type"));
    if (type == "ByteLevel") continue;  // moves offsets only
    if (type != "TemplateProcessing") return unsupported(component.where, type);
    TANDEM_TRY(const auto ids, read_template(component, vocab_size));
    prefix.insert(prefix.begin(), ids.begin(), ids.end());  // a later template wraps what an earlier one made
  }
  return prefix;
}

/// Nothing to normalise, and a decoder that fits the model.
Status check_text_path(const json& document, std::string_view file, bool byte_level) {
  TANDEM_TRY(const auto normalizers, flatten(document, "normalizer", "normalizers", file));
  if (!normalizers.empty()) {
    TANDEM_TRY(const std::string type, normalizers.front().fields().text("type"));
    return unsupported(normalizers.front().where, type);
  }
  TANDEM_TRY(const auto decoders, flatten(document, "decoder", "decoders", file));
  for (const Component& component : decoders) {
    TANDEM_TRY(const std::string type, component.fields().text("type"));
    if (type != "ByteLevel" || !byte_level) return unsupported(component.where, type);
  }
  return {};
}

Result<std::shared_ptr<const Tokenizer>> build(const json& document, const std::string& file) {
  const JsonFields top(document, file);
  TANDEM_TRY(const json* const object, top.object("model"));
  const Component model{*object, file + ": model"};
  TANDEM_TRY(const std::string type, model.fields().text("type"));
  if (type != "BPE" && type != "WordLevel") return unsupported(model.where, type);
  const bool bpe = type == "BPE";

  TANDEM_TRY(PreTokenizerParts pre_tokenizer, read_pre_tokenizer(document, file));
  if (pre_tokenizer.byte_level != bpe)
    return unsupported(
        file, bpe ? "BPE without the ByteLevel pre-tokenizer" : "WordLevel with the ByteLevel pre-tokenizer");
  TANDEM_RETURN_IF_ERROR(check_text_path(document, file, bpe));

  TokenTable table(file);
  TANDEM_TRY(const json* const vocabulary, model.fields().object("vocab"));
  TANDEM_RETURN_IF_ERROR(table.add_vocabulary(*vocabulary, bpe));
  std::vector<AddedTokenMatcher> added;
  if (top.has("added_tokens")) {
    TANDEM_TRY(const json* const tokens, top.array("added_tokens"));
    TANDEM_TRY(added, table.add_added_tokens(*tokens, *vocabulary));
  }
  TokenMap map = table.take_map();
  TANDEM_TRY(auto subwords, bpe ? read_bpe(model, *vocabulary, std::move(map))
                                : read_word_level(model, *vocabulary, std::move(map)));
  std::vector<Token> tokens = table.take_tokens();
  TANDEM_TRY(auto prefix, read_post_processor(document, file, tokens.size()));
  return std::shared_ptr<const Tokenizer>(std::make_shared<TextTokenizer>(TextTokenizer::Parts{
      std::move(tokens), std::move(added), std::move(prefix), PreTokenizer(std::move(pre_tokenizer.steps)),
      std::move(subwords), bpe ? Joining::Bytes : Joining::Words}));
}

}  // namespace

Result<std::shared_ptr<const Tokenizer>> read_tokenizer(const std::string& path) {
  TANDEM_TRY(const std::string text, read_file(path, kMaxFileBytes));
  return parse_tokenizer(text, std::filesystem::path(path).filename().string());
}

Result<std::shared_ptr<const Tokenizer>> parse_tokenizer(std::string_view text, const std::string& file) {
  TANDEM_TRY(const json document, parse_json_object(text, file));
  return build(document, file);
}

}  // namespace tandem
