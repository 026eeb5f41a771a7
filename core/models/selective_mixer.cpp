#include "core/models/selective_mixer.h"

#include <numeric>

#include "core/checkpoint/model_config.h"
#include "core/mixing/capture.h"
#include "core/models/ssm_state.h"
#include "kernels/ops/activation.h"
#include "kernels/ops/causal_conv.h"
#include "kernels/ops/copy.h"

namespace tandem {

SelectiveMixer::SelectiveMixer(Weights weights) : w_(std::move(weights)) {}

Tensor mean_skip(const Tensor& skip, std::int64_t nheads) {
  Tensor means({nheads});
  const std::int64_t width = skip.elements() / nheads;
  for (std::int64_t h = 0; h < nheads; ++h) {
    const float* channels = skip.f32() + h * width;
    means.f32()[h] = std::accumulate(channels, channels + width, 0.0F) / static_cast<float>(width);
  }
  return means;
}

LayerInfo SelectiveMixer::info() const {
  const Layout& layout = w_.layout;
  LayerInfo info;
  info.mixer = MixerKind::HybridMamba1;
  info.nheads = layout.nheads;
  info.nheads_kv = layout.d_xb / layout.dstate;
  info.headdim = layout.channels / layout.nheads;
  info.dstate = layout.dstate;
  info.state_bytes =
      (layout.d_conv - 1 + layout.dstate) * layout.channels * static_cast<std::int64_t>(sizeof(float));
  return info;
}

std::int64_t SelectiveMixer::weight_bytes() const {
  return w_.in_proj.bytes() + w_.dt_proj.bytes() + w_.out_proj.bytes();
}

std::unique_ptr<MixerState> SelectiveMixer::make_state(Context& context, const StateShape& shape) const {
  return std::make_unique<SsmState>(context, shape, memory());
}

SsmMemory SelectiveMixer::memory() const {
  const Layout& layout = w_.layout;
  return {.window = {layout.d_conv - 1, layout.channels}, .state = {layout.channels, layout.dstate}};
}

/// x [R, X] as the convolution takes it, [R, E]: block c of N channels is block c / (E / X) of x.
TensorView SelectiveMixer::repeated_x(Context& context, TensorView projected) const {
  const Layout& layout = w_.layout;
  const TensorView x = projected.columns(layout.x_begin(), layout.d_xb);
  const TensorView repeated = context.scratch_tensor({x.extent(0), layout.channels});
  repeat_heads(context, x, layout.d_xb / layout.dstate, layout.channels / layout.dstate, repeated);
  return repeated;
}

SelectiveOperands SelectiveMixer::operands(Context& context, TensorView projected,
                                           TensorView convolved) const {
  const Layout& layout = w_.layout;
  SelectiveOperands ops;
  ops.channels = layout.channels;
  ops.dstate = layout.dstate;
  ops.b_groups = layout.d_xb / layout.dstate;
  ops.c_groups = layout.channels / layout.dstate;
  ops.x = convolved;
  ops.b = projected.columns(layout.b_begin(), layout.d_xb);
  ops.c = projected.columns(layout.c_begin(), layout.channels);
  ops.a = w_.a;
  ops.skip = w_.skip;
  ops.delta = context.scratch_tensor({projected.extent(0), layout.channels});
  linear(context, projected.columns(layout.dt_begin(), layout.dt_rank), w_.dt_proj, ops.delta);
  step_sizes(context, ops.delta, w_.dt_bias, ops.delta);
  return ops;
}

/// Projection, convolution and scan of a whole sequence, ending in the prompt's part of `state` if there is
/// one; the caller owns the scratch.
SelectiveOperands SelectiveMixer::scan(Context& context, TensorView u, MixerState* state,
                                       TensorView projected, TensorView y) const {
  const auto [window, end] = empty_prompt(context, state, memory());
  linear(context, u, w_.in_proj, projected);
  const TensorView convolved = context.scratch_tensor({u.extent(0), w_.layout.channels});
  causal_conv(context, repeated_x(context, projected), w_.conv_weight, w_.conv_bias, ConvActivation::Silu,
              window, convolved);
  const SelectiveOperands ops = operands(context, projected, convolved);
  selective_scan(context, ops, end, y);
  return ops;
}

/// Gate and output projection.
void SelectiveMixer::finish(Context& context, TensorView projected, TensorView y, TensorView out) const {
  swiglu(context, projected.columns(0, w_.layout.channels), y, y);
  linear(context, y, w_.out_proj, out);
}

void SelectiveMixer::prefill(Context& context, TensorView u, MixerState* state, TensorView out) const {
  ScratchScope scope(context);
  const TensorView projected = context.scratch_tensor({u.extent(0), w_.in_proj.out()});
  const TensorView y = context.scratch_tensor({u.extent(0), w_.layout.channels});
  scan(context, u, state, projected, y);
  finish(context, projected, y, out);
}

void SelectiveMixer::step(Context& context, TensorView u, MixerState& state,
                          std::span<const std::int32_t> slots, std::span<const std::int32_t> /*positions*/,
                          TensorView out) const {
  ScratchScope scope(context);
  const auto& memory = static_cast<const SsmState&>(state);
  const TensorView projected = context.scratch_tensor({u.extent(0), w_.in_proj.out()});
  linear(context, u, w_.in_proj, projected);
  const TensorView convolved = context.scratch_tensor({u.extent(0), w_.layout.channels});
  causal_conv_step(context, repeated_x(context, projected), w_.conv_weight, w_.conv_bias,
                   ConvActivation::Silu, memory.windows(), slots, convolved);
  const TensorView y = context.scratch_tensor({u.extent(0), w_.layout.channels});
  selective_step(context, operands(context, projected, convolved), memory.states(), slots, y);
  finish(context, projected, y, out);
}

void SelectiveMixer::mix(Context& context, TensorView u, LayerMatrices& matrices) const {
  ScratchScope scope(context);
  const Layout& layout = w_.layout;
  const std::int64_t rows = u.extent(0);
  const std::int64_t headdim = layout.channels / layout.nheads;
  const TensorView projected = context.scratch_tensor({rows, w_.in_proj.out()});
  matrices.kind = MixerKind::HybridMamba1;
  matrices.mixed = Tensor::uninitialized({rows, layout.nheads, headdim}, DType::F32, context.device());
  const SelectiveOperands ops =
      scan(context, u, nullptr, projected, matrices.mixed.view().reshape({rows, layout.channels}));
  matrices.matrix = Tensor::uninitialized({static_cast<std::int64_t>(matrices.heads.size()), rows, rows},
                                          DType::F32, context.device());
  selective_matrix(context, ops, matrices.heads, layout.nheads, matrices.matrix);
  matrices.skip = w_.mean_skip.clone();
  matrices.values = Tensor::uninitialized(matrices.mixed.shape(), DType::F32, context.device());
  copy(context, ops.x, matrices.values.view().reshape({rows, layout.channels}));
}

SelectiveMixer::Layout selective_layout(const ModelConfig& config) {
  return {config.nheads, config.d_inner, config.d_xb, config.d_state, config.dt_rank, config.d_conv};
}

void double_bias(Tensor& bias) {
  for (std::int64_t i = 0; i < bias.elements(); ++i) bias.f32()[i] *= 2;
}

}  // namespace tandem
