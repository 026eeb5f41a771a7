#include "core/models/ssm_mixer.h"

#include "core/checkpoint/model_config.h"
#include "core/mixing/capture.h"
#include "core/models/ssm_state.h"
#include "kernels/ops/activation.h"
#include "kernels/ops/copy.h"
#include "kernels/ops/norm.h"

namespace tandem {
namespace {

// Tokens a chunk of the prefill scan covers. Inside a chunk work grows with its square, across chunks states
// are passed on; the result does not depend on it.
constexpr std::int64_t kChunk = 64;

/// in_proj rows z, x, B, C, dt, as Mamba-2 has them and MambaInLlama keeps them (models.md 3.5, 4).
SsmMixer::Layout gate_first(SsmMixer::Layout layout) {
  layout.gate_begin = 0;
  layout.conv_begin = layout.inner();
  layout.decay_begin = layout.conv_begin + layout.conv_width();
  return layout;
}

}  // namespace

LayerInfo SsmMixer::info() const {
  const Layout& layout = w_.layout;
  LayerInfo info;
  info.mixer = kind();
  info.nheads = layout.nheads;
  info.nheads_kv = layout.b_heads;
  info.headdim = layout.headdim;
  info.dstate = layout.dstate;
  const std::int64_t window = (layout.d_conv - 1) * layout.conv_width();
  constexpr std::int64_t kFloat = sizeof(float);
  info.state_bytes = (window + layout.inner() * layout.dstate) * kFloat;
  const SsmMemory memory = this->memory();
  info.replay_bytes = (memory.ring_inputs + memory.ring_decays) * kFloat;
  return info;
}

std::unique_ptr<MixerState> SsmMixer::make_state(Context& context, const StateShape& shape) const {
  return std::make_unique<SsmState>(context, shape, memory());
}

SsmMemory SsmMixer::memory() const {
  const Layout& layout = w_.layout;
  return {.window = {layout.d_conv - 1, layout.conv_width()},
          .state = {layout.nheads, layout.headdim, layout.dstate},
          .ring_inputs = layout.conv_width() - layout.c_heads * layout.dstate,
          .ring_decays = 2 * layout.nheads};
}

SsdOperands SsmMixer::heads() const {
  const Layout& layout = w_.layout;
  SsdOperands heads;
  heads.nheads = layout.nheads;
  heads.headdim = layout.headdim;
  heads.dstate = layout.dstate;
  heads.x_heads = layout.x_heads;
  heads.b_heads = layout.b_heads;
  heads.c_heads = layout.c_heads;
  heads.skip = w_.skip;
  return heads;
}

SsdOperands SsmMixer::operands(Context& context, TensorView projected, TensorView convolved) const {
  const Layout& layout = w_.layout;
  SsdOperands ops = with_convolved(heads(), convolved);
  ops.log_decay = context.scratch_tensor({projected.extent(0), layout.nheads});
  if (has_step_size()) ops.dt = context.scratch_tensor({projected.extent(0), layout.nheads});
  decay(context, projected.columns(layout.decay_begin, layout.nheads), ops.dt, ops.log_decay);
  return ops;
}

/// Projection, convolution and scan of a whole sequence, ending in the prompt's part of `state` if there is
/// one; the caller owns the scratch.
SsdOperands SsmMixer::scan(Context& context, TensorView u, MixerState* state, TensorView projected,
                           TensorView y) const {
  const auto [window, end] = empty_prompt(context, state, memory());
  linear(context, u, w_.in_proj, projected);
  const TensorView convolved = context.scratch_tensor({u.extent(0), w_.layout.conv_width()});
  causal_conv(context, projected.columns(w_.layout.conv_begin, w_.layout.conv_width()), w_.conv_weight,
              w_.conv_bias, w_.conv_activation, window, convolved);
  const SsdOperands ops = operands(context, projected, convolved);
  ssd_scan(context, ops, end, kChunk, y);
  return ops;
}

void SsmMixer::prefill(Context& context, TensorView u, MixerState* state, TensorView out) const {
  ScratchScope scope(context);
  const TensorView projected = context.scratch_tensor({u.extent(0), w_.in_proj.out()});
  const TensorView y = context.scratch_tensor({u.extent(0), w_.layout.inner()});
  scan(context, u, state, projected, y);
  gate(context, y, projected.columns(w_.layout.gate_begin, w_.layout.inner()));
  linear(context, y, w_.out_proj, out);
}

void SsmMixer::step(Context& context, TensorView u, MixerState& state, std::span<const std::int32_t> slots,
                    std::span<const std::int32_t> positions, TensorView out) const {
  ScratchScope scope(context);
  const auto& memory = static_cast<const SsmState&>(state);
  const Layout& layout = w_.layout;
  const std::int64_t rows = u.extent(0);
  const TensorView projected = context.scratch_tensor({rows, w_.in_proj.out()});
  const TensorView y = context.scratch_tensor({rows, layout.inner()});
  linear(context, u, w_.in_proj, projected);
  SsmStep token;
  token.heads = heads();
  token.input = projected.columns(layout.conv_begin, layout.conv_width());
  token.conv_weight = w_.conv_weight;
  token.conv_bias = w_.conv_bias;
  token.activation = w_.conv_activation;
  token.decay = projected.columns(layout.decay_begin, layout.nheads);
  const TensorView z = projected.columns(layout.gate_begin, layout.inner());
  token.ring = memory.ring(positions);
  complete(token, z);
  ssm_step(context, token, memory.windows(), memory.states(), slots, y);
  if (token.gate.empty()) gate(context, y, z);
  linear(context, y, w_.out_proj, out);
}

void SsmMixer::mix(Context& context, TensorView u, LayerMatrices& matrices) const {
  ScratchScope scope(context);
  const Layout& layout = w_.layout;
  const std::int64_t rows = u.extent(0);
  const auto heads = static_cast<std::int64_t>(matrices.heads.size());
  const TensorView projected = context.scratch_tensor({rows, w_.in_proj.out()});
  matrices.mixed = Tensor::uninitialized({rows, layout.nheads, layout.headdim}, DType::F32, context.device());
  const SsdOperands ops =
      scan(context, u, nullptr, projected, matrices.mixed.view().reshape({rows, layout.inner()}));

  matrices.kind = kind();
  for (Tensor* stack : {&matrices.matrix, &matrices.decay, &matrices.content})
    *stack = Tensor::uninitialized({heads, rows, rows}, DType::F32, context.device());
  ssd_matrix(context, ops, matrices.heads, matrices.decay, matrices.content, matrices.matrix);
  matrices.skip = Tensor::uninitialized({layout.nheads}, DType::F32, context.device());
  copy(context, w_.skip.view().reshape({1, layout.nheads}), matrices.skip.view().reshape({1, layout.nheads}));
  matrices.values = Tensor::uninitialized(matrices.mixed.shape(), DType::F32, context.device());
  repeat_heads(context, ops.x, layout.x_heads, layout.nheads,
               matrices.values.view().reshape({rows, layout.inner()}));
}

void DiscreteMamba2Mixer::decay(Context& context, TensorView raw, TensorView /*dt*/,
                                TensorView log_decay) const {
  discrete_log_decay(context, raw, log_decay);
}

void DiscreteMamba2Mixer::complete(SsmStep& step, TensorView z) const {
  step.gate = z;
  step.gate_bias = z_bias_;
}

void DiscreteMamba2Mixer::gate(Context& context, TensorView y, TensorView z) const {
  silu_gate(context, y, z, z_bias_);
}

void Mamba2Mixer::decay(Context& context, TensorView raw, TensorView dt, TensorView log_decay) const {
  stepped_log_decay(context, raw, extra_.dt_bias, extra_.a_log, dt, log_decay);
}

void Mamba2Mixer::complete(SsmStep& step, TensorView /*z*/) const {
  step.dt_bias = extra_.dt_bias;
  step.a_log = extra_.a_log;
}

void Mamba2Mixer::gate(Context& context, TensorView y, TensorView z) const {
  gated_group_norm(context, y, z, extra_.norm, extra_.norm_group, extra_.norm_eps);
}

SsmMixer::Layout llamba_layout(const ModelConfig& config) {
  SsmMixer::Layout layout;  // in_proj rows: x, B, C, z, A_log (models.md 2.4)
  layout.nheads = config.n_v_heads;
  layout.headdim = config.d_inner / config.n_v_heads;
  layout.dstate = config.d_state;
  layout.d_conv = config.d_conv;
  layout.x_heads = config.n_v_heads;
  layout.b_heads = layout.c_heads = config.n_qk_heads;
  layout.conv_begin = 0;
  layout.gate_begin = layout.conv_width();
  layout.decay_begin = layout.gate_begin + layout.inner();
  return layout;
}

SsmMixer::Layout hybrid_layout(const ModelConfig& config) {
  SsmMixer::Layout layout;
  layout.nheads = layout.c_heads = config.ngroups;
  layout.headdim = config.d_inner / config.ngroups;
  layout.dstate = config.d_state;
  layout.d_conv = config.d_conv;
  layout.x_heads = config.d_xb / layout.headdim;
  layout.b_heads = config.d_xb / layout.dstate;
  return gate_first(layout);
}

SsmMixer::Layout mamba2_layout(const ModelConfig& config) {
  SsmMixer::Layout layout;
  layout.nheads = layout.x_heads = config.n_v_heads;
  layout.headdim = config.d_inner / config.n_v_heads;
  layout.dstate = config.d_state;
  layout.d_conv = config.d_conv;
  layout.b_heads = layout.c_heads = config.n_qk_heads;
  return gate_first(layout);
}

}  // namespace tandem
