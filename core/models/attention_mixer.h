// Llama's causal softmax attention: RoPE, grouped KV heads, a prompt cache shared by all completions
// (models.md 1.3).
#pragma once

#include <vector>

#include "core/models/mixer.h"
#include "kernels/ops/matmul.h"

namespace tandem {

class AttentionMixer final : public Mixer {
 public:
  struct Weights {
    PackedMatrix qkv;  // [(H + 2K) * D, C]: query rows, key rows, value rows
    PackedMatrix out;  // [C, H * D]
    std::int64_t nheads = 0;
    std::int64_t nheads_kv = 0;
    std::int64_t headdim = 0;
    Tensor frequencies;  // RoPE, [D / 2]
  };
  explicit AttentionMixer(Weights weights) : w_(std::move(weights)) {}

  LayerInfo info() const override;
  std::int64_t weight_bytes() const override { return w_.qkv.bytes() + w_.out.bytes(); }
  std::unique_ptr<MixerState> make_state(Context& context, const StateShape& shape) const override;
  void prefill(Context& context, TensorView u, MixerState* state, TensorView out) const override;
  void step(Context& context, TensorView u, MixerState& state, std::span<const std::int32_t> slots,
            std::span<const std::int32_t> positions, TensorView out) const override;
  void mix(Context& context, TensorView u, LayerMatrices& matrices) const override;

 private:
  struct Projected {
    TensorView q, k, v;  // [rows, H*D], [rows, K*D], [rows, K*D]; columns of one product, q and k rotated
  };
  /// Of a whole sequence.
  Projected project(Context& context, TensorView u) const;
  std::span<const float> frequencies() const;
  float scale() const;

  Weights w_;
};

/// RoPE frequencies f[m], m < headdim / 2, with llama3 scaling where the configuration asks for it
/// (models.md 1.4).
struct RopeScaling;
std::vector<float> rope_frequencies(std::int64_t headdim, double theta, const RopeScaling* scaling);

}  // namespace tandem
