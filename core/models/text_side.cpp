#include "core/models/text_side.h"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "core/checkpoint/gguf_llama.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kPadding = 128;  // vocabularies are rounded up to multiples of at most this

void add_end(const Tokenizer& tokenizer, std::string_view token, std::vector<std::int32_t>& ids) {
  const auto id = token.empty() ? std::nullopt : tokenizer.id_of(token);
  if (id && std::find(ids.begin(), ids.end(), *id) == ids.end()) ids.push_back(*id);
}

/// How the usual vocabularies spell the ends of texts, turns and messages.
constexpr const char* kEnds[] = {"<|eot_id|>",    "<|end_of_text|>", "<|im_end|>", "<|end|>",
                                 "<end_of_turn>", "<|endoftext|>",   "<|eom_id|>", "<EOT>"};

/// What a GGUF file carries itself.
Result<TextSide> read_gguf_text(const ModelInfo& model, const GgufFile& gguf) {
  TextSide text;
  TANDEM_TRY(text.tokenizer, read_tokenizer(gguf.settings));
  TANDEM_TRY(const std::string_view jinja, gguf.settings.text("tokenizer.chat_template", ""));
  text.prompt = chat_prompt(jinja);
  text.eos_ids = model.eos_ids;
  for (const char* end : kEnds)
    if (const auto id = text.tokenizer->id_of(end); id && text.tokenizer->is_special(*id))
      add_end(*text.tokenizer, end, text.eos_ids);
  return text;
}

bool holds_tokenizer(const fs::path& folder) {
  std::error_code ignored;
  return fs::exists(folder / "tokenizer.json", ignored);
}

Result<TextSide> lent(const ModelInfo& model, const Model& lender) {
  if (!same_vocabulary(model, lender.info()))
    return Error{
        ErrorCode::NotFound,
        fmt::format("{}: holds no tokenizer.json, and that of {}, with {} tokens, is not for its {}; "
                    "open this model beside its teacher, or choose a folder that has one "
                    "(--tokenizer)",
                    model.path, lender.info().name, lender.info().vocab, model.vocab)};
  return TextSide{lender.shared_tokenizer(), lender.prompt(),
                  model.eos_ids.empty() ? lender.info().eos_ids : model.eos_ids};
}

/// The model's own tokenizer, the one the user named, or the teacher's.
Result<TextSide> read_folder_text(const ModelInfo& model, const LoadOptions& options) {
  const fs::path own = model.path;
  std::error_code ignored;
  fs::path source = own;
  if (!holds_tokenizer(source) && !options.tokenizer.empty()) source = options.tokenizer;
  if (fs::is_regular_file(source, ignored)) source = source.parent_path();
  if (options.tokenizer.empty() && options.teacher && !holds_tokenizer(source))
    return lent(model, *options.teacher);
  if (!holds_tokenizer(source))
    return Error{
        ErrorCode::NotFound,
        fmt::format("{}: holds no tokenizer.json; open this model beside its teacher, or choose a folder "
                    "that has one (--tokenizer)",
                    source.string())};
  TextSide text;
  text.eos_ids = model.eos_ids;
  TANDEM_TRY(text.tokenizer, read_tokenizer((source / "tokenizer.json").string()));
  TANDEM_TRY(text.prompt, read_folder_prompt(source.string()));
  if (text.eos_ids.empty() && source != own) {
    TANDEM_TRY(text.eos_ids, read_eos_ids(source.string(), text.tokenizer->vocab_size()));
  }
  add_end(*text.tokenizer, text.prompt.eos_token, text.eos_ids);
  if (text.eos_ids.empty())
    for (const char* end : kEnds) add_end(*text.tokenizer, end, text.eos_ids);
  return text;
}

}  // namespace

bool has_tokenizer(const std::string& path) {
  return fs::path(path).extension() == ".gguf" || holds_tokenizer(path);
}

bool same_vocabulary(const ModelInfo& model, const ModelInfo& lender) {
  return lender.vocab <= model.vocab && model.vocab - lender.vocab < kPadding;
}

Result<TextSide> read_text_side(const ModelInfo& model, const Checkpoint& checkpoint,
                                const LoadOptions& options) {
  TANDEM_TRY(TextSide text, checkpoint.gguf() != nullptr ? read_gguf_text(model, *checkpoint.gguf())
                                                         : read_folder_text(model, options));
  if (text.tokenizer->vocab_size() > model.vocab)
    return Error{ErrorCode::Mismatch,
                 fmt::format("{}: the tokenizer has {} tokens, the embedding has {} rows", model.path,
                             text.tokenizer->vocab_size(), model.vocab)};
  return text;
}

}  // namespace tandem
