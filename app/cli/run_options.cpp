#include "app/cli/run_options.h"

#include <filesystem>
#include <map>

#include "app/cli/progress.h"
#include "app/cli/validators.h"
#include "core/devices/devices.h"

namespace tandem::cli {

CLI::Option* addModelOption(CLI::App& command, std::vector<std::string>& models) {
  return command
      .add_option("--model", models,
                  "A bundled name, a folder, or a .safetensors or .gguf file; several for a comparison, the "
                  "teacher first")
      ->required()
      ->take_all();
}

void addDeviceOption(CLI::App& command, Device*& chosen) {
  command
      .add_option_function<std::string>(
          "--device",
          [&chosen](const std::string& id) {
            const auto device = find_device(id);
            if (!device) throw CLI::ValidationError("--device", device.error().message);
            chosen = *device;
          },
          "What to run on: cpu, cuda, cuda:N, or auto for a GPU if there is one; see `devices`")
      ->type_name("DEVICE");
}

void addLoadOptions(CLI::App& command, LoadOptions& options) {
  command.add_option("--tokenizer", options.tokenizer,
                     "A folder whose tokenizer serves models published without one; if not given, the first "
                     "model's does");
  addDeviceOption(command, options.device);
  const std::map<std::string, AttentionRope> ropes = {{"scaled", AttentionRope::Scaled},
                                                      {"unscaled", AttentionRope::Unscaled}};
  command
      .add_option(
          "--attention-rope", options.attention_rope,
          "Rotary positions in the attention layers of MambaInLlama models: scaled or unscaled; if not "
          "given, as their tensors' names tell")
      ->transform(CLI::CheckedTransformer(ropes))
      ->type_name("TEXT");
}

void addStateTypeOptions(CLI::App& command, StateStorage& storage) {
  const std::map<std::string, DType> types = {{"f32", DType::F32}, {"bf16", DType::BF16}};
  const auto type = [&](const char* name, DType& value, const char* help) {
    command.add_option(name, value, help)->transform(CLI::CheckedTransformer(types))->option_text("f32|bf16");
  };
  type("--cache-type", storage.caches, "On a GPU: how keys and values are held; if not given, f32");
  type("--state-type", storage.states, "On a GPU: how recurrent states are held; if not given, f32");
}

void addStorageOptions(CLI::App& command, StateStorage& storage) {
  addStateTypeOptions(command, storage);
  command
      .add_option("--write-states-every", storage.write_every,
                  "On a GPU: steps between writes of a Mamba-2 state; the inputs in between are replayed")
      ->check(CLI::Range(1, kMaxWriteEvery))
      ->capture_default_str();
}

namespace {

template <typename Load>
Result<std::shared_ptr<const Model>> withProgress(Load load, const std::string& name, LoadOptions options,
                                                  const char* unit) {
  constexpr std::int64_t kWorthTelling = 1 << 28;
  std::optional<Progress> progress;
  options.progress = [&](std::int64_t done, std::int64_t total) {
    if (total < kWorthTelling) return;
    if (!progress) progress.emplace(unit, total >> 20);
    progress->update(done >> 20, {});
  };
  return load(name, options);
}

}  // namespace

Result<std::shared_ptr<const Model>> openModel(const std::string& name, LoadOptions options) {
  return withProgress(open_model, name, std::move(options), "MiB read");
}

Result<std::shared_ptr<const Model>> makeRandomModel(const std::string& shape, LoadOptions options) {
  return withProgress(random_model, shape, std::move(options), "MiB made");
}

Result<std::vector<std::shared_ptr<const Model>>> openModels(const std::vector<std::string>& names,
                                                             LoadOptions options) {
  std::vector<std::shared_ptr<const Model>> models;
  for (const std::string& name : names) {
    TANDEM_TRY(auto model, openModel(name, options));
    models.push_back(std::move(model));
    options.teacher = models.front();
  }
  return models;
}

void RunOptions::addTo(CLI::App& command, int completions) {
  settings.completions = completions;
  addModelOption(command, models);
  addLoadOptions(command, load);
  addStorageOptions(command, storage);
  const auto number = [&command](const char* name, auto& value, const char* help) {
    return command.add_option(name, value, help)->capture_default_str();
  };
  number("--completions", settings.completions, "Completions of each problem")->check(kAboveZero);
  number("--seed", settings.seed, "Seed of the sampler");
  number("--temperature", settings.sampling.temperature, "0 takes the likeliest token")->check(kAtLeastZero);
  number("--top-k", settings.sampling.top_k, "Sample from the K likeliest tokens; 0 is off")
      ->check(kAtLeastZero);
  number("--top-p", settings.sampling.top_p, "Sample from the likeliest tokens that make up this probability")
      ->check(CLI::Range(0.0, 1.0));
  number("--max-tokens", settings.max_new_tokens, "Longest completion, in tokens")->check(kAboveZero);
  number("--batch", settings.batch, "Completions decoded together; 0 is all")->check(kAtLeastZero);
  number("--threads", settings.threads, "Threads; 0 is all of the machine's")->check(kAtLeastZero);
  number("--prompt", settings.prompt, "How a problem is put: as the model's files say, or in a usual form")
      ->check(CLI::IsMember(prompt_names()));
  number("--prompt-date", settings.prompt_date, "The date that Llama-3's chat template names");
  number("--weights", settings.weights, "Type of the packed weights")->check(CLI::IsMember({"f32", "bf16"}));
  command.add_option("--time-budget", settings.time_budget_s, "Seconds of decoding for each problem")
      ->check(kAboveZero);
  command.add_flag(
      "--together", together,
      "Run the models at once, each on its share of the threads, instead of taking turns; their seconds "
      "are then no measurement");
}

Result<std::vector<std::shared_ptr<const Model>>> RunOptions::open(std::stop_token stop) const {
  LoadOptions options = load;
  options.weights = settings.weights == "bf16" ? DType::BF16 : DType::F32;
  options.stop = std::move(stop);
  return openModels(models, options);
}

RunSettings RunOptions::chosen() const {
  RunSettings result = settings;
  if (together) result.mode = "together";
  return result;
}

Result<std::shared_ptr<Session>> openOrCreateSession(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored) ? Session::open(path) : Session::create(path);
}

}  // namespace tandem::cli
