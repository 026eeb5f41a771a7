// The settings tokenizer.ggml.* to TextTokenizer (models.md 7.2).
#include <algorithm>
#include <iterator>
#include <utility>

#include <fmt/format.h>

#include "core/checkpoint/gguf.h"
#include "core/tokenizer/byte_level.h"
#include "core/tokenizer/text_tokenizer.h"

namespace tandem {
namespace {

constexpr std::string_view kLlama3Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kQwen2Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

/// What a value of tokenizer.ggml.pre means.
struct Kind {
  std::vector<std::string_view> names;
  std::vector<std::string_view> passes;
  bool whole_pieces;  // a piece that is a token is not merged
  bool add_bos;       // unless the file says otherwise
};

const std::vector<Kind>& kinds() {
  static const std::vector<Kind> all = {
      {{"llama-bpe", "llama3", "llama-v3", "falcon3"}, {kLlama3Pattern}, true, true},
      {{"smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva"},
       {kDigitPattern, kGpt2Pattern},
       false,
       false},
      {{"gpt-2"}, {kGpt2Pattern}, false, false},
      {{"qwen2"}, {kQwen2Pattern}, false, false}};
  return all;
}

// Token types, as the file numbers them.
constexpr std::int32_t kControl = 3;
constexpr std::int32_t kUserDefined = 4;
constexpr std::int32_t kMostType = 6;

constexpr const char* kTokens = "tokenizer.ggml.tokens";
constexpr const char* kTypes = "tokenizer.ggml.token_type";
constexpr const char* kMerges = "tokenizer.ggml.merges";

Result<const Kind*> find_kind(const GgufSettings& settings) {
  TANDEM_TRY(const std::string_view model, settings.text("tokenizer.ggml.model"));
  if (model != "gpt2")
    return Error{ErrorCode::Unsupported,
                 fmt::format("{}: tokenizer.ggml.model = \"{}\" is not supported, only \"gpt2\"",
                             settings.file(), model)};
  TANDEM_TRY(const std::string_view name, settings.text("tokenizer.ggml.pre"));
  for (const Kind& kind : kinds())
    if (std::find(kind.names.begin(), kind.names.end(), name) != kind.names.end()) return &kind;
  std::string known;
  for (const Kind& kind : kinds())
    for (const std::string_view other : kind.names)
      known += fmt::format("{}\"{}\"", known.empty() ? "" : ", ", other);
  return Error{
      ErrorCode::Unsupported,
      fmt::format("{}: tokenizer.ggml.pre = \"{}\" is not supported, only {}", settings.file(), name, known)};
}

struct Vocabulary {
  std::vector<Token> tokens;
  std::vector<AddedToken> added;
  std::vector<std::int32_t> encodable;  // ids that a piece of text can become
};

Result<Vocabulary> read_vocabulary(const GgufSettings& settings) {
  TANDEM_TRY(const auto spellings, settings.texts(kTokens));
  TANDEM_TRY(const auto types, settings.integers(kTypes));
  if (types.size() != spellings.size())
    return Error{ErrorCode::Mismatch, fmt::format("{}: '{}' has {} elements, '{}' has {}", settings.file(),
                                                  kTypes, types.size(), kTokens, spellings.size())};
  Vocabulary vocabulary;
  vocabulary.tokens.reserve(spellings.size());
  vocabulary.encodable.reserve(spellings.size());
  for (std::size_t i = 0; i < spellings.size(); ++i) {
    const auto id = static_cast<std::int32_t>(i);
    const std::string_view spelling = spellings[i];
    if (spelling.empty() || types[i] < 1 || types[i] > kMostType)
      return Error{ErrorCode::BadFormat,
                   fmt::format("{}: token {} is \"{}\" of type {}, wanted a text and a type from 1 to {}",
                               settings.file(), i, spelling, types[i], kMostType)};
    const bool added = types[i] == kControl || types[i] == kUserDefined;
    std::optional<std::string> bytes = added ? std::nullopt : bytes_of_byte_level(spelling);
    if (added) vocabulary.added.push_back({std::string(spelling), id, types[i] == kControl});
    if (bytes) vocabulary.encodable.push_back(id);
    vocabulary.tokens.push_back({bytes ? *std::move(bytes) : std::string(spelling), types[i] == kControl});
  }
  return vocabulary;
}

/// Tokens by the bytes they stand for; the keys point into `vocabulary`.
Result<TokenMap> map_tokens(const Vocabulary& vocabulary, const GgufSettings& settings) {
  TokenMap map;
  map.reserve(vocabulary.encodable.size());
  for (const std::int32_t id : vocabulary.encodable) {
    const auto [at, added] = map.emplace(vocabulary.tokens[static_cast<std::size_t>(id)].text, id);
    if (!added)
      return Error{ErrorCode::BadFormat,
                   fmt::format("{}: tokens {} and {} have the same text", settings.file(), at->second, id)};
  }
  std::vector<std::string_view> texts;
  for (const AddedToken& token : vocabulary.added) texts.push_back(token.text);
  std::sort(texts.begin(), texts.end());
  if (const auto twice = std::adjacent_find(texts.begin(), texts.end()); twice != texts.end())
    return Error{ErrorCode::BadFormat,
                 fmt::format("{}: two tokens have the text \"{}\"", settings.file(), *twice)};
  return map;
}

Result<MergeTable::Map> read_merges(const GgufSettings& settings, const TokenMap& tokens) {
  TANDEM_TRY(const auto merges, settings.texts(kMerges));
  MergeTable table(tokens, merges.size());
  for (const std::string_view merge : merges) {
    const auto [left, right] = split_merge(merge);
    if (!table.add(left, right))
      return Error{ErrorCode::BadFormat, fmt::format("{}: merge {} is \"{}\", wanted {}", settings.file(),
                                                     table.size(), merge, kMergeWanted)};
  }
  return std::move(table).take();
}

/// The beginning of a text, where the file asks for one.
Result<std::vector<std::int32_t>> read_prefix(const GgufSettings& settings, const Kind& kind,
                                              std::size_t vocab_size) {
  TANDEM_TRY(const bool add_bos, settings.boolean("tokenizer.ggml.add_bos_token", kind.add_bos));
  TANDEM_TRY(const bool add_eos, settings.boolean("tokenizer.ggml.add_eos_token", false));
  if (add_eos) return settings.wrong("tokenizer.ggml.add_eos_token", "false: nothing may follow the text");
  std::vector<std::int32_t> prefix;
  if (!add_bos) return prefix;
  TANDEM_TRY(const std::int64_t bos,
             settings.integer("tokenizer.ggml.bos_token_id", 0, static_cast<std::int64_t>(vocab_size) - 1));
  prefix.push_back(static_cast<std::int32_t>(bos));
  return prefix;
}

}  // namespace

Result<std::shared_ptr<const Tokenizer>> read_tokenizer(const GgufSettings& settings) {
  TANDEM_TRY(const Kind* const kind, find_kind(settings));
  TANDEM_TRY(Vocabulary vocabulary, read_vocabulary(settings));
  TANDEM_TRY(auto prefix, read_prefix(settings, *kind, vocabulary.tokens.size()));
  TANDEM_TRY(TokenMap map, map_tokens(vocabulary, settings));
  BytePairEncoding::Settings merging;
  TANDEM_TRY(merging.merges, read_merges(settings, map));
  merging.whole_pieces = kind->whole_pieces;
  std::vector<PreTokenizer::Step> steps;
  for (const std::string_view pattern : kind->passes) steps.push_back({*Regex::compile(pattern)});
  std::vector<AddedTokenMatcher> matchers;
  if (!vocabulary.added.empty()) matchers.emplace_back(std::move(vocabulary.added));
  return std::shared_ptr<const Tokenizer>(std::make_shared<TextTokenizer>(TextTokenizer::Parts{
      std::move(vocabulary.tokens), std::move(matchers), std::move(prefix), PreTokenizer(std::move(steps)),
      std::make_unique<BytePairEncoding>(std::move(map), std::move(merging))}));
}

}  // namespace tandem
