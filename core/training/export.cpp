#include "core/training/export.h"

#include <algorithm>
#include <filesystem>
#include <vector>

#include <fmt/format.h>

#include "core/base/file.h"
#include "core/checkpoint/checkpoint.h"
#include "core/training/log.h"
#include "kernels/ops/narrow.h"

namespace tandem::training {
namespace {

namespace fs = std::filesystem;

constexpr const char* kWeights = "model.safetensors";
constexpr std::size_t kMostLines = 200;  // of the curve

Status write_small_weights(const fs::path& run, const fs::path& out) {
  TANDEM_TRY(const auto checkpoint, Checkpoint::open((run / kWeights).string()));
  std::vector<Tensor> narrowed;
  std::vector<NamedTensor> tensors;
  for (const TensorEntry* entry : checkpoint->tensors()) {
    TANDEM_TRY(const Tensor wide, checkpoint->read(entry->name, entry->shape));
    Tensor& tensor = narrowed.emplace_back(Tensor::uninitialized(wide.shape(), DType::BF16));
    narrow(wide.f32(), static_cast<BFloat16*>(tensor.data()), wide.elements());
    tensors.push_back({entry->name, tensor});
  }
  return write_safetensors((out / kWeights).string(), tensors, {{"format", "pt"}});
}

/// The mean of some consecutive updates of one stage, at the last one's place.
std::string curve_line(std::span<const TrainingUpdate> updates) {
  const auto mean = [&](auto value) {
    double sum = 0;
    for (const TrainingUpdate& update : updates) sum += value(update);
    return sum / static_cast<double>(updates.size());
  };
  const TrainingUpdate& last = updates.back();
  std::string line = fmt::format("{},{},{},{},{:.5g},{:.4g}", last.stage, goal_name(last.goal), last.step,
                                 last.tokens, mean([](const auto& u) { return u.loss; }), last.learning_rate);
  for (std::size_t l = 0; l < last.distances.size(); ++l)
    line += fmt::format(",{:.5g}", mean([l](const auto& u) { return u.distances[l]; }));
  return line + "\n";
}

std::string curve_text(std::span<const TrainingUpdate> log) {
  std::size_t layers = 0;
  for (const TrainingUpdate& update : log) layers = std::max(layers, update.distances.size());
  std::string text = "stage,goal,step,tokens,loss,learning_rate";
  for (std::size_t l = 0; l < layers; ++l) text += fmt::format(",distance_{}", l);
  text += "\n";
  const std::size_t every = log.size() / kMostLines + 1;
  for (std::size_t begin = 0; begin < log.size();) {
    std::size_t end = begin + 1;
    while (end < log.size() && end - begin < every && log[end].stage == log[begin].stage) ++end;
    text += curve_line(log.subspan(begin, end - begin));
    begin = end;
  }
  return text;
}

}  // namespace

Status export_run(const std::string& run_folder, const std::string& out) {
  const fs::path from = run_folder;
  const fs::path to = out;
  std::error_code error;
  if (fs::exists(to / kWeights, error))
    return Error{ErrorCode::InvalidArgument, fmt::format("{}: holds a model already", out)};
  TANDEM_TRY(const Recipe recipe, read_recipe((from / kRecipeName).string()));
  TANDEM_TRY(const std::vector<TrainingUpdate> log, read_log(run_folder, recipe));
  fs::create_directories(to, error);
  if (error) return Error{ErrorCode::Io, fmt::format("{}: {}", out, error.message())};
  for (const char* name :
       {"config.json", "mamba_config.json", "tokenizer.json", "prompt.json", kRecipeName}) {
    if (!fs::exists(from / name, error)) continue;
    fs::copy_file(from / name, to / name, fs::copy_options::overwrite_existing, error);
    if (error) return Error{ErrorCode::Io, fmt::format("{}: {}", (to / name).string(), error.message())};
  }
  const std::string curve = curve_text(log);
  const std::string_view part = curve;
  TANDEM_RETURN_IF_ERROR(write_file((to / kCurveName).string(), std::span(&part, 1)));
  return write_small_weights(from, to);  // last: a folder that has them is complete
}

}  // namespace tandem::training
