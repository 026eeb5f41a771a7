// Finding, opening and naming models: bundled names, folders, files.
#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "core/base/resources.h"
#include "core/checkpoint/checkpoint.h"
#include "core/checkpoint/model_config.h"
#include "core/models/families.h"
#include "core/models/model.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;

Result<fs::path> model_folder(const std::string& name_or_path) {
  std::error_code ignored;
  const fs::path path(name_or_path);
  if (fs::is_directory(path, ignored)) return path;
  if (fs::is_regular_file(path, ignored)) {
    if (path.extension() == ".safetensors")
      return path.has_parent_path() ? path.parent_path() : fs::path(".");
    return Error{
        ErrorCode::Unsupported,
        fmt::format(
            "{}: a model is a folder with config.json and model.safetensors, or such a .safetensors file",
            name_or_path)};
  }
  const auto names = bundled_models();
  if (std::find(names.begin(), names.end(), name_or_path) != names.end())
    return fs::path(resource_path("models")) / name_or_path;
  return Error{ErrorCode::NotFound,
               fmt::format("{}: no such file or folder, and no bundled model has this name (bundled: {})",
                           name_or_path, fmt::join(names, ", "))};
}

ModelInfo describe_model(const fs::path& folder, const ModelConfig& config, const Checkpoint& checkpoint,
                         const ModelWeights& weights) {
  ModelInfo info;
  info.name = fs::absolute(folder).lexically_normal().filename().string();
  if (info.name.empty())
    info.name = fs::absolute(folder).lexically_normal().parent_path().filename().string();
  info.family = model_family_name(config.family);
  info.path = folder.string();
  info.sha256 = checkpoint.sha256();
  info.config_json = config.json;
  for (const TensorEntry* entry : checkpoint.tensors()) {
    std::int64_t elements = 1;
    for (const std::int64_t extent : entry->shape) elements *= extent;
    info.parameters += elements;
  }
  info.vocab = config.vocab_size;
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
  std::vector<std::string> names;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(resource_path("models"), ignored))
    if (entry.is_directory(ignored) && fs::exists(entry.path() / "config.json", ignored))
      names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end(), std::greater<>());  // "seed-teacher" first, its students after it
  return names;
}

Result<std::shared_ptr<const Model>> open_model(const std::string& name_or_path, const LoadOptions& options) {
  TANDEM_TRY(const fs::path folder, model_folder(name_or_path));
  TANDEM_TRY(ModelConfig config, read_model_config(folder.string()));
  TANDEM_TRY(auto checkpoint, Checkpoint::open(folder.string()));
  TANDEM_TRY(auto tokenizer, read_tokenizer((folder / "tokenizer.json").string()));
  TANDEM_TRY(PromptFormat prompt, read_prompt_format((folder / "prompt.json").string()));
  if (tokenizer->vocab_size() > config.vocab_size)
    return Error{ErrorCode::Mismatch,
                 fmt::format("{}: tokenizer.json has {} tokens, config.json's vocab_size is {}",
                             folder.string(), tokenizer->vocab_size(), config.vocab_size)};
  if (const auto eos = prompt.eos_token.empty() ? std::nullopt : tokenizer->id_of(prompt.eos_token);
      eos && std::find(config.eos_ids.begin(), config.eos_ids.end(), *eos) == config.eos_ids.end())
    config.eos_ids.push_back(*eos);
  Context context;
  TANDEM_TRY(auto weights, build_weights(config, *checkpoint, options.weights, context));
  ModelInfo info = describe_model(folder, config, *checkpoint, *weights);
  return std::shared_ptr<const Model>(
      std::make_shared<Model>(std::move(info), std::move(prompt), std::move(tokenizer), std::move(weights)));
}

}  // namespace tandem
