#include "kernels/ops/ssd.h"

#include <cmath>
#include <iterator>

#include "kernels/base/parallel.h"
#include "kernels/ops/matmul.h"
#include "kernels/ops/ssd_heads.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/ops/ssd.cpp"
#include <hwy/foreach_target.h>

#include "kernels/ops/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tandem::HWY_NAMESPACE {

// kRows rows of a head's state, updated and read in one pass; y [kRows] is what they read.
template <std::size_t kRows>
HWY_INLINE void step_rows(float* state, const float* x, const float* b, const float* c, FloatVec decay,
                          float dt, float skip, float* y, std::size_t dstate) {
  const FloatTag d;
  FloatVec input[kRows];
  FloatVec sum[4] = {hn::Zero(d), hn::Zero(d), hn::Zero(d), hn::Zero(d)};
  for (std::size_t p = 0; p < kRows; ++p) input[p] = hn::Set(d, dt * x[p]);
  for_vectors(d, dstate, [&](std::size_t i, std::size_t n) HWY_ATTR {
    const FloatVec key = load_n(d, b + i, n);
    const FloatVec query = load_n(d, c + i, n);
    for (std::size_t p = 0; p < kRows; ++p) {
      float* at = state + p * dstate + i;
      const FloatVec s = hn::MulAdd(input[p], key, hn::Mul(decay, load_n(d, at, n)));
      store_n(s, d, at, n);
      sum[p] = hn::MulAdd(s, query, sum[p]);
    }
  });
  float read[4];
  store_sums(d, sum[0], sum[1], sum[2], sum[3], read);
  for (std::size_t p = 0; p < kRows; ++p) y[p] = read[p] + skip * x[p];
}

// One head of one token: state [headdim, dstate].
void step_head(float* state, const float* x, const float* b, const float* c, float log_decay, float dt,
               float skip, float* y, std::size_t headdim, std::size_t dstate) {
  const FloatTag d;
  const FloatVec decay = exp(d, hn::Set(d, log_decay));
  std::size_t p = 0;
  for (; p + 4 <= headdim; p += 4) {
    step_rows<4>(state + p * dstate, x + p, b, c, decay, dt, skip, y + p, dstate);
  }
  for (; p < headdim; ++p) step_rows<1>(state + p * dstate, x + p, b, c, decay, dt, skip, y + p, dstate);
}

// From the log decays between each earlier token and the one before `row`, to those of `row` itself: the
// terms are summed, never subtracted, so that long products keep their precision (models.md 9.6).
void decay_row(float* log_products, std::size_t row, float log_decay, float* decay) {
  const FloatTag d;
  for_vectors(d, row, [&](std::size_t j, std::size_t n) HWY_ATTR {
    const FloatVec s = hn::Add(load_n(d, log_products + j, n), hn::Set(d, log_decay));
    store_n(s, d, log_products + j, n);
    store_n(exp(d, s), d, decay + j, n);
  });
  log_products[row] = 0.0F;
  decay[row] = 1.0F;
}

void multiply(const float* a, const float* b, float* out, std::size_t count) {
  const FloatTag d;
  for_vectors(d, count, [&](std::size_t i, std::size_t n) HWY_ATTR {
    store_n(hn::Mul(load_n(d, a + i, n), load_n(d, b + i, n)), d, out + i, n);
  });
}

}  // namespace tandem::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tandem {
HWY_EXPORT(step_head);
HWY_EXPORT(decay_row);
HWY_EXPORT(multiply);

namespace {

std::size_t size(std::int64_t extent) {
  return static_cast<std::size_t>(extent);
}

// Scratch of one head's chunk: log products, decay of the incoming state, decay, mixing, weighted inputs.
std::int64_t chunk_floats(std::int64_t chunk, std::int64_t headdim) {
  return 2 * chunk + 2 * chunk * chunk + headdim * chunk;
}

// y and state of one head over tokens [begin, begin + count).
void scan_chunk(const SsdOperands& o, std::int64_t head, std::int64_t begin, std::int64_t count,
                float* memory, TensorView state, TensorView y) {
  const std::int64_t headdim = o.headdim;
  float* log_products = memory;
  float* to_start = log_products + count;
  const TensorView decay(to_start + count, Shape{count, count});
  const TensorView mixing(decay.f32() + count * count, Shape{count, count});
  const TensorView inputs(mixing.f32() + count * count, Shape{headdim, count});
  const TensorView x = head_x(o, o.x, head).rows(begin, count);
  const TensorView b = head_b(o, o.b, head).rows(begin, count);
  const TensorView c = head_c(o, o.c, head).rows(begin, count);

  matmul_here(c, b, true, mixing);
  decay_matrix(o, head, begin, log_products, decay);
  double elapsed = 0;
  for (std::int64_t l = 0; l < count; ++l) {
    elapsed += o.log_decay.row(begin + l)[head];
    to_start[l] = static_cast<float>(std::exp(elapsed));
    float* row = mixing.row(l);
    HWY_DYNAMIC_DISPATCH(multiply)(row, decay.row(l), row, size(l + 1));
    for (std::int64_t m = 0; m <= l; ++m) row[m] *= step_size(o, begin + m, head);
    std::fill(row + l + 1, row + count, 0.0F);
  }
  const float skip = o.skip.f32()[head];
  const float* to_end = decay.row(count - 1);
  matmul_here(c, state, true, y);
  for (std::int64_t l = 0; l < count; ++l) {
    for (std::int64_t p = 0; p < headdim; ++p) y.row(l)[p] = to_start[l] * y.row(l)[p] + skip * x.row(l)[p];
    const float weight = to_end[l] * step_size(o, begin + l, head);
    for (std::int64_t p = 0; p < headdim; ++p) inputs.row(p)[l] = weight * x.row(l)[p];
  }
  matmul_here(mixing, x, false, y, 1.0F, true);
  for (std::int64_t i = 0; i < state.elements(); ++i) state.f32()[i] *= to_start[count - 1];
  matmul_here(inputs, b, false, state, 1.0F, true);
}

}  // namespace

void decay_matrix(const SsdOperands& o, std::int64_t head, std::int64_t begin, float* log_products,
                  TensorView decay) {
  for (std::int64_t l = 0; l < decay.extent(0); ++l) {
    HWY_DYNAMIC_DISPATCH(decay_row)
    (log_products, size(l), o.log_decay.row(begin + l)[head], decay.row(l));
  }
}

void ssd_step(Context& context, const SsdOperands& o, TensorView states, std::span<const std::int32_t> slots,
              TensorView y) {
  check_ssd_operands(o, "ssd_step");
  const std::int64_t rows = o.x.extent(0);
  const std::int64_t head_state = o.headdim * o.dstate;
  TANDEM_CHECK(std::ssize(slots) == rows && states.rank() == 2 && states.extent(1) == o.nheads * head_state &&
                   y.shape() == Shape({rows, o.nheads * o.headdim}),
               "ssd_step: " + std::to_string(slots.size()) + " slots of states " + states.shape().str() +
                   ", y " + y.shape().str());
  parallel_over(context, rows * o.nheads, 0.2 * static_cast<double>(head_state),
                [&](std::int64_t begin, std::int64_t end) {
                  for (std::int64_t i = begin; i < end; ++i) {
                    const std::int64_t r = i / o.nheads;
                    const std::int64_t h = i % o.nheads;
                    HWY_DYNAMIC_DISPATCH(step_head)
                    (states.row(slots[size(r)]) + h * head_state, head_x(o, o.x, h).row(r),
                     head_b(o, o.b, h).row(r), head_c(o, o.c, h).row(r), o.log_decay.row(r)[h],
                     step_size(o, r, h), o.skip.f32()[h], y.row(r) + h * o.headdim, size(o.headdim),
                     size(o.dstate));
                  }
                });
}

void ssd_scan(Context& context, const SsdOperands& o, TensorView state, std::int64_t chunk, TensorView y) {
  check_ssd_operands(o, "ssd_scan");
  const std::int64_t rows = o.x.extent(0);
  TANDEM_CHECK(chunk > 0 && state.contiguous() && state.shape() == Shape({o.nheads, o.headdim, o.dstate}) &&
                   y.shape() == Shape({rows, o.nheads * o.headdim}),
               "ssd_scan: chunk " + std::to_string(chunk) + ", state " + state.shape().str() + ", y " +
                   y.shape().str());
  if (DeviceQueue* queue = context.queue()) return queue->ssd_scan(o, state, chunk, y);
  if (rows == 0) return;
  chunk = std::min(chunk, rows);
  const ScratchScope scope(context);
  const std::int64_t floats = chunk_floats(chunk, o.headdim);
  float* memory = context.scratch(floats * o.nheads);
  const double head_ns = static_cast<double>(rows * (chunk + o.dstate) * (o.headdim + o.dstate)) / 30.0;
  parallel_over(context, o.nheads, head_ns, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t h = first; h < last; ++h) {
      const TensorView head_state(state.row(h), Shape{o.headdim, o.dstate});
      for (std::int64_t begin = 0; begin < rows; begin += chunk) {
        const std::int64_t count = std::min(chunk, rows - begin);
        scan_chunk(o, h, begin, count, memory + h * floats, head_state,
                   y.columns(h * o.headdim, o.headdim).rows(begin, count));
      }
    }
  });
}

void ssd_matrix(Context& context, const SsdOperands& o, std::span<const std::int64_t> heads, TensorView decay,
                TensorView content, TensorView m) {
  check_ssd_operands(o, "ssd_matrix");
  const std::int64_t rows = o.x.extent(0);
  const Shape shape = {std::ssize(heads), rows, rows};
  for (const TensorView& out : {decay, content, m}) {
    TANDEM_CHECK(out.data() == nullptr || out.shape() == shape,
                 "ssd_matrix: output " + out.shape().str() + ", wanted " + shape.str());
  }
  if (DeviceQueue* queue = context.queue()) return queue->ssd_matrix(o, heads, decay, content, m);
  const ScratchScope scope(context);
  const auto output = [&](const TensorView& view, std::int64_t i) {
    return view.data() == nullptr ? context.scratch_tensor(Shape{rows, rows})
                                  : TensorView(view.row(i), Shape{rows, rows});
  };
  float* log_products = context.scratch(rows);
  for (std::int64_t i = 0; i < std::ssize(heads); ++i) {
    const ScratchScope head_scope(context);
    const std::int64_t head = heads[size(i)];
    TANDEM_CHECK(head >= 0 && head < o.nheads, "ssd_matrix: head " + std::to_string(head));
    const TensorView l = output(decay, i);
    const TensorView g = output(content, i);
    const TensorView product = output(m, i);
    matmul(context, head_c(o, o.c, head), head_b(o, o.b, head), true, g);
    decay_matrix(o, head, 0, log_products, l);
    for (std::int64_t t = 0; t < rows; ++t) {
      for (std::int64_t j = 0; j <= t; ++j) g.row(t)[j] *= step_size(o, j, head);
      HWY_DYNAMIC_DISPATCH(multiply)(l.row(t), g.row(t), product.row(t), size(t + 1));
      for (const TensorView& out : {l, g, product}) std::fill(out.row(t) + t + 1, out.row(t) + rows, 0.0F);
    }
  }
}

void add_diagonals(Context& context, TensorView values, TensorView m) {
  TANDEM_CHECK(
      m.rank() == 3 && m.extent(1) == m.extent(2) && m.contiguous() && values.shape() == Shape{m.extent(0)},
      "add_diagonals: values " + values.shape().str() + ", m " + m.shape().str());
  if (DeviceQueue* queue = context.queue()) return queue->add_diagonals(values, m);
  const std::int64_t tokens = m.extent(1);
  for (std::int64_t h = 0; h < m.extent(0); ++h)
    for (std::int64_t t = 0; t < tokens; ++t) m.row(h)[t * tokens + t] += values.f32()[h];
}

}  // namespace tandem
#endif
