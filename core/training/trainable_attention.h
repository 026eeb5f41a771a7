// Causal attention that can be trained (core/models/attention_mixer.h is the same for inference).
#pragma once

#include <string>
#include <vector>

#include "core/checkpoint/model_config.h"
#include "core/training/parameter.h"
#include "core/training/trainable_linear.h"
#include "core/training/trainable_mixer.h"

namespace tandem::training {

class TrainableAttention final : public TrainableMixer {
 public:
  /// Adds q_proj, k_proj, v_proj (one parameter) and o_proj under `prefix` ("model.layers.0.self_attn.").
  TrainableAttention(const ModelConfig& config, const std::string& prefix, ParameterSet& parameters);

  void forward(Context& context, const BatchShape& batch, TensorView u, TensorView out) override;
  void backward(Context& context, const BatchShape& batch, TensorView u, TensorView d_out,
                TensorView d_u) override;

 private:
  struct Columns {
    TensorView q, k, v;
  };
  Columns columns(const TensorView& qkv) const;
  std::int64_t width() const { return (nheads_ + 2 * nheads_kv_) * headdim_; }  // of the projection

  std::int64_t nheads_, nheads_kv_, headdim_;
  std::vector<float> frequencies_;
  std::vector<std::int32_t> positions_;  // of every row
  TrainableLinear qkv_, out_;
  Activation projected_, mixed_, d_projected_, d_mixed_;
};

}  // namespace tandem::training
