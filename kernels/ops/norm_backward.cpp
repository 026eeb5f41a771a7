#include "kernels/ops/norm_backward.h"

#include <cmath>

#include "kernels/ops/row_sums.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/ops/norm_backward.cpp"
#include <hwy/foreach_target.h>

#include "kernels/ops/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tandem::HWY_NAMESPACE {

// With r = (mean(x^2) + eps)^-1/2: d_x = r (w d_y) - x r^3 sum(w d_y x) / C, d_w += d_y x r.
void rms_norm_backward_row(const float* x, const float* weight, float eps, const float* d_y, float* d_x,
                           float* d_weight, std::size_t count) {
  const FloatTag d;
  const float width = static_cast<float>(count);
  const float r = 1.0F / std::sqrt(dot(d, x, x, count) / width + eps);
  FloatVec sum = hn::Zero(d);
  for_vectors(d, count, [&](std::size_t i, std::size_t n) HWY_ATTR {
    const FloatVec product = hn::Mul(load_n(d, d_y + i, n), load_n(d, x + i, n));
    sum = hn::MulAdd(product, load_n(d, weight + i, n), sum);
    store_n(hn::MulAdd(product, hn::Set(d, r), load_n(d, d_weight + i, n)), d, d_weight + i, n);
  });
  const FloatVec scale = hn::Set(d, r);
  const FloatVec along_x = hn::Set(d, -r * r * r * hn::GetLane(hn::SumOfLanes(d, sum)) / width);
  for_vectors(d, count, [&](std::size_t i, std::size_t n) HWY_ATTR {
    const FloatVec straight = hn::Mul(hn::Mul(load_n(d, d_y + i, n), load_n(d, weight + i, n)), scale);
    store_n(hn::MulAdd(along_x, load_n(d, x + i, n), straight), d, d_x + i, n);
  });
}

// product = y silu(z)
void silu_product_to(const float* y, const float* z, float* product, std::size_t count) {
  const FloatTag d;
  for_vectors(d, count, [&](std::size_t i, std::size_t n) HWY_ATTR {
    store_n(hn::Mul(load_n(d, y + i, n), silu(d, load_n(d, z + i, n))), d, product + i, n);
  });
}

// From the gradient of y silu(z): d_y and d_z.
void silu_product_backward_row(const float* y, const float* z, const float* d_product, float* d_y, float* d_z,
                               std::size_t count) {
  const FloatTag d;
  for_vectors(d, count, [&](std::size_t i, std::size_t n) HWY_ATTR {
    const FloatVec gradient = load_n(d, d_product + i, n);
    FloatVec value;
    FloatVec slope;
    silu_and_slope(d, load_n(d, z + i, n), value, slope);
    store_n(hn::Mul(hn::Mul(gradient, load_n(d, y + i, n)), slope), d, d_z + i, n);
    store_n(hn::Mul(gradient, value), d, d_y + i, n);
  });
}

}  // namespace tandem::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tandem {
HWY_EXPORT(rms_norm_backward_row);
HWY_EXPORT(silu_product_to);
HWY_EXPORT(silu_product_backward_row);

namespace {
std::size_t size(std::int64_t extent) {
  return static_cast<std::size_t>(extent);
}
}  // namespace

void rms_norm_backward(Context& context, TensorView x, TensorView weight, float eps, TensorView d_y,
                       TensorView d_x, TensorView d_weight) {
  TANDEM_CHECK(x.rank() == 2 && x.shape() == d_y.shape() && x.shape() == d_x.shape() &&
                   weight.shape() == Shape{x.extent(1)} && d_weight.shape() == weight.shape(),
               "rms_norm_backward: x " + x.shape().str() + ", weight " + weight.shape().str() + ", d_y " +
                   d_y.shape().str() + ", d_x " + d_x.shape().str() + ", d_weight " + d_weight.shape().str());
  if (DeviceQueue* queue = context.queue())
    return queue->rms_norm_backward(x, weight, eps, d_y, d_x, d_weight);
  const std::int64_t channels = x.extent(1);
  accumulate_rows(context, x.extent(0), channels, 0.3 * static_cast<double>(channels), d_weight.f32(),
                  [&](std::int64_t i, float* partial) {
                    HWY_DYNAMIC_DISPATCH(rms_norm_backward_row)
                    (x.row(i), weight.f32(), eps, d_y.row(i), d_x.row(i), partial, size(channels));
                  });
}

void gated_group_norm_backward(Context& context, TensorView y, TensorView z, TensorView weight,
                               std::int64_t group, float eps, TensorView d_out, TensorView d_y,
                               TensorView d_z, TensorView d_weight) {
  TANDEM_CHECK(
      y.rank() == 2 && y.shape() == z.shape() && y.shape() == d_out.shape() && y.shape() == d_y.shape() &&
          y.shape() == d_z.shape() && group > 0 && y.extent(1) % group == 0 &&
          weight.shape() == Shape{y.extent(1)} && d_weight.shape() == weight.shape(),
      "gated_group_norm_backward: y " + y.shape().str() + ", z " + z.shape().str() + ", weight " +
          weight.shape().str() + ", group " + std::to_string(group) + ", d_out " + d_out.shape().str());
  if (DeviceQueue* queue = context.queue())
    return queue->gated_group_norm_backward(y, z, weight, group, eps, d_out, d_y, d_z, d_weight);
  const std::int64_t rows = y.extent(0);
  const std::int64_t channels = y.extent(1);
  const ScratchScope scope(context);
  const TensorView gated = context.scratch_tensor(y.shape());
  const TensorView d_gated = context.scratch_tensor(y.shape());
  accumulate_rows(context, rows, channels, 1.2 * static_cast<double>(channels), d_weight.f32(),
                  [&](std::int64_t i, float* partial) {
                    HWY_DYNAMIC_DISPATCH(silu_product_to)(y.row(i), z.row(i), gated.row(i), size(channels));
                    for (std::int64_t c = 0; c < channels; c += group)
                      HWY_DYNAMIC_DISPATCH(rms_norm_backward_row)
                    (gated.row(i) + c, weight.f32() + c, eps, d_out.row(i) + c, d_gated.row(i) + c,
                     partial + c, size(group));
                    HWY_DYNAMIC_DISPATCH(silu_product_backward_row)
                    (y.row(i), z.row(i), d_gated.row(i), d_y.row(i), d_z.row(i), size(channels));
                  });
}

}  // namespace tandem
#endif
