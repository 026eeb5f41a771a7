#include "kernels/ops/adamw.h"

#include <vector>

#include "kernels/base/parallel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/ops/adamw.cpp"
#include <hwy/foreach_target.h>

#include "kernels/ops/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tandem::HWY_NAMESPACE {

void adamw_span(const float* gradient, const AdamWRule& rule, float* value, float* m, float* v,
                std::size_t count) {
  const FloatTag d;
  const FloatVec keep1 = hn::Set(d, rule.beta1);
  const FloatVec keep2 = hn::Set(d, rule.beta2);
  const FloatVec take1 = hn::Set(d, 1.0F - rule.beta1);
  const FloatVec take2 = hn::Set(d, 1.0F - rule.beta2);
  const FloatVec scale = hn::Set(d, rule.gradient_scale);
  const FloatVec mean_scale = hn::Set(d, 1.0F / rule.correction1);
  const FloatVec square_scale = hn::Set(d, 1.0F / rule.correction2);
  const FloatVec decay = hn::Set(d, rule.weight_decay);
  const FloatVec rate = hn::Set(d, rule.learning_rate);
  for_vectors(d, count, [&](std::size_t i, std::size_t n) HWY_ATTR {
    const FloatVec g = hn::Mul(load_n(d, gradient + i, n), scale);
    const FloatVec mean = hn::MulAdd(keep1, load_n(d, m + i, n), hn::Mul(take1, g));
    const FloatVec square = hn::MulAdd(keep2, load_n(d, v + i, n), hn::Mul(take2, hn::Mul(g, g)));
    store_n(mean, d, m + i, n);
    store_n(square, d, v + i, n);
    const FloatVec spread = hn::Add(hn::Sqrt(hn::Mul(square, square_scale)), hn::Set(d, rule.eps));
    const FloatVec old = load_n(d, value + i, n);
    const FloatVec direction = hn::MulAdd(decay, old, hn::Div(hn::Mul(mean, mean_scale), spread));
    store_n(hn::NegMulAdd(rate, direction, old), d, value + i, n);
  });
}

float squares(const float* x, std::size_t count) {
  return dot(FloatTag(), x, x, count);
}

}  // namespace tandem::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tandem {
HWY_EXPORT(adamw_span);
HWY_EXPORT(squares);

namespace {

// Calls body(span, begin, count) for all spans of `elements`.
template <typename Body>
void over_spans(Context& context, std::int64_t elements, double element_ns, const Body& body) {
  parallel_over(context, (elements + kSquaresSpan - 1) / kSquaresSpan, element_ns * kSquaresSpan,
                [&](std::int64_t first, std::int64_t last) {
                  for (std::int64_t span = first; span < last; ++span)
                    body(span, span * kSquaresSpan,
                         static_cast<std::size_t>(std::min(kSquaresSpan, elements - span * kSquaresSpan)));
                });
}

}  // namespace

void adamw(Context& context, TensorView gradient, const AdamWRule& rule, TensorView value, TensorView m,
           TensorView v) {
  for (const TensorView& view : {gradient, m, v})
    TANDEM_CHECK(view.shape() == value.shape() && view.contiguous() && value.contiguous(),
                 "adamw: value " + value.shape().str() + " with " + view.shape().str());
  if (DeviceQueue* queue = context.queue()) return queue->adamw(gradient, rule, value, m, v);
  over_spans(context, value.elements(), 1.0, [&](std::int64_t, std::int64_t begin, std::size_t count) {
    HWY_DYNAMIC_DISPATCH(adamw_span)
    (gradient.f32() + begin, rule, value.f32() + begin, m.f32() + begin, v.f32() + begin, count);
  });
}

double sum_of_squares(Context& context, std::span<const TensorView> tensors) {
  std::int64_t count = 0;
  for (const TensorView& x : tensors) {
    TANDEM_CHECK(x.contiguous(), "sum_of_squares: strided " + x.shape().str());
    count += squares_count(x.elements());
  }
  const ScratchScope scope(context);
  const TensorView sums = context.scratch_tensor({count});
  std::int64_t first = 0;
  for (const TensorView& x : tensors) {
    const TensorView own = sums.rows(first, squares_count(x.elements()));
    first += own.elements();
    if (DeviceQueue* queue = context.queue()) {
      queue->sums_of_squares(x, own);
      continue;
    }
    over_spans(context, x.elements(), 0.1, [&](std::int64_t span, std::int64_t begin, std::size_t size) {
      own.f32()[span] = HWY_DYNAMIC_DISPATCH(squares)(x.f32() + begin, size);
    });
  }
  std::vector<float> parts(static_cast<std::size_t>(count));
  if (DeviceQueue* queue = context.queue())
    queue->copy_out(parts.data(), sums.data(), count * element_bytes(DType::F32));
  else
    std::copy_n(sums.f32(), count, parts.data());
  double total = 0;
  for (const float part : parts) total += static_cast<double>(part);
  return total;
}

}  // namespace tandem
#endif
