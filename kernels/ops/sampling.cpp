#include "kernels/ops/sampling.h"

#include <cmath>
#include <numeric>

#include "kernels/base/parallel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/ops/sampling.cpp"
#include <hwy/foreach_target.h>

#include "kernels/ops/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tandem::HWY_NAMESPACE {

void softmax_row(float* x, std::size_t count) {
  softmax(FloatTag(), x, count);
}

// weights[i] = e^((x[i] - top) * factor); returns their sum.
double exponentials(const float* x, float top, float factor, float* weights, std::size_t count) {
  const FloatTag d;
  double sum = 0;
  for_vectors(d, count, [&](std::size_t i, std::size_t n) HWY_ATTR {
    const FloatVec scaled = hn::Mul(hn::Sub(load_n(d, x + i, n), hn::Set(d, top)), hn::Set(d, factor));
    store_n(exp(d, scaled), d, weights + i, n);
  });
  for (std::size_t i = 0; i < count; ++i) sum += weights[i];
  return sum;
}

}  // namespace tandem::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tandem {
HWY_EXPORT(softmax_row);
HWY_EXPORT(exponentials);

namespace {

// The first index at which the running sum of weights exceeds `mass`; the last with any weight if rounding
// keeps the sum below.
template <typename Weight>
std::size_t pick(double mass, std::size_t count, const Weight& weight) {
  double sum = 0;
  std::size_t last = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const double w = weight(i);
    if (!(w > 0)) continue;
    sum += w;
    last = i;
    if (sum > mass) break;
  }
  return last;
}

// The truncated draw. Ids leave a heap in order of falling weight (rising id among equals) until enough of
// them are out, so the order of the improbable rest is never worked out.
std::int32_t draw_truncated(const float* weights, std::size_t count, double total, const SamplingRule& rule,
                            float uniform, std::int32_t* ids) {
  const auto less_probable = [&](std::int32_t a, std::int32_t b) {
    return weights[a] != weights[b] ? weights[a] < weights[b] : a > b;
  };
  // Without top-k, tokens of less than (1 - top_p) / count each cannot be needed to reach top_p.
  const auto k = rule.top_k > 0 ? std::min(count, static_cast<std::size_t>(rule.top_k)) : count;
  const double needed = k < count ? 0.0 : total * (1.0 - rule.top_p) / static_cast<double>(count);
  std::int32_t* end = ids;
  for (std::size_t i = 0; i < count; ++i) {
    if (weights[i] >= needed) *end++ = static_cast<std::int32_t>(i);
  }
  std::make_heap(ids, end, less_probable);
  const auto candidates = static_cast<std::size_t>(end - ids);
  const std::size_t most = std::min(k, candidates);
  double mass = 0;
  std::int32_t* const top = end;  // ids leave to [top - taken, top), most probable last
  std::size_t taken = 0;
  while (taken < most && (k < count || mass < total * rule.top_p)) {
    std::pop_heap(ids, end--, less_probable);
    mass += weights[*end];
    ++taken;
  }
  const auto nth = [&](std::size_t i) { return top[-1 - static_cast<std::ptrdiff_t>(i)]; };
  if (k < count && rule.top_p < 1.0F) {  // top-p of what top-k left
    const double limit = mass * rule.top_p;
    double kept = 0;
    std::size_t n = 0;
    while (n < taken && kept < limit) kept += weights[nth(n++)];
    mass = kept;
    taken = n;
  }
  return nth(pick(mass * uniform, taken, [&](std::size_t i) { return weights[nth(i)]; }));
}

}  // namespace

void softmax(Context& context, TensorView x) {
  TANDEM_CHECK(x.rank() == 2, "softmax: " + x.shape().str());
  parallel_over(context, x.extent(0), 0.5 * static_cast<double>(x.extent(1)),
                [&](std::int64_t begin, std::int64_t end) {
                  for (std::int64_t i = begin; i < end; ++i) {
                    HWY_DYNAMIC_DISPATCH(softmax_row)(x.row(i), static_cast<std::size_t>(x.extent(1)));
                  }
                });
}

void sample(Context& context, TensorView logits, std::int64_t vocab, const SamplingRule& rule,
            std::span<const float> uniforms, std::span<std::int32_t> tokens, std::span<float> logprobs) {
  const std::int64_t batch = logits.rank() == 2 ? logits.extent(0) : -1;
  const auto rows = static_cast<std::size_t>(batch);
  TANDEM_CHECK(batch >= 0 && vocab > 0 && vocab <= logits.extent(1) && uniforms.size() == rows &&
                   tokens.size() == rows && logprobs.size() == rows,
               "sample: logits " + logits.shape().str() + ", vocab " + std::to_string(vocab) + ", " +
                   std::to_string(uniforms.size()) + " uniforms, " + std::to_string(tokens.size()) +
                   " tokens, " + std::to_string(logprobs.size()) + " log-probabilities");
  const auto count = static_cast<std::size_t>(vocab);
  const bool truncated = (rule.top_k > 0 && rule.top_k < vocab) || rule.top_p < 1.0F;
  const ScratchScope scope(context);
  const std::int64_t stride = (vocab + 15) / 16 * 16;
  float* weights = context.scratch(stride * batch);
  auto* ids = reinterpret_cast<std::int32_t*>(truncated ? context.scratch(stride * batch) : nullptr);
  parallel_over(context, batch, 3.0 * static_cast<double>(vocab), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t b = begin; b < end; ++b) {
      const float* row = logits.row(b);
      float* w = weights + b * stride;
      const auto i = static_cast<std::size_t>(b);
      const auto best = static_cast<std::int32_t>(std::max_element(row, row + count) - row);
      const float top = row[best];
      const double plain_sum = HWY_DYNAMIC_DISPATCH(exponentials)(row, top, 1.0F, w, count);
      std::int32_t token = best;
      if (rule.temperature > 0) {
        double sum = plain_sum;
        if (rule.temperature != 1.0F) {
          sum = HWY_DYNAMIC_DISPATCH(exponentials)(row, top, 1.0F / rule.temperature, w, count);
        }
        token = truncated ? draw_truncated(w, count, sum, rule, uniforms[i], ids + b * stride)
                          : static_cast<std::int32_t>(
                                pick(sum * uniforms[i], count, [&](std::size_t at) { return w[at]; }));
      }
      tokens[i] = token;
      logprobs[i] = static_cast<float>(row[token] - top - std::log(plain_sum));
    }
  });
}

}  // namespace tandem
#endif
