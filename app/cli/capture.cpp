// tandem-cli capture: logits, layer inputs and mixing matrices as a safetensors file, to check from
// elsewhere.
#include "core/mixing/capture.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "app/cli/commands.h"
#include "app/cli/interrupt.h"
#include "app/cli/output.h"
#include "app/cli/run_options.h"
#include "app/cli/validators.h"
#include "core/base/provenance.h"
#include "core/checkpoint/checkpoint.h"

namespace tandem::cli {
namespace {

struct Options {
  std::string model;
  std::vector<std::int32_t> ids;
  std::string text;
  std::string out;
  LoadOptions load;
  CaptureOptions capture;
  int threads = 1;
  bool json = false;
};

/// Views into `capture`, which must outlive them. `ids` is the one tensor of integers.
std::vector<NamedTensor> namedTensors(Capture& capture) {
  std::vector<NamedTensor> tensors;
  const auto seqlen = static_cast<std::int64_t>(capture.ids.size());
  tensors.push_back({"ids", TensorView(capture.ids.data(), DType::I32, Shape{seqlen})});
  tensors.push_back({"logits", capture.logits});
  for (const LayerMatrices& layer : capture.layers) {
    const auto add = [&](const char* what, const Tensor& tensor) {
      if (!tensor.empty()) tensors.push_back({fmt::format("{}.{}", what, layer.layer), tensor});
    };
    add("input", layer.input);
    add("matrix", layer.matrix);
    add("decay", layer.decay);
    add("content", layer.content);
  }
  return tensors;
}

int runCapture(const Options& options) {
  const Interrupt interrupt;
  LoadOptions load = options.load;
  load.stop = interrupt.token();
  const auto model = openModel(options.model, load);
  if (!model) return fail(model.error());
  const std::vector<std::int32_t> ids =
      options.ids.empty() ? (*model)->tokenizer().encode(options.text) : options.ids;
  Context context(options.threads, (*model)->device());
  auto captured = capture(**model, ids, options.capture, context, interrupt.token());
  if (!captured) return fail(captured.error());

  const std::vector<NamedTensor> tensors = namedTensors(*captured);
  const std::map<std::string, std::string> metadata = {
      {"model", (*model)->info().name},
      {"model_sha256", (*model)->info().sha256},
      {"heads", fmt::format("{}", fmt::join(options.capture.heads, ","))},
      {"tandem_version", tandem_version()}};
  if (const Status written = write_safetensors(options.out, tensors, metadata); !written)
    return fail(written.error());
  nlohmann::json json = {{"out", options.out}, {"model", (*model)->info().name}, {"ids", captured->ids}};
  Table table({"tensor", "shape"});
  for (const NamedTensor& tensor : tensors) {
    nlohmann::json shape = nlohmann::json::array();
    for (int i = 0; i < tensor.view.rank(); ++i) shape.push_back(tensor.view.extent(i));
    json["tensors"][tensor.name] = shape;
    table.addRow({tensor.name, tensor.view.shape().str()});
  }
  if (options.json) {
    printJson(json);
  } else {
    table.print();
    fmt::print("{} tokens of {} written to {}\n", captured->ids.size(), (*model)->info().name, options.out);
  }
  return 0;
}

}  // namespace

void addCaptureCommand(CLI::App& app, Action& action) {
  auto* command =
      app.add_subcommand("capture", "Writes a prompt's logits, layer inputs and mixing matrices, in f32");
  auto options = std::make_shared<Options>();
  command->add_option("--model", options->model, "A bundled name, a folder, or a .safetensors or .gguf file")
      ->required();
  addLoadOptions(*command, options->load);
  auto* prompt = command->add_option_group("prompt");
  prompt->add_option("--ids", options->ids, "The prompt as token ids: 1,2,3")->delimiter(',');
  prompt->add_option("--text", options->text, "The prompt as text, without the model's template");
  prompt->require_option(1);
  command->add_option("--out", options->out, "The .safetensors file to write")->required();
  command->add_option("--layers", options->capture.layers, "Layers to write: 0,3; all if not given")
      ->delimiter(',');
  command->add_option("--heads", options->capture.heads, "Heads to write: 0,3; all if not given")
      ->delimiter(',');
  command->add_option("--threads", options->threads, "Threads")->check(kAboveZero)->capture_default_str();
  command->add_flag("--json", options->json, "Print JSON");
  command->callback([options, &action] { action = [options] { return runCapture(*options); }; });
}

}  // namespace tandem::cli
