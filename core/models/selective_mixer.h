// MambaInLlama's Mamba-1-style mixer: every channel and state decays at its own pace (models.md 3.4).
#pragma once

#include "core/models/mixer.h"
#include "core/models/ssm_state.h"
#include "kernels/ops/matmul.h"
#include "kernels/ops/selective_scan.h"

namespace tandem {

class SelectiveMixer final : public Mixer {
 public:
  /// E channels in groups of N (the state's size); x and B are narrower (X) and repeated in blocks of N.
  struct Layout {
    std::int64_t nheads =
        0;  // of the attention that the layer replaced: E / nheads channels are shown as one
    std::int64_t channels = 0;  // E
    std::int64_t d_xb = 0;      // X
    std::int64_t dstate = 0;    // N
    std::int64_t dt_rank = 0;   // R
    std::int64_t d_conv = 4;    // W
    // Rows of the input projection: z (E), x (X), B (X), C (E), dt (R).
    std::int64_t x_begin() const { return channels; }
    std::int64_t b_begin() const { return x_begin() + d_xb; }
    std::int64_t c_begin() const { return b_begin() + d_xb; }
    std::int64_t dt_begin() const { return c_begin() + channels; }
    std::int64_t rows() const { return dt_begin() + dt_rank; }
  };
  struct Weights {
    Layout layout;
    PackedMatrix in_proj;  // [rows, C]
    Tensor conv_weight;    // [E, W], of the repeated x
    Tensor conv_bias;      // [E]
    PackedMatrix dt_proj;  // [E, R]
    Tensor dt_bias;        // [E]: twice the stored bias, see double_bias()
    Tensor a;              // [E, N]: -exp(A_log)
    Tensor skip;           // D [E]
    Tensor mean_skip;      // its mean over each head's channels [nheads]; on the host, for matrices
    PackedMatrix out_proj;
  };
  explicit SelectiveMixer(Weights weights);

  LayerInfo info() const override;
  std::int64_t weight_bytes() const override;
  std::unique_ptr<MixerState> make_state(Context& context, const StateShape& shape) const override;
  void prefill(Context& context, TensorView u, MixerState* state, TensorView out) const override;
  void step(Context& context, TensorView u, MixerState& state, std::span<const std::int32_t> slots,
            std::span<const std::int32_t> positions, TensorView out) const override;
  /// One matrix a head: the mean over its channels' own matrices. Decay and content do not separate, since
  /// every state decays differently; they are left empty. skip is the head's mean, values and mixed are the
  /// channels'.
  void mix(Context& context, TensorView u, LayerMatrices& matrices) const override;

 private:
  SsmMemory memory() const;
  TensorView repeated_x(Context& context, TensorView projected) const;
  SelectiveOperands operands(Context& context, TensorView projected, TensorView convolved) const;
  SelectiveOperands scan(Context& context, TensorView u, MixerState* state, TensorView projected,
                         TensorView y) const;
  void finish(Context& context, TensorView projected, TensorView y, TensorView out) const;

  Weights w_;
};

/// The mean of D over each head's channels.
Tensor mean_skip(const Tensor& skip, std::int64_t nheads);

/// The layout of a configuration with Mamba-1-style mixers.
struct ModelConfig;
SelectiveMixer::Layout selective_layout(const ModelConfig& config);

/// The step sizes' bias counts twice, softplus(W_dt low + 2 b): the published models were trained by code
/// that adds it in the projection and once more in the scan, and go wrong without either (models.md 3.4 step
/// 4).
void double_bias(Tensor& bias);

}  // namespace tandem
