// The recurrent mixers that can be trained: Llamba's and MambaInLlama's Mamba-2 style
// (core/models/ssm_mixer.h is the same for inference).
#pragma once

#include <string>

#include "core/checkpoint/model_config.h"
#include "core/models/ssm_mixer.h"
#include "core/training/parameter.h"
#include "core/training/trainable_linear.h"
#include "core/training/trainable_mixer.h"
#include "kernels/ops/ssd_backward.h"

namespace tandem::training {

class TrainableSsm : public TrainableMixer {
 public:
  void forward(Context& context, const BatchShape& batch, TensorView u, TensorView out) override;
  void backward(Context& context, const BatchShape& batch, TensorView u, TensorView d_out,
                TensorView d_u) override;

  /// The mixing matrices [H, T, T] of one sequence with the skip on their diagonals, as MOHAWK's stage 1
  /// means them (models.md 5.1). u [T, C].
  void matrices(Context& context, TensorView u, TensorView m);
  /// Of the matrices() before, with the same u. d_u [T, C] is written. Only the projection, the convolution,
  /// the decay and the skip get gradients.
  void matrices_backward(Context& context, TensorView u, TensorView d_m, TensorView d_u);

  const SsmMixer::Layout& layout() const { return layout_; }

  Parameter& in_proj;
  Parameter& conv_weight;
  Parameter& conv_bias;
  Parameter& skip;  // D
  Parameter& out_proj;

 protected:
  TrainableSsm(const ModelConfig& config, const SsmMixer::Layout& layout, ConvActivation activation,
               const std::string& prefix, ParameterSet& parameters);

  virtual bool has_step_size() const = 0;
  /// log_decay [R, H], and dt where there is one, from the projection's decay columns; and back.
  virtual void decay(Context& context, TensorView raw, TensorView dt, TensorView log_decay) = 0;
  virtual void decay_backward(Context& context, TensorView raw, TensorView d_dt, TensorView d_log_decay,
                              TensorView d_raw) = 0;
  /// gated = gate(y, z), [R, H*P]; and back. d_y may alias d_gated.
  virtual void gate(Context& context, TensorView y, TensorView z, TensorView gated) = 0;
  virtual void gate_backward(Context& context, TensorView y, TensorView z, TensorView d_gated, TensorView d_y,
                             TensorView d_z) = 0;

 private:
  struct Pass {
    TensorView projected, convolved, dt, log_decay;
  };
  Pass pass(const Context& context, std::int64_t rows);
  Pass d_pass(const Context& context, std::int64_t rows);
  void project(Context& context, const BatchShape& batch, TensorView u);
  /// From the gradients of convolved, dt and log_decay (and of the gate columns, which are in d_projected
  /// already) to the parameters and the input.
  void project_backward(Context& context, const BatchShape& batch, TensorView u, TensorView d_u);
  SsdOperands operands(const Pass& pass, std::int64_t begin, std::int64_t count) const;
  SsdGradients gradients(const Pass& pass, std::int64_t begin, std::int64_t count);
  TensorView conv_columns(const TensorView& projected) const;
  TensorView gate_columns(const TensorView& projected) const;
  TensorView decay_columns(const TensorView& projected) const;

  SsmMixer::Layout layout_;
  ConvActivation conv_activation_;
  std::int64_t chunk_ = 64;
  TrainableLinear in_, out_;
  Activation projected_, convolved_, dt_, log_decay_, mixed_, gated_;
  Activation d_projected_, d_convolved_, d_dt_, d_log_decay_, d_mixed_;
};

/// Llamba: decay from the token, silu gate (models.md 2.4).
class TrainableDiscreteMamba2 final : public TrainableSsm {
 public:
  TrainableDiscreteMamba2(const ModelConfig& config, const std::string& prefix, ParameterSet& parameters);
  Parameter& z_bias;

 protected:
  bool has_step_size() const override { return false; }
  void decay(Context& context, TensorView raw, TensorView dt, TensorView log_decay) override;
  void decay_backward(Context& context, TensorView raw, TensorView d_dt, TensorView d_log_decay,
                      TensorView d_raw) override;
  void gate(Context& context, TensorView y, TensorView z, TensorView gated) override;
  void gate_backward(Context& context, TensorView y, TensorView z, TensorView d_gated, TensorView d_y,
                     TensorView d_z) override;
};

/// MambaInLlama, Mamba-2 style: step size, gated norm per head (models.md 3.5).
class TrainableHybridMamba2 final : public TrainableSsm {
 public:
  TrainableHybridMamba2(const ModelConfig& config, const std::string& prefix, ParameterSet& parameters);
  Parameter& dt_bias;
  Parameter& a_log;
  Parameter& norm;

 protected:
  bool has_step_size() const override { return true; }
  void decay(Context& context, TensorView raw, TensorView dt, TensorView log_decay) override;
  void decay_backward(Context& context, TensorView raw, TensorView d_dt, TensorView d_log_decay,
                      TensorView d_raw) override;
  void gate(Context& context, TensorView y, TensorView z, TensorView gated) override;
  void gate_backward(Context& context, TensorView y, TensorView z, TensorView d_gated, TensorView d_y,
                     TensorView d_z) override;
};

}  // namespace tandem::training
