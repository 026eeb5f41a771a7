#include "core/training/probe.h"

#include <algorithm>
#include <cmath>

#include "core/training/trainable_ssm.h"
#include "kernels/ops/copy.h"
#include "kernels/ops/norm.h"

namespace tandem::training {
namespace {

constexpr std::int64_t kHalf = 12;  // of the snapshots of a stage

/// mixer.matrices() has D on the diagonal; captures keep it apart.
LayerMatrices student_layer(Context& context, TrainableSsm& mixer, TensorView normed, std::int64_t layer) {
  LayerMatrices taken;
  taken.layer = layer;
  const std::int64_t heads = mixer.layout().nheads;
  const std::int64_t seqlen = normed.extent(0);
  Tensor matrices = Tensor::uninitialized({heads, seqlen, seqlen}, DType::F32, context.device());
  mixer.matrices(context, normed, matrices);
  taken.matrix = std::move(matrices).on_host(context);
  Tensor skip = Tensor::uninitialized({1, heads}, DType::F32, context.device());
  copy(context, mixer.skip.value.view().reshape({1, heads}), skip);
  taken.skip = std::move(skip).on_host(context).reshape({heads});
  for (std::int64_t h = 0; h < heads; ++h) {
    taken.heads.push_back(h);
    for (std::int64_t i = 0; i < seqlen; ++i)
      taken.matrix.view().row(h)[i * seqlen + i] -= taken.skip.f32()[h];
  }
  return taken;
}

}  // namespace

bool is_snapshot_step(std::int64_t step, std::int64_t steps) {
  const auto rounded = [](double value) { return static_cast<std::int64_t>(std::llround(value)); };
  for (std::int64_t i = 1; i <= kHalf; ++i) {
    const double share = static_cast<double>(i) / static_cast<double>(kHalf);
    const auto all = static_cast<double>(steps);
    if (step == rounded(all * share) || step == rounded(std::pow(all, share))) return true;
  }
  return step == 1;
}

Result<Probe> Probe::make(Context& context, const Model& teacher, std::span<const std::int32_t> ids) {
  TANDEM_TRY(Capture captured, capture(teacher, ids, {}, context));
  captured.logits = Tensor();
  for (LayerMatrices& layer : captured.layers) {
    layer.values = Tensor();
    layer.mixed = Tensor();
  }
  return Probe(std::move(captured));
}

std::shared_ptr<const Capture> Probe::student(Context& context, TrainableModel& model) const {
  const MixerKind kind =
      model.config().family == ModelFamily::Llamba ? MixerKind::DiscreteMamba2 : MixerKind::HybridMamba2;
  auto taken = std::make_shared<Capture>();
  taken->ids = teacher_->ids;
  for (const LayerMatrices& of_teacher : teacher_->layers) {
    auto* mixer = dynamic_cast<TrainableSsm*>(&model.mixer(of_teacher.layer));
    if (mixer == nullptr) continue;
    const Tensor input = of_teacher.input.clone().on_device_of(context);
    const Tensor normed = Tensor::uninitialized(input.shape(), DType::F32, context.device());
    rms_norm(context, input, model.input_norm(of_teacher.layer).value, model.config().block_norm_eps, normed);
    LayerMatrices layer = student_layer(context, *mixer, normed, of_teacher.layer);
    layer.kind = kind;
    taken->layers.push_back(std::move(layer));
  }
  return taken;
}

}  // namespace tandem::training
