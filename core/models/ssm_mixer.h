// What the recurrent mixers share: a short convolution over (x, B, C), the SSD recurrence, state per
// completion. The kinds differ in the order of the projection's rows, in how decay and step size come about,
// and in the gate: subclasses say those.
#pragma once

#include "core/models/mixer.h"
#include "core/models/ssm_state.h"
#include "kernels/ops/matmul.h"
#include "kernels/ops/ssm_step.h"

namespace tandem {

class SsmMixer : public Mixer {
 public:
  /// Columns of the input projection's output, and the heads of its parts.
  struct Layout {
    std::int64_t nheads = 0;   // H
    std::int64_t headdim = 0;  // P
    std::int64_t dstate = 0;   // N
    std::int64_t d_conv = 4;   // W: width of the convolution's kernel
    std::int64_t x_heads = 0, b_heads = 0, c_heads = 0;
    std::int64_t conv_begin = 0;   // first column of x; x, B, C follow each other and are convolved together
    std::int64_t gate_begin = 0;   // z
    std::int64_t decay_begin = 0;  // A_log or dt, H columns
    std::int64_t inner() const { return nheads * headdim; }
    std::int64_t conv_width() const { return x_heads * headdim + (b_heads + c_heads) * dstate; }
  };
  struct Weights {
    Layout layout;
    PackedMatrix in_proj;
    Tensor conv_weight;  // [conv_width, W]
    Tensor conv_bias;    // [conv_width]
    ConvActivation conv_activation = ConvActivation::Identity;
    Tensor skip;  // D [H]
    PackedMatrix out_proj;
  };

  LayerInfo info() const override;
  std::int64_t weight_bytes() const override { return w_.in_proj.bytes() + w_.out_proj.bytes(); }
  std::unique_ptr<MixerState> make_state(Context& context, const StateShape& shape) const override;
  void prefill(Context& context, TensorView u, MixerState* state, TensorView out) const override;
  void step(Context& context, TensorView u, MixerState& state, std::span<const std::int32_t> slots,
            std::span<const std::int32_t> positions, TensorView out) const override;
  void mix(Context& context, TensorView u, LayerMatrices& matrices) const override;

 protected:
  explicit SsmMixer(Weights weights) : w_(std::move(weights)) {}
  virtual MixerKind kind() const = 0;
  /// Fills log_decay [R, H] and, where the kind has a step size, dt [R, H] from the projection's decay
  /// columns.
  virtual void decay(Context& context, TensorView raw, TensorView dt, TensorView log_decay) const = 0;
  virtual bool has_step_size() const = 0;
  /// Adds to one decode step what the kind's decays want, and its gate where that is nothing but silu(z +
  /// bias).
  virtual void complete(SsmStep& step, TensorView z) const = 0;
  /// y [R, H*P] becomes the input of the output projection, using the gate columns z.
  virtual void gate(Context& context, TensorView y, TensorView z) const = 0;

  const Weights& weights() const { return w_; }

 private:
  SsmMemory memory() const;
  SsdOperands heads() const;
  SsdOperands operands(Context& context, TensorView projected, TensorView convolved) const;
  SsdOperands scan(Context& context, TensorView u, MixerState* state, TensorView projected,
                   TensorView y) const;

  Weights w_;
};

/// Llamba's mixer: decay sigmoid(-A_log) from the token, no step size, gate silu(z + z_bias) (models.md 2.4).
class DiscreteMamba2Mixer final : public SsmMixer {
 public:
  DiscreteMamba2Mixer(Weights weights, Tensor z_bias)
      : SsmMixer(std::move(weights)), z_bias_(std::move(z_bias)) {}

 protected:
  MixerKind kind() const override { return MixerKind::DiscreteMamba2; }
  void decay(Context& context, TensorView raw, TensorView dt, TensorView log_decay) const override;
  bool has_step_size() const override { return false; }
  void complete(SsmStep& step, TensorView z) const override;
  void gate(Context& context, TensorView y, TensorView z) const override;

 private:
  Tensor z_bias_;  // [H * P]
};

/// Mamba-2's mixer, standard and in MambaInLlama's style: step size dt, gated RMSNorm (models.md 3.5, 4).
class Mamba2Mixer final : public SsmMixer {
 public:
  struct Extra {
    MixerKind kind = MixerKind::Mamba2;
    Tensor dt_bias;               // [H]
    Tensor a_log;                 // [H]
    Tensor norm;                  // [H * P]
    std::int64_t norm_group = 0;  // channels that the norm takes together
    float norm_eps = 1e-5F;
  };
  Mamba2Mixer(Weights weights, Extra extra) : SsmMixer(std::move(weights)), extra_(std::move(extra)) {}

 protected:
  MixerKind kind() const override { return extra_.kind; }
  void decay(Context& context, TensorView raw, TensorView dt, TensorView log_decay) const override;
  bool has_step_size() const override { return true; }
  void complete(SsmStep& step, TensorView z) const override;
  void gate(Context& context, TensorView y, TensorView z) const override;

 private:
  Extra extra_;
};

/// What a configuration says of its recurrent layers.
struct ModelConfig;
SsmMixer::Layout llamba_layout(const ModelConfig& config);
SsmMixer::Layout hybrid_layout(const ModelConfig& config);
SsmMixer::Layout mamba2_layout(const ModelConfig& config);

}  // namespace tandem
