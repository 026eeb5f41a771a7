#include "kernels/ops/rope.h"

#include "kernels/base/parallel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/ops/rope.cpp"
#include <hwy/foreach_target.h>

#include "kernels/ops/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tandem::HWY_NAMESPACE {

void rope_row(float* row, std::size_t heads, float position, const float* frequencies, std::size_t half) {
  const FloatTag d;
  const FloatVec p = hn::Set(d, position);
  for_vectors(d, half, [&](std::size_t m, std::size_t n) HWY_ATTR {
    FloatVec sine;
    FloatVec cosine;
    sin_cos(d, hn::Mul(p, load_n(d, frequencies + m, n)), sine, cosine);
    for (std::size_t head = 0; head < heads; ++head) {
      float* low = row + head * 2 * half + m;
      float* high = low + half;
      const FloatVec a = load_n(d, low, n);
      const FloatVec b = load_n(d, high, n);
      store_n(hn::NegMulAdd(b, sine, hn::Mul(a, cosine)), d, low, n);
      store_n(hn::MulAdd(a, sine, hn::Mul(b, cosine)), d, high, n);
    }
  });
}

}  // namespace tandem::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tandem {
HWY_EXPORT(rope_row);

void rope(Context& context, TensorView x, std::int64_t heads, std::span<const std::int32_t> positions,
          std::span<const float> frequencies) {
  const std::size_t half = frequencies.size();
  TANDEM_CHECK(x.rank() == 2 && x.extent(1) == heads * static_cast<std::int64_t>(2 * half) &&
                   (positions.empty() || x.extent(0) == static_cast<std::int64_t>(positions.size())),
               "rope: x " + x.shape().str() + " for " + std::to_string(heads) + " heads, " +
                   std::to_string(positions.size()) + " positions and " + std::to_string(half) +
                   " frequencies");
  if (DeviceQueue* queue = context.queue()) return queue->rope(x, heads, positions, frequencies);
  parallel_over(
      context, x.extent(0), 0.3 * static_cast<double>(x.extent(1)),
      [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i) {
          const std::int64_t position = positions.empty() ? i : positions[static_cast<std::size_t>(i)];
          HWY_DYNAMIC_DISPATCH(rope_row)
          (x.row(i), static_cast<std::size_t>(heads), static_cast<float>(position), frequencies.data(), half);
        }
      });
}

void rope_append(Context& context, TensorView qkv, std::int64_t nheads, std::span<const float> frequencies,
                 const SlotCaches& own) {
  const std::int64_t nheads_kv = own.keys.extent(1);
  const std::int64_t headdim = own.keys.extent(3);
  const std::int64_t q_width = nheads * headdim;
  const std::int64_t kv_width = nheads_kv * headdim;
  TANDEM_CHECK(qkv.rank() == 2 && qkv.shape() == Shape({std::ssize(own.slot_ids), q_width + 2 * kv_width}) &&
                   own.values.shape() == own.keys.shape(),
               "rope_append: " + qkv.shape().str() + " for " + std::to_string(nheads) + " query heads, " +
                   std::to_string(own.slot_ids.size()) + " slots, keys " + own.keys.shape().str() +
                   ", values " + own.values.shape().str());
  if (DeviceQueue* queue = context.queue()) return queue->rope_append(qkv, nheads, frequencies, own);
  rope(context, qkv.columns(0, q_width + kv_width), nheads + nheads_kv, own.positions, frequencies);
  append_heads(context, qkv.columns(q_width, kv_width), own.slot_ids, own.positions, own.first, own.keys);
  append_heads(context, qkv.columns(q_width + kv_width, kv_width), own.slot_ids, own.positions, own.first,
               own.values);
}

}  // namespace tandem
#endif
