#include "core/models/attention_mixer.h"

#include <cmath>
#include <cstring>
#include <numbers>
#include <numeric>

#include "core/checkpoint/model_config.h"
#include "core/mixing/capture.h"
#include "kernels/ops/attention.h"
#include "kernels/ops/rope.h"

namespace tandem {
namespace {

/// Keys and values of the prompt, once, and of each slot's own tokens. Slots of a private-prefix state hold
/// the prompt too.
class AttentionState final : public MixerState {
 public:
  AttentionState(const StateShape& shape, std::int64_t nheads_kv, std::int64_t headdim)
      : shape_(shape),
        nheads_kv_(nheads_kv),
        headdim_(headdim),
        capacity_(shape.new_tokens + (shape.private_prefix ? shape.prompt_tokens : 0)),
        prompt_keys_(Tensor::uninitialized({nheads_kv, shape.prompt_tokens, headdim})),
        prompt_values_(Tensor::uninitialized({nheads_kv, shape.prompt_tokens, headdim})),
        keys_(Tensor::uninitialized({shape.batch, nheads_kv, capacity_, headdim})),
        values_(Tensor::uninitialized({shape.batch, nheads_kv, capacity_, headdim})) {}

  void set_prompt(TensorView k, TensorView v) {
    for (std::int64_t t = 0; t < shape_.prompt_tokens; ++t) {
      scatter(k.row(t), prompt_keys_.f32(), shape_.prompt_tokens, t);
      scatter(v.row(t), prompt_values_.f32(), shape_.prompt_tokens, t);
    }
  }

  void start_slot(std::int32_t slot) override {
    if (!shape_.private_prefix) return;
    const std::int64_t prompt_elements = shape_.prompt_tokens * headdim_;
    for (std::int64_t head = 0; head < nheads_kv_; ++head) {
      const auto bytes = static_cast<std::size_t>(prompt_elements) * sizeof(float);
      std::memcpy(slot_data(keys_, slot) + head * capacity_ * headdim_,
                  prompt_keys_.f32() + head * prompt_elements, bytes);
      std::memcpy(slot_data(values_, slot) + head * capacity_ * headdim_,
                  prompt_values_.f32() + head * prompt_elements, bytes);
    }
  }

  std::int64_t prompt_bytes() const override {
    return shape_.private_prefix ? 0 : token_bytes() * shape_.prompt_tokens;
  }
  std::int64_t slot_bytes(std::int64_t generated) const override {
    return token_bytes() * (generated + (shape_.private_prefix ? shape_.prompt_tokens : 0));
  }

  /// Appends the token at `position` of its sequence and returns the slot's cache with it.
  SuffixCache append(std::int32_t slot, std::int64_t position, const float* k, const float* v) {
    const std::int64_t index = shape_.private_prefix ? position : position - shape_.prompt_tokens;
    TANDEM_CHECK(index >= 0 && index < capacity_, "a completion outgrew its cache");
    scatter(k, slot_data(keys_, slot), capacity_, index);
    scatter(v, slot_data(values_, slot), capacity_, index);
    return {slot_data(keys_, slot), slot_data(values_, slot), capacity_, index + 1};
  }

  SharedPrefix prefix() const {
    if (shape_.private_prefix) return {};
    return {prompt_keys_.view(), prompt_values_.view()};
  }

 private:
  std::int64_t token_bytes() const {
    return 2 * nheads_kv_ * headdim_ * static_cast<std::int64_t>(sizeof(float));
  }
  float* slot_data(const Tensor& tensor, std::int32_t slot) const {
    return tensor.f32() + slot * nheads_kv_ * capacity_ * headdim_;
  }
  /// One token's heads [K * D] into row `index` of each head's block of `rows` rows.
  void scatter(const float* token, float* heads, std::int64_t rows, std::int64_t index) const {
    for (std::int64_t head = 0; head < nheads_kv_; ++head)
      std::memcpy(heads + (head * rows + index) * headdim_, token + head * headdim_,
                  static_cast<std::size_t>(headdim_) * sizeof(float));
  }

  StateShape shape_;
  std::int64_t nheads_kv_, headdim_, capacity_;
  Tensor prompt_keys_, prompt_values_;  // [K, P, D]
  Tensor keys_, values_;                // [slots, K, capacity, D]
};

std::vector<std::int32_t> positions_from_zero(std::int64_t count) {
  std::vector<std::int32_t> positions(static_cast<std::size_t>(count));
  std::iota(positions.begin(), positions.end(), 0);
  return positions;
}

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

std::unique_ptr<MixerState> AttentionMixer::make_state(const StateShape& shape) const {
  return std::make_unique<AttentionState>(shape, w_.nheads_kv, w_.headdim);
}

float AttentionMixer::scale() const {
  return 1.0F / std::sqrt(static_cast<float>(w_.headdim));
}

AttentionMixer::Projected AttentionMixer::project(Context& context, TensorView u,
                                                  std::span<const std::int32_t> positions) const {
  const std::int64_t q_width = w_.nheads * w_.headdim;
  const std::int64_t kv_width = w_.nheads_kv * w_.headdim;
  const TensorView all = context.scratch_tensor({u.extent(0), w_.qkv.out()});
  linear(context, u, w_.qkv, all);
  rope(context, all.columns(0, q_width + kv_width), w_.nheads + w_.nheads_kv, positions, w_.frequencies);
  return {all.columns(0, q_width), all.columns(q_width, kv_width), all.columns(q_width + kv_width, kv_width)};
}

void AttentionMixer::prefill(Context& context, TensorView u, MixerState* state, TensorView out) const {
  ScratchScope scope(context);
  const auto [q, k, v] = project(context, u, positions_from_zero(u.extent(0)));
  const TensorView attended = context.scratch_tensor({u.extent(0), w_.nheads * w_.headdim});
  causal_attention(context, q, k, v, w_.nheads, w_.nheads_kv, scale(), attended);
  if (state != nullptr) static_cast<AttentionState*>(state)->set_prompt(k, v);
  linear(context, attended, w_.out, out);
}

void AttentionMixer::step(Context& context, TensorView u, MixerState& state,
                          std::span<const std::int32_t> slots, std::span<const std::int32_t> positions,
                          TensorView out) const {
  ScratchScope scope(context);
  auto& cache = static_cast<AttentionState&>(state);
  const auto [q, k, v] = project(context, u, positions);
  std::vector<SuffixCache> suffixes(slots.size());
  for (std::size_t b = 0; b < slots.size(); ++b) {
    const auto row = static_cast<std::int64_t>(b);
    suffixes[b] = cache.append(slots[b], positions[b], k.row(row), v.row(row));
  }
  const TensorView attended = context.scratch_tensor({u.extent(0), w_.nheads * w_.headdim});
  decode_attention(context, q, cache.prefix(), suffixes, w_.nheads, w_.nheads_kv, scale(), attended);
  linear(context, attended, w_.out, out);
}

void AttentionMixer::mix(Context& context, TensorView u, LayerMatrices& matrices) const {
  ScratchScope scope(context);
  const std::int64_t rows = u.extent(0);
  const auto [q, k, v] = project(context, u, positions_from_zero(rows));
  matrices.kind = MixerKind::Attention;
  matrices.matrix = Tensor({static_cast<std::int64_t>(matrices.heads.size()), rows, rows});
  attention_matrix(context, q, k, w_.nheads, w_.nheads_kv, scale(), matrices.heads, matrices.matrix);
  matrices.mixed = Tensor({rows, w_.nheads, w_.headdim});
  causal_attention(context, q, k, v, w_.nheads, w_.nheads_kv, scale(),
                   matrices.mixed.view().reshape({rows, w_.nheads * w_.headdim}));
  matrices.values = Tensor({rows, w_.nheads, w_.headdim});
  const std::int64_t group = w_.nheads / w_.nheads_kv;
  for (std::int64_t t = 0; t < rows; ++t)
    for (std::int64_t h = 0; h < w_.nheads; ++h)
      std::memcpy(matrices.values.view().row(t) + h * w_.headdim, v.row(t) + h / group * w_.headdim,
                  static_cast<std::size_t>(w_.headdim) * sizeof(float));
}

}  // namespace tandem
