#include "core/mixing/capture.h"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include "core/models/mixer.h"
#include "kernels/ops/copy.h"

namespace tandem {
namespace {

Error invalid(std::string message) {
  return {ErrorCode::InvalidArgument, std::move(message)};
}

/// Copies each wanted layer's input and asks its mixer for the matrices.
class CaptureObserver final : public Model::LayerObserver {
 public:
  CaptureObserver(Context& context, const CaptureOptions& options, const ModelInfo& info,
                  const std::stop_token& stop, Capture& capture)
      : context_(context), options_(options), info_(info), stop_(stop), capture_(capture) {}

  void on_layer(std::int64_t layer, const Mixer& mixer, TensorView input, TensorView normed,
                TensorView /*output*/) override {
    const bool wanted = options_.layers.empty() || std::find(options_.layers.begin(), options_.layers.end(),
                                                             layer) != options_.layers.end();
    if (!wanted || stop_.stop_requested()) return;
    LayerMatrices matrices;
    matrices.layer = layer;
    matrices.heads = options_.heads;
    if (matrices.heads.empty()) {
      matrices.heads.resize(static_cast<std::size_t>(info_.layers[static_cast<std::size_t>(layer)].nheads));
      std::iota(matrices.heads.begin(), matrices.heads.end(), 0);
    }
    matrices.input = Tensor::uninitialized(input.shape(), DType::F32, context_.device());
    copy(context_, input, matrices.input);
    mixer.mix(context_, normed, matrices);
    for (Tensor* tensor : {&matrices.matrix, &matrices.decay, &matrices.content, &matrices.skip,
                           &matrices.values, &matrices.mixed, &matrices.input})
      *tensor = std::move(*tensor).on_host(context_);
    capture_.layers.push_back(std::move(matrices));
  }

 private:
  Context& context_;
  const CaptureOptions& options_;
  const ModelInfo& info_;
  const std::stop_token& stop_;
  Capture& capture_;
};

}  // namespace

Status check_capture(const ModelInfo& info, std::span<const std::int32_t> ids,
                     const CaptureOptions& options) {
  if (ids.empty()) return invalid("a capture needs at least one token, none was given");
  if (static_cast<std::int64_t>(ids.size()) > options.max_tokens)
    return Error{ErrorCode::OutOfRange, fmt::format("{} tokens were given, a capture takes at most {}",
                                                    ids.size(), options.max_tokens)};
  for (const std::int32_t id : ids)
    if (id < 0 || id >= info.vocab)
      return invalid(fmt::format("token id {} was given, {} has ids 0 to {}", id, info.name, info.vocab - 1));
  const auto layers = static_cast<std::int64_t>(info.layers.size());
  for (const std::int64_t layer : options.layers)
    if (layer < 0 || layer >= layers)
      return invalid(
          fmt::format("layer {} was asked for, {} has layers 0 to {}", layer, info.name, layers - 1));
  for (std::int64_t layer = 0; layer < layers; ++layer) {
    const std::int64_t heads = info.layers[static_cast<std::size_t>(layer)].nheads;
    for (const std::int64_t head : options.heads)
      if (head < 0 || head >= heads)
        return invalid(fmt::format("head {} was asked for, layer {} of {} has heads 0 to {}", head, layer,
                                   info.name, heads - 1));
  }
  return {};
}

Result<Capture> capture(const Model& model, std::span<const std::int32_t> ids, const CaptureOptions& options,
                        Context& context, std::stop_token stop) {
  TANDEM_RETURN_IF_ERROR(check_capture(model.info(), ids, options));
  Capture result;
  result.ids.assign(ids.begin(), ids.end());
  result.logits = Tensor::uninitialized({static_cast<std::int64_t>(ids.size()), model.info().outputs()},
                                        DType::F32, context.device());
  CaptureObserver observer(context, options, model.info(), stop, result);
  model.prefill(context, ids, nullptr, result.logits, &observer);
  if (stop.stop_requested()) return Error{ErrorCode::Cancelled, "the capture was cancelled"};
  result.logits = std::move(result.logits).on_host(context);
  return result;
}

}  // namespace tandem
