#include "kernels/ops/norm.h"

#include <cmath>

#include "kernels/base/parallel.h"
#include "kernels/ops/activation.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/ops/norm.cpp"
#include <hwy/foreach_target.h>

#include "kernels/ops/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tandem::HWY_NAMESPACE {

// y = x * scale * weight
HWY_INLINE void scale_row(const float* x, const float* weight, float scale, float* y, std::size_t count) {
  const FloatTag d;
  for_vectors(d, count, [&](std::size_t i, std::size_t n) HWY_ATTR {
    const FloatVec normalised = hn::Mul(load_n(d, x + i, n), hn::Set(d, scale));
    store_n(hn::Mul(normalised, load_n(d, weight + i, n)), d, y + i, n);
  });
}

void rms_norm_row(const float* x, const float* weight, float eps, float* y, std::size_t count) {
  const float mean_square = dot(FloatTag(), x, x, count) / static_cast<float>(count);
  scale_row(x, weight, 1.0F / std::sqrt(mean_square + eps), y, count);
}

void gated_group_norm_row(float* y, const float* z, const float* weight, std::size_t group, float eps,
                          std::size_t count) {
  const FloatTag d;
  for (std::size_t begin = 0; begin < count; begin += group, y += group, z += group, weight += group) {
    FloatVec squares = hn::Zero(d);
    for_vectors(d, group, [&](std::size_t i, std::size_t n) HWY_ATTR {
      const FloatVec gated = hn::Mul(load_n(d, y + i, n), silu(d, load_n(d, z + i, n)));
      store_n(gated, d, y + i, n);
      squares = hn::MulAdd(gated, gated, squares);
    });
    const float mean_square = hn::GetLane(hn::SumOfLanes(d, squares)) / static_cast<float>(group);
    scale_row(y, weight, 1.0F / std::sqrt(mean_square + eps), y, group);
  }
}

}  // namespace tandem::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tandem {
HWY_EXPORT(rms_norm_row);
HWY_EXPORT(gated_group_norm_row);

void rms_norm(Context& context, TensorView x, TensorView weight, float eps, TensorView y) {
  TANDEM_CHECK(
      x.rank() == 2 && x.shape() == y.shape() && weight.shape() == Shape{x.extent(1)},
      "rms_norm: x " + x.shape().str() + ", weight " + weight.shape().str() + ", y " + y.shape().str());
  if (DeviceQueue* queue = context.queue()) return queue->rms_norm(x, weight, eps, y);
  const auto channels = static_cast<std::size_t>(x.extent(1));
  parallel_over(context, x.extent(0), 0.1 * static_cast<double>(channels),
                [&](std::int64_t begin, std::int64_t end) {
                  for (std::int64_t i = begin; i < end; ++i) {
                    HWY_DYNAMIC_DISPATCH(rms_norm_row)(x.row(i), weight.f32(), eps, y.row(i), channels);
                  }
                });
}

void add_rms_norm(Context& context, TensorView x, TensorView residual, TensorView weight, float eps,
                  TensorView y) {
  if (DeviceQueue* queue = context.queue()) return queue->add_rms_norm(x, residual, weight, eps, y);
  add(context, x, residual);
  rms_norm(context, residual, weight, eps, y);
}

void gated_group_norm(Context& context, TensorView y, TensorView z, TensorView weight, std::int64_t group,
                      float eps) {
  TANDEM_CHECK(y.rank() == 2 && y.shape() == z.shape() && weight.shape() == Shape{y.extent(1)} && group > 0 &&
                   y.extent(1) % group == 0,
               "gated_group_norm: y " + y.shape().str() + ", z " + z.shape().str() + ", weight " +
                   weight.shape().str() + ", group " + std::to_string(group));
  if (DeviceQueue* queue = context.queue()) return queue->gated_group_norm(y, z, weight, group, eps);
  const std::int64_t channels = y.extent(1);
  parallel_over(context, y.extent(0), 0.5 * static_cast<double>(channels),
                [&](std::int64_t begin, std::int64_t end) {
                  for (std::int64_t i = begin; i < end; ++i) {
                    HWY_DYNAMIC_DISPATCH(gated_group_norm_row)
                    (y.row(i), z.row(i), weight.f32(), static_cast<std::size_t>(group), eps,
                     static_cast<std::size_t>(channels));
                  }
                });
}

}  // namespace tandem
#endif
