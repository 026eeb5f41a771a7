#include "core/training/trainable_linear.h"

#include "kernels/ops/linear_backward.h"
#include "kernels/ops/narrow.h"

namespace tandem::training {

TrainableLinear::TrainableLinear(Parameter& weight) : weight_(weight) {
  weight.multiplies = true;
}

void TrainableLinear::forward(Context& context, TensorView x, TensorView y) {
  if (!weight_.packed) {
    matmul(context, x, weight_.matrix(), true, y);
    return;
  }
  const TensorView narrowed = narrowed_.get(context, x.shape(), DType::BF16);
  narrow(context, x, narrowed);
  linear(context, narrowed, weight_.packed->forward, y);
}

void TrainableLinear::backward(Context& context, TensorView x, TensorView d_y, TensorView d_x) {
  if (weight_.packed)
    linear_backward(context, narrowed_.get(context, x.shape(), DType::BF16), weight_.packed->backward, d_y,
                    d_x, weight_.d_matrix());
  else
    linear_backward(context, x, weight_.matrix(), d_y, d_x, weight_.d_matrix());
}

}  // namespace tandem::training
