#include "kernels/ops/linear_backward.h"

#include "kernels/ops/matmul.h"

namespace tandem {

void linear_backward(Context& context, TensorView x, TensorView weight, TensorView d_y, TensorView d_x,
                     TensorView d_weight) {
  if (!d_x.empty()) matmul(context, d_y, weight, false, d_x);
  if (!d_weight.empty()) matmul_transposed(context, d_y, x, d_weight, true);
}

}  // namespace tandem
