// tandem-cli info: what a model is, or which models are bundled.
#include <map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "app/cli/commands.h"
#include "app/cli/output.h"
#include "app/cli/run_options.h"
#include "app/cli/validators.h"
#include "core/checkpoint/checkpoint.h"
#include "core/models/memory_plan.h"
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
             bytesText(info.memory_bytes));
  if (info.single_bytes > 0)
    fmt::print("              of these {} as stored, read for one completion, and {} packed, read for more\n",
               bytesText(info.single_bytes), bytesText(info.weight_bytes));
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

struct Options {
  std::string model;
  LoadOptions load;
  std::string weights = "f32";
  StateShape shape{512, 16, 512, false};
  bool json = false;
};

nlohmann::json planJson(const MemoryPlan& plan, const StateShape& shape, std::int64_t available) {
  return {{"prompt_tokens", shape.prompt_tokens},
          {"batch", shape.batch},
          {"max_tokens", shape.new_tokens},
          {"weights_bytes", plan.weights},
          {"loading_bytes", plan.loading},
          {"prompt_bytes", plan.prompt},
          {"completions_bytes", plan.completions},
          {"working_bytes", plan.working},
          {"peak_bytes", plan.peak()},
          {"available_bytes", available},
          {"fits", available <= 0 || plan.peak() <= available}};
}

void printPlan(const MemoryPlan& plan, const StateShape& shape, std::int64_t available) {
  fmt::print("  needs       {} at most, for {} completions of {} tokens after a prompt of {}:\n",
             bytesText(plan.peak()), shape.batch, shape.new_tokens, shape.prompt_tokens);
  fmt::print(
      "              weights {} (and {} while loading), prompt {}, completions {}, working memory {}\n",
      bytesText(plan.weights), bytesText(plan.loading), bytesText(plan.prompt), bytesText(plan.completions),
      bytesText(plan.working));
  if (available > 0)
    fmt::print("              {} are free: {}\n", bytesText(available),
               plan.peak() <= available ? "it fits" : "it does not fit");
}

/// Reads no weights but for their hash: a model too large to open is described too.
int describe(const Options& options) {
  LoadOptions load = options.load;
  load.weights = options.weights == "bf16" ? DType::BF16 : DType::F32;
  auto info = inspect_model(options.model, load);
  if (!info) return fail(info.error());
  const auto checkpoint = Checkpoint::open(info->path);
  if (!checkpoint) return fail(checkpoint.error());
  auto hash = (*checkpoint)->sha256();
  if (!hash) return fail(hash.error());
  info->sha256 = *std::move(hash);
  const MemoryPlan plan = plan_memory(*info, options.shape);
  const std::int64_t available = available_memory();
  if (options.json) {
    nlohmann::json object = infoJson(*info);
    object["plan"] = planJson(plan, options.shape, available);
    printJson(object);
  } else {
    printInfo(*info);
    printPlan(plan, options.shape, available);
  }
  return 0;
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
  auto* command =
      app.add_subcommand("info", "Says what a model is; without a name, which models are bundled");
  auto options = std::make_shared<Options>();
  command->add_option("MODEL", options->model, "A bundled name, a folder, or a .safetensors or .gguf file");
  addLoadOptions(*command, options->load);
  const auto number = [command](const char* name, auto& value, const char* help) {
    command->add_option(name, value, help)->check(kAboveZero)->capture_default_str();
  };
  number("--completions", options->shape.batch, "Completions decoded together, to plan memory for");
  number("--prompt-tokens", options->shape.prompt_tokens, "Tokens of their prompt");
  number("--max-tokens", options->shape.new_tokens, "Tokens of the longest completion");
  command->add_option("--weights", options->weights, "Type of the packed weights")
      ->check(CLI::IsMember({"f32", "bf16"}))
      ->capture_default_str();
  command->add_flag("--json", options->json, "Print JSON");
  command->callback([options, &action] {
    action = [options] {
      if (options->model.empty()) return listBundled(options->json);
      return describe(*options);
    };
  });
}

}  // namespace tandem::cli
