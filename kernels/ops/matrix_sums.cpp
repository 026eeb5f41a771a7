#include "kernels/ops/matrix_sums.h"

#include "kernels/base/parallel.h"

namespace tandem {

void matrix_sums(Context& context, TensorView m, TensorView a, TensorView sums) {
  TANDEM_CHECK(
      m.rank() == 3 && m.contiguous() && a.contiguous() && m.shape() == a.shape() &&
          sums.shape() == Shape({m.extent(0), 4}),
      "matrix_sums: m " + m.shape().str() + ", a " + a.shape().str() + ", sums " + sums.shape().str());
  if (DeviceQueue* queue = context.queue()) return queue->matrix_sums(m, a, sums);
  const std::int64_t count = m.extent(1) * m.extent(2);
  parallel_over(context, m.extent(0), static_cast<double>(count), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t h = begin; h < end; ++h) {
      const float* x = m.f32() + h * count;
      const float* y = a.f32() + h * count;
      double distance = 0, x_squares = 0, y_squares = 0, product = 0;  // entries differ in size by much
      for (std::int64_t i = 0; i < count; ++i) {
        const double p = x[i], q = y[i];
        distance += (p - q) * (p - q);
        x_squares += p * p;
        y_squares += q * q;
        product += p * q;
      }
      float* out = sums.row(h);
      out[0] = static_cast<float>(distance);
      out[1] = static_cast<float>(x_squares);
      out[2] = static_cast<float>(y_squares);
      out[3] = static_cast<float>(product);
    }
  });
}

}  // namespace tandem
