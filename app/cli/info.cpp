// tandem-cli info: what a model is, or which models are bundled.
#include <map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "app/cli/commands.h"
#include "app/cli/output.h"
#include "core/models/model.h"
#include "core/session/session.h"

namespace tandem::cli {
namespace {

nlohmann::json infoJson(const ModelInfo& info) {
  nlohmann::json object = nlohmann::json::parse(to_json(info), nullptr, false);
  object["path"] = info.path;
  object["config"] = nlohmann::json::parse(info.config_json, nullptr, false);
  return object;
}

/// "0-2, 5": runs of consecutive numbers.
std::string rangesText(const std::vector<std::size_t>& numbers) {
  std::string text;
  for (std::size_t i = 0; i < numbers.size();) {
    std::size_t last = i;
    while (last + 1 < numbers.size() && numbers[last + 1] == numbers[last] + 1) ++last;
    if (!text.empty()) text += ", ";
    text += last == i ? fmt::format("{}", numbers[i]) : fmt::format("{}-{}", numbers[i], numbers[last]);
    i = last + 1;
  }
  return text;
}

std::string layerText(const LayerInfo& layer) {
  std::string text =
      fmt::format("{}, {} heads of {}", mixer_kind_name(layer.mixer), layer.nheads, layer.headdim);
  if (layer.mixer == MixerKind::Attention)
    return text + fmt::format(", {} for keys and values", layer.nheads_kv);
  return text + fmt::format(", state {} per head, {} groups", layer.dstate, layer.nheads_kv);
}

void printInfo(const ModelInfo& info) {
  fmt::print("{}  ({})\n", info.name, info.path);
  fmt::print("  family      {}\n", info.family);
  fmt::print("  parameters  {}, {} in memory\n", scaledText(static_cast<double>(info.parameters)),
             bytesText(info.weight_bytes));
  fmt::print("  sizes       vocabulary {}, width {}, MLP {}, {} layers\n", info.vocab, info.d_model,
             info.d_ff, info.layers.size());
  fmt::print("  context     {}\n",
             info.max_context > 0 ? fmt::format("{} tokens", info.max_context) : std::string("unlimited"));
  fmt::print("  memory      {} a token of cache, {} of state, for each completion\n",
             bytesText(info.cache_bytes_per_token()), bytesText(info.state_bytes()));
  std::map<std::string, std::vector<std::size_t>> layers;
  for (std::size_t i = 0; i < info.layers.size(); ++i) layers[layerText(info.layers[i])].push_back(i);
  for (const auto& [text, numbers] : layers) fmt::print("  layers {:<4} {}\n", rangesText(numbers), text);
  fmt::print("  sha256      {}\n", info.sha256);
}

int listBundled(bool json) {
  std::vector<std::string> names = bundled_models();
  for (std::string& name : bundled_verifiers()) names.push_back(std::move(name));
  if (json) {
    printJson(names);
  } else {
    for (const std::string& name : names) fmt::print("{}\n", name);
  }
  return 0;
}

}  // namespace

void addInfoCommand(CLI::App& app, Action& action) {
  struct Options {
    std::string model;
    bool json = false;
  };
  auto* command =
      app.add_subcommand("info", "Says what a model is; without a name, which models are bundled");
  auto options = std::make_shared<Options>();
  command->add_option("MODEL", options->model, "A bundled name, a folder, or a .safetensors or .gguf file");
  command->add_flag("--json", options->json, "Print JSON");
  command->callback([options, &action] {
    action = [options] {
      if (options->model.empty()) return listBundled(options->json);
      const auto model = open_model(options->model);
      if (!model) return fail(model.error());
      if (options->json) {
        printJson(infoJson((*model)->info()));
      } else {
        printInfo((*model)->info());
      }
      return 0;
    };
  });
}

}  // namespace tandem::cli
