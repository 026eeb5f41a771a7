#include "core/training/model_files.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/base/file.h"
#include "core/base/json.h"
#include "core/checkpoint/model_config.h"
#include "core/corpus/corpus.h"

namespace tandem::training {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kMaxFileBytes = 1 << 28;
constexpr const char* kConfig = "config.json";
constexpr const char* kTokenizer = "tokenizer.json";
constexpr const char* kPrompt = "prompt.json";

Status write_text(const fs::path& path, std::string_view text) {
  return write_file(path.string(), std::span(&text, 1));
}

/// The start's config.json with another head.
Result<std::string> verifier_config(const ModelInfo& start) {
  if (start.family != model_family_name(ModelFamily::Llama))
    return Error{ErrorCode::Unsupported, fmt::format("{} is of the family {}; a verifier's body is a Llama",
                                                     start.name, start.family)};
  TANDEM_TRY(nlohmann::json config, parse_json_object(start.config_json, kConfig));
  config["architectures"] = {"LlamaForSequenceClassification"};
  config["id2label"] = {{"0", "correct"}};
  config["label2id"] = {{"correct", 0}};
  config["tie_word_embeddings"] = false;
  if (!start.eos_ids.empty()) config["pad_token_id"] = start.eos_ids.front();
  return config.dump(1) + "\n";
}

Status copy_start_files(const Model& start, bool makes_verifier, const fs::path& folder) {
  std::error_code ignored;
  if (!fs::is_directory(start.info().path, ignored))
    return Error{
        ErrorCode::Unsupported,
        start.info().path + ": training goes on from a folder with config.json, not from a single file"};
  for (const char* name : {kConfig, "mamba_config.json", "generation_config.json", kTokenizer, kPrompt}) {
    const auto text = read_file((fs::path(start.info().path) / name).string(), kMaxFileBytes);
    if (!text && text.error().code == ErrorCode::NotFound && name != kTokenizer) continue;
    if (!text) return text.error();
    TANDEM_RETURN_IF_ERROR(write_text(folder / name, *text));
  }
  if (!makes_verifier) return {};
  TANDEM_TRY(const std::string config, verifier_config(start.info()));
  return write_text(folder / kConfig, config);
}

/// tokenizer.json, the teacher's or a fresh one, and the name of its end token.
Result<std::pair<std::string, std::string>> make_tokenizer(const Recipe& recipe, const Model* teacher) {
  if (teacher != nullptr) {
    TANDEM_TRY(std::string json,
               read_file((fs::path(teacher->info().path) / kTokenizer).string(), kMaxFileBytes));
    return std::pair{std::move(json), teacher->prompt().eos_token};
  }
  corpus::BpeTrainer trainer;
  for (std::int64_t i = 0; i < recipe.tokenizer_examples; ++i)
    trainer.add(generate_example(recipe.corpus, static_cast<std::uint64_t>(i)).text());
  return std::pair{trainer.train(recipe.tokenizer).json, recipe.tokenizer.special_tokens.front()};
}

}  // namespace

Status write_model_files(const Recipe& recipe, const Model* teacher, const Model* start,
                         const fs::path& folder) {
  if (start != nullptr) return copy_start_files(*start, recipe.makes_verifier(), folder);
  TANDEM_TRY(const auto tokenizer, make_tokenizer(recipe, teacher));
  const nlohmann::ordered_json prompt = {{"template", corpus::style_template(corpus::AnswerStyle::Reason)},
                                         {"answer", "The final answer is {answer}."},
                                         {"eos_token", tokenizer.second}};
  TANDEM_RETURN_IF_ERROR(write_text(folder / kConfig, recipe.config));
  if (!recipe.mamba_config.empty())
    TANDEM_RETURN_IF_ERROR(write_text(folder / "mamba_config.json", recipe.mamba_config));
  TANDEM_RETURN_IF_ERROR(write_text(folder / kTokenizer, tokenizer.first));
  return write_text(folder / kPrompt, prompt.dump(1) + "\n");
}

}  // namespace tandem::training
