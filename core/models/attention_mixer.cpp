#include "core/models/attention_mixer.h"

#include <cmath>
#include <numbers>

#include "core/checkpoint/model_config.h"
#include "core/mixing/capture.h"
#include "kernels/ops/attention.h"
#include "kernels/ops/copy.h"
#include "kernels/ops/rope.h"

namespace tandem {
namespace {

/// Keys and values of the prompt, once, and of each slot's own tokens. Slots of a private-prefix state hold
/// the prompt too.
class AttentionState final : public MixerState {
 public:
  AttentionState(Device* device, const StateShape& shape, std::int64_t nheads_kv, std::int64_t headdim)
      : shape_(shape),
        nheads_kv_(nheads_kv),
        headdim_(headdim),
        capacity_(shape.new_tokens + (shape.private_prefix ? shape.prompt_tokens : 0)),
        prompt_keys_(cache(device, 1, shape.prompt_tokens)),
        prompt_values_(cache(device, 1, shape.prompt_tokens)),
        keys_(cache(device, shape.batch, capacity_)),
        values_(cache(device, shape.batch, capacity_)) {}

  void set_prompt(Context& context, TensorView k, TensorView v) {
    append_heads(context, k, {}, {}, 0, prompt_keys_);
    append_heads(context, v, {}, {}, 0, prompt_values_);
  }

  void start_slot(Context& context, std::int32_t slot) override {
    if (!shape_.private_prefix) return;
    const std::int64_t prompt_elements = shape_.prompt_tokens * headdim_;
    const auto copy_prompt = [&](const Tensor& prompt, const Tensor& slots) {
      copy(
          context, prompt.view().reshape({nheads_kv_, prompt_elements}),
          slots.view().rows(slot, 1).reshape({nheads_kv_, capacity_ * headdim_}).columns(0, prompt_elements));
    };
    copy_prompt(prompt_keys_, keys_);
    copy_prompt(prompt_values_, values_);
  }

  std::int64_t prompt_bytes() const override {
    return shape_.private_prefix ? 0 : token_bytes() * shape_.prompt_tokens;
  }
  std::int64_t slot_bytes(std::int64_t generated) const override {
    return token_bytes() * (generated + (shape_.private_prefix ? shape_.prompt_tokens : 0));
  }

  /// The caches of the slots listed, whose newest tokens are at the positions.
  SlotCaches own(std::span<const std::int32_t> slots, std::span<const std::int32_t> positions) const {
    return {keys_, values_, slots, positions, shape_.private_prefix ? 0 : shape_.prompt_tokens};
  }

  SharedPrefix prefix() const {
    if (shape_.private_prefix) return {};
    const Shape shape = {nheads_kv_, shape_.prompt_tokens, headdim_};
    return {prompt_keys_.view().reshape(shape), prompt_values_.view().reshape(shape)};
  }

 private:
  Tensor cache(Device* device, std::int64_t slots, std::int64_t tokens) const {
    return Tensor::uninitialized({slots, nheads_kv_, tokens, headdim_}, shape_.storage.caches, device);
  }
  std::int64_t token_bytes() const {
    return 2 * nheads_kv_ * headdim_ * element_bytes(shape_.storage.caches);
  }

  StateShape shape_;
  std::int64_t nheads_kv_, headdim_, capacity_;
  Tensor prompt_keys_, prompt_values_;  // [1, K, P, D]
  Tensor keys_, values_;                // [slots, K, capacity, D]
};

}  // namespace

std::vector<float> rope_frequencies(std::int64_t headdim, double theta, const RopeScaling* scaling) {
  std::vector<float> frequencies(static_cast<std::size_t>(headdim / 2));
  for (std::int64_t m = 0; m < headdim / 2; ++m) {
    const double base = std::pow(theta, -2.0 * static_cast<double>(m) / static_cast<double>(headdim));
    double frequency = base;
    if (scaling != nullptr) {
      const double wavelength = 2 * std::numbers::pi / base;
      const double original = scaling->original_max_position_embeddings;
      if (wavelength > original / scaling->low_freq_factor) {
        frequency = base / scaling->factor;
      } else if (wavelength >= original / scaling->high_freq_factor) {
        const double smooth = (original / wavelength - scaling->low_freq_factor) /
                              (scaling->high_freq_factor - scaling->low_freq_factor);
        frequency = (1 - smooth) * base / scaling->factor + smooth * base;
      }
    }
    frequencies[static_cast<std::size_t>(m)] = static_cast<float>(frequency);
  }
  return frequencies;
}

LayerInfo AttentionMixer::info() const {
  LayerInfo info;
  info.mixer = MixerKind::Attention;
  info.nheads = w_.nheads;
  info.nheads_kv = w_.nheads_kv;
  info.headdim = w_.headdim;
  info.cache_bytes_per_token = 2 * w_.nheads_kv * w_.headdim * static_cast<std::int64_t>(sizeof(float));
  return info;
}

std::unique_ptr<MixerState> AttentionMixer::make_state(Context& context, const StateShape& shape) const {
  return std::make_unique<AttentionState>(context.device(), shape, w_.nheads_kv, w_.headdim);
}

float AttentionMixer::scale() const {
  return 1.0F / std::sqrt(static_cast<float>(w_.headdim));
}

std::span<const float> AttentionMixer::frequencies() const {
  return {w_.frequencies.f32(), static_cast<std::size_t>(w_.headdim / 2)};
}

AttentionMixer::Projected AttentionMixer::project(Context& context, TensorView u) const {
  const std::int64_t q_width = w_.nheads * w_.headdim;
  const std::int64_t kv_width = w_.nheads_kv * w_.headdim;
  const TensorView all = context.scratch_tensor({u.extent(0), w_.qkv.out()});
  linear(context, u, w_.qkv, all);
  rope(context, all.columns(0, q_width + kv_width), w_.nheads + w_.nheads_kv, {}, frequencies());
  return {all.columns(0, q_width), all.columns(q_width, kv_width), all.columns(q_width + kv_width, kv_width)};
}

void AttentionMixer::prefill(Context& context, TensorView u, MixerState* state, TensorView out) const {
  ScratchScope scope(context);
  const auto [q, k, v] = project(context, u);
  const TensorView attended = context.scratch_tensor({u.extent(0), w_.nheads * w_.headdim});
  causal_attention(context, q, k, v, w_.nheads, w_.nheads_kv, scale(), attended);
  if (state != nullptr) static_cast<AttentionState*>(state)->set_prompt(context, k, v);
  linear(context, attended, w_.out, out);
}

void AttentionMixer::step(Context& context, TensorView u, MixerState& state,
                          std::span<const std::int32_t> slots, std::span<const std::int32_t> positions,
                          TensorView out) const {
  ScratchScope scope(context);
  const auto& cache = static_cast<const AttentionState&>(state);
  const SlotCaches own = cache.own(slots, positions);
  const TensorView all = context.scratch_tensor({u.extent(0), w_.qkv.out()});
  linear(context, u, w_.qkv, all);
  rope_append(context, all, w_.nheads, frequencies(), own);
  const TensorView attended = context.scratch_tensor({u.extent(0), w_.nheads * w_.headdim});
  decode_attention(context, all.columns(0, w_.nheads * w_.headdim), cache.prefix(), own, w_.nheads,
                   w_.nheads_kv, scale(), attended);
  linear(context, attended, w_.out, out);
}

void AttentionMixer::mix(Context& context, TensorView u, LayerMatrices& matrices) const {
  ScratchScope scope(context);
  const std::int64_t rows = u.extent(0);
  const auto [q, k, v] = project(context, u);
  matrices.kind = MixerKind::Attention;
  matrices.matrix = Tensor::uninitialized({static_cast<std::int64_t>(matrices.heads.size()), rows, rows},
                                          DType::F32, context.device());
  attention_matrix(context, q, k, w_.nheads, w_.nheads_kv, scale(), matrices.heads, matrices.matrix);
  matrices.mixed = Tensor::uninitialized({rows, w_.nheads, w_.headdim}, DType::F32, context.device());
  causal_attention(context, q, k, v, w_.nheads, w_.nheads_kv, scale(),
                   matrices.mixed.view().reshape({rows, w_.nheads * w_.headdim}));
  matrices.values = Tensor::uninitialized(matrices.mixed.shape(), DType::F32, context.device());
  repeat_heads(context, v, w_.nheads_kv, w_.nheads,
               matrices.values.view().reshape({rows, w_.nheads * w_.headdim}));
}

}  // namespace tandem
