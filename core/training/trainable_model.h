// A model that can be trained: any of the families, f32 master weights under the names of the checkpoint
// formats, whole batches forward and backward.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/base/random_stream.h"
#include "core/base/result.h"
#include "core/checkpoint/model_config.h"
#include "core/training/parameter.h"
#include "core/training/trainable_linear.h"
#include "core/training/trainable_mixer.h"

namespace tandem::training {

class TrainableModel {
 public:
  /// All parameters are zero until initialised or read.
  explicit TrainableModel(const ModelConfig& config);
  TrainableModel(const TrainableModel&) = delete;
  TrainableModel& operator=(const TrainableModel&) = delete;

  const ModelConfig& config() const { return config_; }
  ParameterSet& parameters() { return parameters_; }
  const ParameterSet& parameters() const { return parameters_; }

  /// Random start for training from scratch: matrices normal with variance 2 / (5 C), those that write to the
  /// residual stream smaller by sqrt(2 L); norms 1.
  void initialize(RandomStream random);
  /// Errors: those of Checkpoint::read; every tensor must be there.
  Status read(const Checkpoint& checkpoint);

  /// Logits [B*T, V] (of a verifier its scores, [B*T, 1]) of B sequences of T tokens each, given one after
  /// the other. The result lives until the next forward() and may be overwritten with its own gradient.
  TensorView forward(Context& context, const BatchShape& batch, std::span<const std::int32_t> ids);
  /// Adds the gradients of all parameters, given that of the logits of the forward() before.
  void backward(Context& context, TensorView d_logits);

  std::int64_t layers() const { return static_cast<std::int64_t>(layers_.size()); }
  TrainableMixer& mixer(std::int64_t layer) { return *layers_[static_cast<std::size_t>(layer)].mixer; }
  /// The norm before the mixer [C].
  Parameter& input_norm(std::int64_t layer) { return *layers_[static_cast<std::size_t>(layer)].input_norm; }

 private:
  struct Layer {
    Parameter* input_norm;
    std::unique_ptr<TrainableMixer> mixer;
    Parameter* post_norm;
    TrainableLinear gate_up;  // [2F, C]
    TrainableLinear down;     // [C, F]
    Activation x{}, normed{}, middle{}, middle_normed{}, wide{}, narrow{};
  };
  Layer make_layer(std::int64_t index);
  void layer_forward(Context& context, Layer& layer, TensorView x, TensorView scratch);
  void layer_backward(Context& context, Layer& layer, TensorView d_x, TensorView d_normed,
                      TensorView scratch);

  ModelConfig config_;
  ParameterSet parameters_;
  Parameter* embedding_ = nullptr;
  std::vector<Layer> layers_;
  Parameter* final_norm_ = nullptr;
  std::optional<TrainableLinear> head_;  // [V, C], of the embedding when tied; [1, C] in a verifier

  BatchShape batch_;
  std::vector<std::int32_t> ids_;
  Activation x_, last_normed_, logits_, d_x_, d_normed_, scratch_, d_wide_, d_narrow_;
};

}  // namespace tandem::training
