#include "kernels/ops/linear_backward.h"

#include "kernels/ops/narrow.h"

namespace tandem {

void linear_backward(Context& context, TensorView x, TensorView weight, TensorView d_y, TensorView d_x,
                     TensorView d_weight) {
  if (DeviceQueue* queue = context.queue()) return queue->linear_backward(x, weight, d_y, d_x, d_weight);
  if (!d_x.empty()) matmul(context, d_y, weight, false, d_x);
  if (!d_weight.empty()) matmul_transposed(context, d_y, x, d_weight, true);
}

void linear_backward(Context& context, TensorView x, const PackedMatrix& weight, TensorView d_y,
                     TensorView d_x, TensorView d_weight) {
  const ScratchScope scope(context);
  const TensorView narrowed(context.scratch((d_y.elements() + 1) / 2), DType::BF16, d_y.shape());
  narrow(context, d_y, narrowed);
  if (!d_x.empty()) linear(context, narrowed, weight, d_x);
  if (!d_weight.empty()) matmul_transposed(context, narrowed, x, d_weight, true);
}

}  // namespace tandem
