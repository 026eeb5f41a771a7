// Finding, opening and naming models: bundled names, folders, files.
#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "core/base/resources.h"
#include "core/checkpoint/checkpoint.h"
#include "core/checkpoint/gguf_llama.h"
#include "core/checkpoint/model_config.h"
#include "core/models/families.h"
#include "core/models/model.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;

/// Names of the bundled verifiers, or of the other models. One that cannot be read is no verifier: opening it
/// says what is wrong.
std::vector<std::string> bundled(bool verifiers) {
  std::vector<std::string> names;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(resource_path("models"), ignored)) {
    if (!entry.is_directory(ignored) || !fs::exists(entry.path() / "config.json", ignored)) continue;
    const auto config = read_model_config(entry.path().string());
    if ((config && config->is_verifier) == verifiers) names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end(), std::greater<>());  // "seed-teacher" first, its students after it
  return names;
}

void add_end(ModelConfig& config, std::int32_t id) {
  if (std::find(config.eos_ids.begin(), config.eos_ids.end(), id) == config.eos_ids.end())
    config.eos_ids.push_back(id);
}

/// A .gguf file, or a folder.
Result<fs::path> model_path(const std::string& name_or_path) {
  std::error_code ignored;
  const fs::path path(name_or_path);
  if (fs::is_directory(path, ignored)) return path;
  if (fs::is_regular_file(path, ignored)) {
    if (path.extension() == ".gguf") return path;
    if (path.extension() == ".safetensors" || path.filename() == "config.json")
      return path.has_parent_path() ? path.parent_path() : fs::path(".");
    return Error{
        ErrorCode::Unsupported,
        fmt::format("{}: a model is a folder with config.json and model.safetensors, such a .safetensors "
                    "file, or a .gguf file",
                    name_or_path)};
  }
  std::vector<std::string> names = bundled_models();
  for (std::string& name : bundled_verifiers()) names.push_back(std::move(name));
  if (std::find(names.begin(), names.end(), name_or_path) != names.end())
    return fs::path(resource_path("models")) / name_or_path;
  return Error{ErrorCode::NotFound,
               fmt::format("{}: no such file or folder, and no bundled model has this name (bundled: {})",
                           name_or_path, fmt::join(names, ", "))};
}

/// "pocket-teacher" for a folder of that name, "model.Q4_1" for model.Q4_1.gguf.
std::string model_name(const fs::path& path) {
  const fs::path full = fs::absolute(path).lexically_normal();
  if (full.extension() == ".gguf") return full.stem().string();
  return full.has_filename() ? full.filename().string() : full.parent_path().filename().string();
}

/// What a model is made of, before its weights are packed.
struct ModelParts {
  ModelConfig config;
  std::shared_ptr<const Checkpoint> checkpoint;
  std::shared_ptr<const Tokenizer> tokenizer;
  PromptFormat prompt;
};

Result<ModelParts> open_folder(const fs::path& folder) {
  ModelParts parts;
  TANDEM_TRY(parts.config, read_model_config(folder.string()));
  TANDEM_TRY(parts.checkpoint, Checkpoint::open(folder.string()));
  TANDEM_TRY(parts.tokenizer, read_tokenizer((folder / "tokenizer.json").string()));
  TANDEM_TRY(parts.prompt, read_folder_prompt(folder.string()));
  return parts;
}

Result<ModelParts> open_gguf(const fs::path& file) {
  ModelParts parts;
  TANDEM_TRY(parts.checkpoint, Checkpoint::open(file.string()));
  const GgufFile& gguf = *parts.checkpoint->gguf();
  TANDEM_TRY(parts.config, read_gguf_config(gguf));
  TANDEM_TRY(parts.tokenizer, read_tokenizer(gguf.settings));
  TANDEM_TRY(const std::string_view jinja, gguf.settings.text("tokenizer.chat_template", ""));
  parts.prompt = chat_prompt(jinja);
  for (const char* end :
       {"<|eot_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>", "<|endoftext|>", "<|eom_id|>", "<EOT>"})
    if (const auto id = parts.tokenizer->id_of(end); id && parts.tokenizer->is_special(*id))
      add_end(parts.config, *id);
  return parts;
}

ModelInfo describe_model(const fs::path& path, const ModelConfig& config, const Checkpoint& checkpoint,
                         const ModelWeights& weights) {
  ModelInfo info;
  info.name = model_name(path);
  info.family = model_family_name(config.family);
  info.path = path.string();
  info.sha256 = checkpoint.sha256();
  info.config_json = config.json;
  for (const TensorEntry* entry : checkpoint.tensors()) {
    std::int64_t elements = 1;
    for (const std::int64_t extent : entry->shape) elements *= extent;
    info.parameters += elements;
  }
  info.vocab = config.vocab_size;
  info.is_verifier = config.is_verifier;
  info.d_model = config.d_model;
  info.d_ff = config.d_ff;
  info.max_context = config.max_context;
  info.eos_ids = config.eos_ids;
  info.weight_bytes = weights.head.bytes();
  for (const LayerWeights& layer : weights.layers) {
    info.layers.push_back(layer.mixer->info());
    info.weight_bytes += layer.mixer->weight_bytes() + layer.gate_up.bytes() + layer.down.bytes();
  }
  return info;
}

}  // namespace

std::vector<std::string> bundled_models() {
  return bundled(false);
}

std::vector<std::string> bundled_verifiers() {
  return bundled(true);
}

Result<std::shared_ptr<const Model>> open_model(const std::string& name_or_path, const LoadOptions& options) {
  TANDEM_TRY(const fs::path path, model_path(name_or_path));
  TANDEM_TRY(ModelParts parts, path.extension() == ".gguf" ? open_gguf(path) : open_folder(path));
  ModelConfig& config = parts.config;
  if (parts.tokenizer->vocab_size() > config.vocab_size)
    return Error{ErrorCode::Mismatch,
                 fmt::format("{}: the tokenizer has {} tokens, the embedding has {} rows", path.string(),
                             parts.tokenizer->vocab_size(), config.vocab_size)};
  if (const auto eos = parts.tokenizer->id_of(parts.prompt.eos_token)) add_end(config, *eos);
  Context context;
  TANDEM_TRY(auto weights, build_weights(config, *parts.checkpoint, options.weights, context));
  ModelInfo info = describe_model(path, config, *parts.checkpoint, *weights);
  return std::shared_ptr<const Model>(std::make_shared<Model>(
      std::move(info), std::move(parts.prompt), std::move(parts.tokenizer), std::move(weights)));
}

}  // namespace tandem
