#include "kernels/ops/sampling.h"

#include <cmath>
#include <numeric>
#include <ranges>

#include "kernels/base/parallel.h"
#include "kernels/base/philox.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/ops/sampling.cpp"
#include <hwy/foreach_target.h>

#include "kernels/ops/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tandem::HWY_NAMESPACE {

void softmax_row(float* x, std::size_t count) {
  softmax(FloatTag(), x, count);
}

// The first of the largest; 0 if NaN hides it.
std::size_t index_of_largest(const float* x, std::size_t count) {
  const FloatTag d;
  const std::size_t step = hn::Lanes(d);
  FloatVec largest = hn::Set(d, x[0]);
  std::size_t whole = 0;
  for (; whole + step <= count; whole += step) largest = hn::Max(largest, hn::LoadU(d, x + whole));
  float top = hn::GetLane(hn::MaxOfLanes(d, largest));
  for (std::size_t i = whole; i < count; ++i) top = std::max(top, x[i]);
  const float* found = std::find(x, x + count, top);
  return found == x + count ? 0 : static_cast<std::size_t>(found - x);
}

// weights[i] = e^((x[i] - top) * factor), none of x above top; returns their sum.
double exponentials(const float* x, float top, float factor, float* weights, std::size_t count) {
  constexpr std::size_t kBlock = 1024;  // summed in f32
  const FloatTag d;
  double total = 0;
  for (std::size_t begin = 0; begin < count; begin += kBlock) {
    FloatVec sum = hn::Zero(d);
    for_vectors(d, std::min(kBlock, count - begin), [&](std::size_t at, std::size_t n) HWY_ATTR {
      const std::size_t i = begin + at;
      const FloatVec below = hn::Sub(load_n(d, x + i, n), hn::Set(d, top));
      const FloatVec weight = exp_nonpositive(d, hn::Mul(below, hn::Set(d, factor)));
      store_n(weight, d, weights + i, n);
      sum = hn::Add(sum, n == hn::Lanes(d) ? weight : load_n(d, weights + i, n));
    });
    total += static_cast<double>(hn::GetLane(hn::SumOfLanes(d, sum)));
  }
  return total;
}

}  // namespace tandem::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tandem {
HWY_EXPORT(softmax_row);
HWY_EXPORT(index_of_largest);
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

// Puts the heaviest ids first, in order of falling weight (rising id among equals), until their mass reaches
// `limit`. They leave a heap one by one, so the order of the light rest is never worked out.
struct Kept {
  std::size_t count = 0;
  double mass = 0;
};

Kept keep_mass(const float* weights, double limit, std::int32_t* begin, std::int32_t* end) {
  const auto lighter = [&](std::int32_t a, std::int32_t b) {
    return weights[a] != weights[b] ? weights[a] < weights[b] : a > b;
  };
  std::make_heap(begin, end, lighter);
  std::int32_t* rest = end;
  Kept kept;
  while (rest != begin && kept.mass < limit) {
    std::pop_heap(begin, rest--, lighter);
    kept.mass += static_cast<double>(weights[*rest]);
    ++kept.count;
  }
  std::reverse(begin, end);
  return kept;
}

// The truncated draw. `ids` is scratch for `count` of them.
std::int32_t draw_truncated(const float* weights, std::size_t count, double total, const SamplingRule& rule,
                            float uniform, std::int32_t* ids) {
  const auto heavier = [&](std::int32_t a, std::int32_t b) {
    return weights[a] != weights[b] ? weights[a] > weights[b] : a < b;
  };
  const auto all = std::views::iota(std::int32_t{0}, static_cast<std::int32_t>(count));
  std::int32_t* end = ids;
  if (rule.top_k > 0 && static_cast<std::size_t>(rule.top_k) < count) {
    end = std::ranges::partial_sort_copy(all, std::ranges::subrange(ids, ids + rule.top_k), heavier).out;
    total = std::accumulate(ids, end, 0.0, [&](double sum, std::int32_t id) { return sum + weights[id]; });
  } else {
    // Tokens of less than (1 - top_p) / count of the mass each cannot be needed to reach top_p.
    const double needed = total * (1.0 - rule.top_p) / static_cast<double>(count);
    end = std::ranges::copy_if(all, ids, [&](std::int32_t id) { return weights[id] >= needed; }).out;
  }
  const Kept kept = keep_mass(weights, rule.top_p < 1.0F ? total * rule.top_p : total, ids, end);
  return ids[pick(kept.mass * uniform, kept.count, [&](std::size_t i) { return weights[ids[i]]; })];
}

float uniform_of(const Draws& draws, std::size_t row) {
  if (!draws.uniforms.empty()) return draws.uniforms[row];
  return completion_uniform(draws.seed, draws.problem, static_cast<std::uint32_t>(draws.completions[row]),
                            static_cast<std::uint32_t>(draws.positions[row] - draws.first));
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
            const Draws& draws, std::span<std::int32_t> tokens, std::span<float> logprobs) {
  const std::int64_t batch = logits.rank() == 2 ? logits.extent(0) : -1;
  const auto rows = static_cast<std::size_t>(batch);
  TANDEM_CHECK(batch >= 0 && vocab > 0 && vocab <= logits.extent(1) && draws.count() == batch &&
                   tokens.size() == rows && logprobs.size() == rows,
               "sample: logits " + logits.shape().str() + ", vocab " + std::to_string(vocab) + ", " +
                   std::to_string(draws.count()) + " draws, " + std::to_string(tokens.size()) +
                   " tokens, " + std::to_string(logprobs.size()) + " log-probabilities");
  if (DeviceQueue* queue = context.queue())
    return queue->sample(logits, vocab, rule, draws, tokens, logprobs);
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
      const auto best = static_cast<std::int32_t>(HWY_DYNAMIC_DISPATCH(index_of_largest)(row, count));
      const float top = row[best];
      const double plain_sum = HWY_DYNAMIC_DISPATCH(exponentials)(row, top, 1.0F, w, count);
      std::int32_t token = best;
      if (rule.temperature > 0 && !std::isnan(plain_sum)) {  // NaN leaves nothing to draw from
        double sum = plain_sum;
        if (rule.temperature != 1.0F) {
          sum = HWY_DYNAMIC_DISPATCH(exponentials)(row, top, 1.0F / rule.temperature, w, count);
        }
        const float uniform = uniform_of(draws, i);
        token = truncated ? draw_truncated(w, count, sum, rule, uniform, ids + b * stride)
                          : static_cast<std::int32_t>(
                                pick(sum * uniform, count, [&](std::size_t at) { return w[at]; }));
      }
      tokens[i] = token;
      logprobs[i] = static_cast<float>(row[token] - top - std::log(plain_sum));
    }
  });
}

}  // namespace tandem
#endif
