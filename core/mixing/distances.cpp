#include "core/mixing/distances.h"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include "core/models/mixer.h"
#include "kernels/ops/copy.h"
#include "kernels/ops/matrix_sums.h"
#include "kernels/ops/ssd.h"

namespace tandem {
namespace {

/// What a mixer was given, and the mixer.
struct MixerInput {
  const Mixer* mixer = nullptr;
  Tensor normed;
};

class InputKeeper final : public Model::LayerObserver {
 public:
  InputKeeper(Context& context, std::vector<MixerInput>& kept) : context_(context), kept_(kept) {}
  void on_layer(std::int64_t /*layer*/, const Mixer& mixer, TensorView /*input*/, TensorView normed,
                TensorView /*output*/) override {
    MixerInput& own = kept_.emplace_back();
    own.mixer = &mixer;
    own.normed = Tensor::uninitialized(normed.shape(), DType::F32, context_.device());
    copy(context_, normed, own.normed);
  }

 private:
  Context& context_;
  std::vector<MixerInput>& kept_;
};

std::vector<MixerInput> mixer_inputs(const Model& model, std::span<const std::int32_t> ids,
                                     Context& context) {
  std::vector<MixerInput> inputs;
  InputKeeper keeper(context, inputs);
  const Tensor logits = Tensor::uninitialized({1, model.info().outputs()}, DType::F32, context.device());
  model.prefill(context, ids, nullptr, logits, &keeper);
  return inputs;
}

/// All heads' matrices [H, T, T], skips included.
Tensor whole_matrices(const MixerInput& input, Context& context) {
  LayerMatrices matrices;
  matrices.heads.resize(static_cast<std::size_t>(input.mixer->info().nheads));
  std::iota(matrices.heads.begin(), matrices.heads.end(), 0);
  input.mixer->mix(context, input.normed, matrices);
  if (!matrices.skip.empty())
    add_diagonals(context, std::move(matrices.skip).on_device_of(context), matrices.matrix);
  return std::move(matrices.matrix);
}

std::vector<MatrixDistance> head_distances(const Tensor& m, const Tensor& a, Context& context) {
  const std::int64_t heads = m.shape()[0];
  Tensor sums = Tensor::uninitialized({heads, 4}, DType::F32, context.device());
  matrix_sums(context, m, a, sums);
  sums = std::move(sums).on_host(context);
  std::vector<MatrixDistance> distances;
  for (std::int64_t h = 0; h < heads; ++h) {
    const float* row = sums.view().row(h);
    distances.push_back(matrix_distance({row[0], row[1], row[2], row[3]}));
  }
  return distances;
}

}  // namespace

Result<std::vector<LayerDistances>> matrix_distances(const Model& teacher, const Model& student,
                                                     std::span<const std::int32_t> ids, Context& context,
                                                     std::stop_token stop) {
  const std::size_t layers = teacher.info().layers.size();
  if (student.info().layers.size() != layers)
    return Error{ErrorCode::Mismatch,
                 fmt::format("{} has {} layers, {} has {}: their matrices cannot be laid side by side",
                             teacher.info().name, layers, student.info().name, student.info().layers.size())};
  for (const Model* model : {&teacher, &student})
    TANDEM_RETURN_IF_ERROR(check_capture(model->info(), ids, {}));
  const std::vector<MixerInput> wanted = mixer_inputs(teacher, ids, context);
  const std::vector<MixerInput> made = mixer_inputs(student, ids, context);
  std::vector<LayerDistances> result;
  for (std::size_t layer = 0; layer < layers; ++layer) {
    if (stop.stop_requested()) return Error{ErrorCode::Cancelled, "the comparison was cancelled"};
    if (wanted[layer].mixer->info().nheads != made[layer].mixer->info().nheads) continue;
    const Tensor a = whole_matrices(wanted[layer], context);
    const Tensor m = whole_matrices(made[layer], context);
    result.push_back({static_cast<std::int64_t>(layer), head_distances(m, a, context)});
  }
  if (result.empty())
    return Error{ErrorCode::Mismatch, fmt::format("no layer of {} has as many heads as that of {}",
                                                  student.info().name, teacher.info().name)};
  return result;
}

}  // namespace tandem
