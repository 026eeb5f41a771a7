#include "kernels/ops/selective_scan.h"

#include <algorithm>
#include <iterator>

#include "kernels/base/parallel.h"
#include "kernels/ops/selective_operands.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/ops/selective_scan.cpp"
#include <hwy/foreach_target.h>

#include "kernels/ops/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tandem::HWY_NAMESPACE {

// kChannels channels of one token that share b and c; state, a [kChannels, dstate].
template <std::size_t kChannels>
HWY_INLINE void step_channels(float* state, const float* x, const float* delta, const float* a,
                              const float* b, const float* c, const float* skip, float* y,
                              std::size_t dstate) {
  const FloatTag d;
  FloatVec step[kChannels];
  FloatVec input[kChannels];
  FloatVec sum[4] = {hn::Zero(d), hn::Zero(d), hn::Zero(d), hn::Zero(d)};
  for (std::size_t e = 0; e < kChannels; ++e) {
    step[e] = hn::Set(d, delta[e]);
    input[e] = hn::Set(d, delta[e] * x[e]);
  }
  for_vectors(d, dstate, [&](std::size_t i, std::size_t n) HWY_ATTR {
    const FloatVec key = load_n(d, b + i, n);
    const FloatVec query = load_n(d, c + i, n);
    for (std::size_t e = 0; e < kChannels; ++e) {
      float* at = state + e * dstate + i;
      const FloatVec decay = exp_nonpositive(d, hn::Mul(step[e], load_n(d, a + e * dstate + i, n)));
      const FloatVec s = hn::MulAdd(input[e], key, hn::Mul(decay, load_n(d, at, n)));
      store_n(s, d, at, n);
      sum[e] = hn::MulAdd(s, query, sum[e]);
    }
  });
  float read[4];
  store_sums(d, sum[0], sum[1], sum[2], sum[3], read);
  for (std::size_t e = 0; e < kChannels; ++e) y[e] = read[e] + skip[e] * x[e];
}

// Channels of one token that share b and c.
void step_group(float* state, const float* x, const float* delta, const float* a, const float* b,
                const float* c, const float* skip, float* y, std::size_t channels, std::size_t dstate) {
  std::size_t e = 0;
  for (; e + 4 <= channels; e += 4) {
    step_channels<4>(state + e * dstate, x + e, delta + e, a + e * dstate, b, c, skip + e, y + e, dstate);
  }
  for (; e < channels; ++e) {
    step_channels<1>(state + e * dstate, x + e, delta + e, a + e * dstate, b, c, skip + e, y + e, dstate);
  }
}

// decay[m] = exp(delta a[m])
void channel_decay(float delta, const float* a, float* decay, std::size_t dstate) {
  const FloatTag d;
  for_vectors(d, dstate, [&](std::size_t i, std::size_t n) HWY_ATTR {
    store_n(exp_nonpositive(d, hn::Mul(hn::Set(d, delta), load_n(d, a + i, n))), d, decay + i, n);
  });
}

// What token `row` reads of tokens 0 .. row - 1: `weights` [dstate, tokens] holds what is left of each of
// them in each state before this token, and is decayed first. sum[j] += scale * c . weights[:, j].
void read_row(float* weights, const float* decay, const float* c, float scale, float* sum, std::size_t row,
              std::size_t tokens, std::size_t dstate) {
  const FloatTag d;
  for_vectors(d, row, [&](std::size_t j, std::size_t n) HWY_ATTR {
    FloatVec total = load_n(d, sum + j, n);
    for (std::size_t m = 0; m < dstate; ++m) {
      float* at = weights + m * tokens + j;
      const FloatVec left = hn::Mul(load_n(d, at, n), hn::Set(d, decay[m]));
      store_n(left, d, at, n);
      total = hn::MulAdd(left, hn::Set(d, scale * c[m]), total);
    }
    store_n(total, d, sum + j, n);
  });
}

}  // namespace tandem::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tandem {
HWY_EXPORT(step_group);
HWY_EXPORT(channel_decay);
HWY_EXPORT(read_row);

namespace {

constexpr double kStateNs = 0.4;  // one state of one channel of one token

std::size_t size(std::int64_t extent) {
  return static_cast<std::size_t>(extent);
}

/// b (or c) of a channel in a row.
const float* group_of(const TensorView& groups, std::int64_t row, std::int64_t channel,
                      std::int64_t channels_per_group, std::int64_t dstate) {
  return groups.row(row) + channel / channels_per_group * dstate;
}

/// One token's channels [begin, end), in runs that share b and c.
void step_range(const SelectiveOperands& o, std::int64_t row, std::int64_t begin, std::int64_t end,
                float* state, float* y) {
  const std::int64_t b_width = o.channels / o.b_groups;
  const std::int64_t c_width = o.channels / o.c_groups;
  for (std::int64_t e = begin; e < end;) {
    const std::int64_t run = std::min({b_width - e % b_width, c_width - e % c_width, end - e});
    HWY_DYNAMIC_DISPATCH(step_group)
    (state + e * o.dstate, o.x.row(row) + e, o.delta.row(row) + e, o.a.row(e),
     group_of(o.b, row, e, b_width, o.dstate), group_of(o.c, row, e, c_width, o.dstate), o.skip.f32() + e,
     y + e, size(run), size(o.dstate));
    e += run;
  }
}

/// Adds scale * M_e to m [T, T]. memory: (T + 1) * dstate floats.
void add_channel(const SelectiveOperands& o, std::int64_t e, float scale, float* memory, TensorView m) {
  const std::int64_t tokens = m.extent(0);
  const std::int64_t b_width = o.channels / o.b_groups;
  const std::int64_t c_width = o.channels / o.c_groups;
  float* decay = memory;
  float* weights = memory + o.dstate;
  for (std::int64_t i = 0; i < tokens; ++i) {
    const float delta = o.delta.row(i)[e];
    const float* b = group_of(o.b, i, e, b_width, o.dstate);
    const float* c = group_of(o.c, i, e, c_width, o.dstate);
    HWY_DYNAMIC_DISPATCH(channel_decay)(delta, o.a.row(e), decay, size(o.dstate));
    HWY_DYNAMIC_DISPATCH(read_row)
    (weights, decay, c, scale, m.row(i), size(i), size(tokens), size(o.dstate));
    float own = 0.0F;
    for (std::int64_t s = 0; s < o.dstate; ++s) {
      weights[s * tokens + i] = delta * b[s];
      own += c[s] * b[s];
    }
    m.row(i)[i] += scale * delta * own;
  }
}

}  // namespace

void selective_step(Context& context, const SelectiveOperands& o, TensorView states,
                    std::span<const std::int32_t> slots, TensorView y) {
  check_selective_operands(o, "selective_step");
  const std::int64_t rows = o.x.extent(0);
  TANDEM_CHECK(std::ssize(slots) == rows && states.rank() == 2 && states.extent(1) == o.channels * o.dstate &&
                   y.shape() == o.x.shape(),
               "selective_step: " + std::to_string(slots.size()) + " slots of states " +
                   states.shape().str() + ", y " + y.shape().str());
  if (DeviceQueue* queue = context.queue()) return queue->selective_step(o, states, slots, y);
  TANDEM_CHECK(states.dtype() == DType::F32, "selective_step: the CPU's states are f32");
  parallel_over(context, rows, kStateNs * static_cast<double>(o.channels * o.dstate),
                [&](std::int64_t begin, std::int64_t end) {
                  for (std::int64_t r = begin; r < end; ++r)
                    step_range(o, r, 0, o.channels, states.row(slots[size(r)]), y.row(r));
                });
}

void selective_scan(Context& context, const SelectiveOperands& o, TensorView state, TensorView y) {
  check_selective_operands(o, "selective_scan");
  const std::int64_t rows = o.x.extent(0);
  TANDEM_CHECK(state.contiguous() && state.shape() == o.a.shape() && y.shape() == o.x.shape(),
               "selective_scan: state " + state.shape().str() + ", y " + y.shape().str());
  if (DeviceQueue* queue = context.queue()) return queue->selective_scan(o, state, y);
  constexpr std::int64_t kBlock = 64;  // channels whose states stay in the first cache over all tokens
  const std::int64_t blocks = (o.channels + kBlock - 1) / kBlock;
  parallel_over(context, blocks, kStateNs * static_cast<double>(rows * kBlock * o.dstate),
                [&](std::int64_t begin, std::int64_t end) {
                  for (std::int64_t block = begin; block < end; ++block) {
                    const std::int64_t last = std::min((block + 1) * kBlock, o.channels);
                    for (std::int64_t t = 0; t < rows; ++t)
                      step_range(o, t, block * kBlock, last, state.f32(), y.row(t));
                  }
                });
}

void selective_matrix(Context& context, const SelectiveOperands& o, std::span<const std::int64_t> heads,
                      std::int64_t nheads, TensorView m) {
  check_selective_operands(o, "selective_matrix");
  const std::int64_t rows = o.x.extent(0);
  TANDEM_CHECK(nheads > 0 && o.channels % nheads == 0 && m.shape() == Shape({std::ssize(heads), rows, rows}),
               "selective_matrix: " + std::to_string(nheads) + " heads, m " + m.shape().str());
  if (DeviceQueue* queue = context.queue()) return queue->selective_matrix(o, heads, nheads, m);
  const std::int64_t width = o.channels / nheads;
  const ScratchScope scope(context);
  const std::int64_t floats = (rows + 1) * o.dstate;
  float* memory = context.scratch(floats * std::ssize(heads));
  const double head_ns = 0.1 * static_cast<double>(width * o.dstate * rows * (rows + 1));
  parallel_over(context, std::ssize(heads), head_ns, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t head = heads[size(i)];
      TANDEM_CHECK(head >= 0 && head < nheads, "selective_matrix: head " + std::to_string(head));
      const TensorView mean(m.row(i), Shape{rows, rows});
      std::fill_n(mean.f32(), mean.elements(), 0.0F);
      for (std::int64_t e = head * width; e < (head + 1) * width; ++e)
        add_channel(o, e, 1.0F / static_cast<float>(width), memory + i * floats, mean);
    }
  });
}

}  // namespace tandem
#endif
