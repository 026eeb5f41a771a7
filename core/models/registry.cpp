// Finding, opening and naming models: bundled names, folders, files.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <future>
#include <sstream>

#include <fmt/format.h>

#include "core/base/file.h"
#include "core/base/resources.h"
#include "core/checkpoint/checkpoint.h"
#include "core/checkpoint/gguf_llama.h"
#include "core/models/families.h"
#include "core/models/memory_plan.h"
#include "core/models/text_side.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;

/// Lines of models/order.txt: names in the order to offer them. Models that it lacks come after them.
std::vector<std::string> offered_order() {
  constexpr std::int64_t kMaxBytes = 1 << 16;
  const auto text = read_file(resource_path("models/order.txt"), kMaxBytes);
  std::istringstream lines(text ? *text : std::string());
  std::vector<std::string> order;
  for (std::string line; std::getline(lines, line);) order.push_back(line);
  return order;
}

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
  const std::vector<std::string> order = offered_order();
  const auto place = [&](const std::string& name) {
    return std::pair(std::find(order.begin(), order.end(), name), std::string_view(name));
  };
  std::sort(names.begin(), names.end(),
            [&](const std::string& a, const std::string& b) { return place(a) < place(b); });
  return names;
}

/// A folder with a model in it, or the one .gguf file in a folder without a config.json.
Result<fs::path> folder_model(const fs::path& folder) {
  std::error_code ignored;
  if (fs::exists(folder / "config.json", ignored)) return folder;
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder, ignored))
    if (entry.path().extension() == ".gguf") files.push_back(entry.path());
  if (files.empty()) return folder;
  if (files.size() == 1) return files.front();
  std::sort(files.begin(), files.end());
  return Error{ErrorCode::Unsupported,
               fmt::format("{}: holds {} .gguf files; open one of them, such as {}", folder.string(),
                           files.size(), files.front().filename().string())};
}

/// A .gguf file, or a folder.
Result<fs::path> model_path(const std::string& name_or_path) {
  std::error_code ignored;
  const fs::path path(name_or_path);
  if (fs::is_directory(path, ignored)) return folder_model(path);
  if (fs::is_regular_file(path, ignored)) {
    if (path.extension() == ".gguf") return path;
    if (path.extension() == ".bin") return Checkpoint::open(name_or_path).error();
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

/// A folder with a configuration and no weights.
Result<fs::path> shape_path(const std::string& name_or_path) {
  std::error_code ignored;
  if (fs::is_directory(name_or_path, ignored)) return fs::path(name_or_path);
  if (std::find(kPublishedShapes.begin(), kPublishedShapes.end(), name_or_path) != kPublishedShapes.end())
    return fs::path(resource_path("shapes")) / name_or_path;
  return Error{ErrorCode::NotFound,
               fmt::format("{}: no folder with a config.json, and no published shape has this name ({})",
                           name_or_path, fmt::join(kPublishedShapes, ", "))};
}

/// A model before its weights are read.
struct ModelFiles {
  fs::path path;  // a folder, or a .gguf file
  ModelConfig config;
  std::shared_ptr<const Checkpoint> checkpoint;  // null: random weights
  ModelInfo info;                                // without sha256; bytes as planned
};

ModelInfo describe_model(const ModelFiles& files, const ModelWeights& layers, const TensorSource& plan) {
  const ModelConfig& config = files.config;
  ModelInfo info;
  info.name = model_name(files.path);
  info.family = model_family_name(config.family);
  info.path = files.path.string();
  info.config_json = config.json;
  info.random_weights = files.checkpoint == nullptr;
  info.parameters = plan.parameters();
  info.vocab = config.vocab_size;
  info.is_verifier = config.is_verifier;
  info.d_model = config.d_model;
  info.d_ff = config.d_ff;
  info.max_context = config.max_context;
  info.eos_ids = config.eos_ids;
  for (const LayerWeights& layer : layers.layers) info.layers.push_back(layer.mixer->info());
  info.weight_bytes = plan.packed_bytes();
  if (plan.single_bytes() != plan.packed_bytes()) info.single_bytes = plan.single_bytes();
  info.memory_bytes = plan.memory_bytes();
  info.packing_bytes = plan.transient_bytes();
  return info;
}

/// Bytes of the matrices as they were packed; packing may pad.
std::int64_t packed_bytes(const ModelWeights& weights) {
  std::int64_t bytes = weights.head.bytes();
  for (const LayerWeights& layer : weights.layers)
    bytes += layer.mixer->weight_bytes() + layer.gate_up.bytes() + layer.down.bytes();
  return bytes;
}

/// Compares configuration and checkpoint, and adds up what they need.
Status plan_files(ModelFiles& files, const LoadOptions& options) {
  if (options.attention_rope != AttentionRope::ByNames) files.config.attention_rope = options.attention_rope;
  TensorSource plan(files.checkpoint.get(), options.weights, options.device);
  const auto layers = build_weights(files.config, plan);
  TANDEM_RETURN_IF_ERROR(plan.finish());
  files.info = describe_model(files, *layers, plan);
  return {};
}

Result<ModelFiles> open_files(const std::string& name_or_path, const LoadOptions& options) {
  ModelFiles files;
  TANDEM_TRY(files.path, model_path(name_or_path));
  if (files.path.extension() == ".gguf") {
    TANDEM_TRY(files.checkpoint, Checkpoint::open(files.path.string()));
    TANDEM_TRY(files.config, read_gguf_config(*files.checkpoint->gguf()));
  } else {
    TANDEM_TRY(files.config, read_model_config(files.path.string()));
    TANDEM_TRY(files.checkpoint, Checkpoint::open(files.path.string()));
  }
  TANDEM_RETURN_IF_ERROR(plan_files(files, options));
  return files;
}

Result<ModelFiles> open_shape(const std::string& name_or_path, const LoadOptions& options) {
  ModelFiles files;
  TANDEM_TRY(files.path, shape_path(name_or_path));
  TANDEM_TRY(files.config, read_model_config(files.path.string()));
  TANDEM_RETURN_IF_ERROR(plan_files(files, options));
  return files;
}

/// Adds up the bytes read for LoadOptions::progress. report() belongs to the loading thread; the rest is
/// thread-safe.
class LoadProgress {
 public:
  LoadProgress(const LoadOptions& options, std::int64_t total_bytes)
      : options_(options), total_(total_bytes) {}
  void add(std::int64_t bytes) { done_ += bytes; }
  /// False when the rest need not be read.
  bool goes_on() const { return !abandoned_ && !options_.stop.stop_requested(); }
  void report() {
    const std::int64_t done = done_;
    if (options_.progress && goes_on() && done > reported_) options_.progress(done, total_);
    reported_ = done;
  }
  void abandon() { abandoned_ = true; }

 private:
  const LoadOptions& options_;
  std::atomic<std::int64_t> done_ = 0;
  std::atomic<bool> abandoned_ = false;
  std::int64_t reported_ = 0;
  std::int64_t total_ = 0;
};

Result<std::unique_ptr<ModelWeights>> read_weights(const ModelFiles& files, const LoadOptions& options,
                                                   LoadProgress& progress) {
  // Above the sum of its tensors, each of which starts on a boundary.
  constexpr std::int64_t kBoundaries = 1 << 20;
  try {
    if (options.device != nullptr) options.device->reserve(files.info.memory_bytes + kBoundaries);
    Context context(1, options.device);
    TensorSource source(files.checkpoint.get(), options.weights, context, [&progress](std::int64_t bytes) {
      progress.add(bytes);
      progress.report();
      return progress.goes_on();
    });
    auto weights = build_weights(files.config, source);
    TANDEM_RETURN_IF_ERROR(source.finish());
    if (files.checkpoint && files.checkpoint->gguf() != nullptr) weights->file = files.checkpoint;
    return weights;
  } catch (const DeviceError& error) {
    return Error{ErrorCode::OutOfRange, fmt::format("{}: {}", files.info.name, error.what())};
  }
}

/// With the sizes that packing gave.
std::shared_ptr<const Model> make_model(ModelInfo info, TextSide text, std::unique_ptr<ModelWeights> weights,
                                        Device* device) {
  const std::int64_t packed = packed_bytes(*weights);
  info.memory_bytes += packed - info.weight_bytes;
  info.weight_bytes = packed;
  info.eos_ids = std::move(text.eos_ids);
  return std::make_shared<Model>(std::move(info), std::move(text.prompt), std::move(text.tokenizer),
                                 std::move(weights), device);
}

}  // namespace

std::vector<std::string> bundled_models() {
  return bundled(false);
}

std::vector<std::string> bundled_verifiers() {
  return bundled(true);
}

Result<ModelInfo> inspect_model(const std::string& name_or_path, const LoadOptions& options) {
  TANDEM_TRY(ModelFiles files, open_files(name_or_path, options));
  return std::move(files.info);
}

Result<ModelInfo> inspect_shape(const std::string& name_or_path, const LoadOptions& options) {
  TANDEM_TRY(ModelFiles files, open_shape(name_or_path, options));
  return std::move(files.info);
}

Result<std::shared_ptr<const Model>> random_model(const std::string& name_or_path,
                                                  const LoadOptions& options) {
  TANDEM_TRY(ModelFiles files, open_shape(name_or_path, options));
  TANDEM_RETURN_IF_ERROR(
      check_load(files.info, plan_memory(files.info, {}), available_memory(options.device)));
  LoadProgress progress(options, files.info.parameters * element_bytes(DType::BF16));
  TANDEM_TRY(auto weights, read_weights(files, options, progress));
  return make_model(std::move(files.info), {}, std::move(weights), options.device);
}

Result<std::shared_ptr<const Model>> open_model(const std::string& name_or_path, const LoadOptions& options) {
  TANDEM_TRY(ModelFiles files, open_files(name_or_path, options));
  const MemoryPlan plan = plan_memory(files.info, {});
  TANDEM_RETURN_IF_ERROR(check_load(files.info, plan, available_memory(options.device)));
  // The files are read twice: for the weights and, on a thread of its own, for their hash.
  LoadProgress progress(options, 2 * files.checkpoint->file_bytes());
  auto hash = std::async(std::launch::async, [&] {
    return files.checkpoint->sha256([&progress](std::int64_t bytes) {
      progress.add(bytes);
      return progress.goes_on();
    });
  });
  auto text = read_text_side(files.info, *files.checkpoint, options);
  auto weights = text ? read_weights(files, options, progress) : text.error();
  if (!weights) {
    progress.abandon();
    return weights.error();
  }
  constexpr auto kReportEvery = std::chrono::milliseconds(50);
  while (hash.wait_for(kReportEvery) != std::future_status::ready) progress.report();
  TANDEM_TRY(files.info.sha256, hash.get());
  progress.report();
  return make_model(std::move(files.info), *std::move(text), *std::move(weights), options.device);
}

}  // namespace tandem
