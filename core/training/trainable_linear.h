// A linear layer that can be trained.
#pragma once

#include "core/training/parameter.h"
#include "core/training/trainable_mixer.h"

namespace tandem::training {

/// y = x W^T. Products are in bf16, accumulated in f32, where the weight is packed
/// (ParameterSet::pack_products), else in f32. Confined, like TrainableMixer.
class TrainableLinear {
 public:
  /// `weight` must outlive it; its matrix() is W [out, in].
  explicit TrainableLinear(Parameter& weight);

  /// x [M, in], y [M, out].
  void forward(Context& context, TensorView x, TensorView y);
  /// Of the forward() before, with the same x. d_y [M, out]; d_x [M, in] is written, the weight's gradient
  /// added to.
  void backward(Context& context, TensorView x, TensorView d_y, TensorView d_x);

 private:
  Parameter& weight_;
  Activation narrowed_;  // x in bf16
};

}  // namespace tandem::training
