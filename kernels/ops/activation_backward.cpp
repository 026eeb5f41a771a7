#include "kernels/ops/activation_backward.h"

#include "kernels/ops/row_sums.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/ops/activation_backward.cpp"
#include <hwy/foreach_target.h>

#include "kernels/ops/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tandem::HWY_NAMESPACE {

void swiglu_backward_row(const float* gate, const float* up, const float* d_out, float* d_gate, float* d_up,
                         std::size_t count) {
  const FloatTag d;
  for_vectors(d, count, [&](std::size_t i, std::size_t n) HWY_ATTR {
    FloatVec value;
    FloatVec slope;
    silu_and_slope(d, load_n(d, gate + i, n), value, slope);
    const FloatVec gradient = load_n(d, d_out + i, n);
    const FloatVec factor = load_n(d, up + i, n);
    store_n(hn::Mul(hn::Mul(gradient, factor), slope), d, d_gate + i, n);
    store_n(hn::Mul(gradient, value), d, d_up + i, n);
  });
}

void silu_gate_backward_row(const float* y, const float* z, const float* bias, const float* d_out, float* d_y,
                            float* d_z, float* d_bias, std::size_t count) {
  const FloatTag d;
  for_vectors(d, count, [&](std::size_t i, std::size_t n) HWY_ATTR {
    FloatVec value;
    FloatVec slope;
    silu_and_slope(d, hn::Add(load_n(d, z + i, n), load_n(d, bias + i, n)), value, slope);
    const FloatVec gradient = load_n(d, d_out + i, n);
    const FloatVec to_z = hn::Mul(hn::Mul(gradient, load_n(d, y + i, n)), slope);
    store_n(hn::Mul(gradient, value), d, d_y + i, n);
    store_n(to_z, d, d_z + i, n);
    store_n(hn::Add(load_n(d, d_bias + i, n), to_z), d, d_bias + i, n);
  });
}

void discrete_log_decay_backward_row(const float* a_log, const float* d_log_decay, float* d_a_log,
                                     std::size_t count) {
  const FloatTag d;
  for_vectors(d, count, [&](std::size_t i, std::size_t n) HWY_ATTR {
    const FloatVec slope = hn::Neg(sigmoid(d, load_n(d, a_log + i, n)));
    store_n(hn::Mul(load_n(d, d_log_decay + i, n), slope), d, d_a_log + i, n);
  });
}

// d_bias and d_a_log: this row's parts are added.
void stepped_log_decay_backward_row(const float* dt_raw, const float* dt_bias, const float* a_log,
                                    const float* d_dt, const float* d_log_decay, float* d_dt_raw,
                                    float* d_dt_bias, float* d_a_log, std::size_t count) {
  const FloatTag d;
  for_vectors(d, count, [&](std::size_t i, std::size_t n) HWY_ATTR {
    const FloatVec raw = hn::Add(load_n(d, dt_raw + i, n), load_n(d, dt_bias + i, n));
    const FloatVec rate = exp(d, load_n(d, a_log + i, n));
    const FloatVec to_decay = load_n(d, d_log_decay + i, n);
    const FloatVec to_dt = hn::NegMulAdd(to_decay, rate, load_n(d, d_dt + i, n));
    const FloatVec to_raw = hn::Mul(to_dt, sigmoid(d, raw));
    store_n(to_raw, d, d_dt_raw + i, n);
    store_n(hn::Add(load_n(d, d_dt_bias + i, n), to_raw), d, d_dt_bias + i, n);
    // log_decay = -dt exp(a_log) is its own derivative by a_log.
    const FloatVec log_decay = hn::Neg(hn::Mul(softplus(d, raw), rate));
    store_n(hn::MulAdd(to_decay, log_decay, load_n(d, d_a_log + i, n)), d, d_a_log + i, n);
  });
}

}  // namespace tandem::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tandem {
HWY_EXPORT(swiglu_backward_row);
HWY_EXPORT(silu_gate_backward_row);
HWY_EXPORT(discrete_log_decay_backward_row);
HWY_EXPORT(stepped_log_decay_backward_row);

namespace {

constexpr double kExpNs = 0.6;  // one element of an op with an exponential

std::size_t width(const TensorView& x) {
  return static_cast<std::size_t>(x.extent(-1));
}

// All of the shape of the first, a matrix.
void check_rows(const char* op, std::initializer_list<TensorView> views) {
  const Shape wanted = views.begin()->shape();
  for (const TensorView& view : views)
    TANDEM_CHECK(view.rank() == 2 && view.shape() == wanted,
                 std::string(op) + ": shapes " + wanted.str() + " and " + view.shape().str());
}

void check_channels(const char* op, const TensorView& x, std::initializer_list<TensorView> views) {
  for (const TensorView& view : views)
    TANDEM_CHECK(view.shape() == Shape{x.extent(1)},
                 std::string(op) + ": " + view.shape().str() + " for rows of " + x.shape().str());
}

}  // namespace

void swiglu_backward(Context& context, TensorView gate, TensorView up, TensorView d_out, TensorView d_gate,
                     TensorView d_up) {
  check_rows("swiglu_backward", {gate, up, d_out, d_gate, d_up});
  if (DeviceQueue* queue = context.queue()) return queue->swiglu_backward(gate, up, d_out, d_gate, d_up);
  parallel_over(context, gate.extent(0), kExpNs * static_cast<double>(gate.extent(1)),
                [&](std::int64_t begin, std::int64_t end) {
                  for (std::int64_t i = begin; i < end; ++i) HWY_DYNAMIC_DISPATCH(swiglu_backward_row)
                  (gate.row(i), up.row(i), d_out.row(i), d_gate.row(i), d_up.row(i), width(gate));
                });
}

void silu_gate_backward(Context& context, TensorView y, TensorView z, TensorView bias, TensorView d_out,
                        TensorView d_y, TensorView d_z, TensorView d_bias) {
  check_rows("silu_gate_backward", {y, z, d_out, d_y, d_z});
  check_channels("silu_gate_backward", y, {bias, d_bias});
  if (DeviceQueue* queue = context.queue())
    return queue->silu_gate_backward(y, z, bias, d_out, d_y, d_z, d_bias);
  accumulate_rows(context, y.extent(0), y.extent(1), kExpNs * static_cast<double>(y.extent(1)), d_bias.f32(),
                  [&](std::int64_t i, float* partial) {
                    HWY_DYNAMIC_DISPATCH(silu_gate_backward_row)
                    (y.row(i), z.row(i), bias.f32(), d_out.row(i), d_y.row(i), d_z.row(i), partial, width(y));
                  });
}

void discrete_log_decay_backward(Context& context, TensorView a_log, TensorView d_log_decay,
                                 TensorView d_a_log) {
  check_rows("discrete_log_decay_backward", {a_log, d_log_decay, d_a_log});
  if (DeviceQueue* queue = context.queue())
    return queue->discrete_log_decay_backward(a_log, d_log_decay, d_a_log);
  parallel_over(context, a_log.extent(0), kExpNs * static_cast<double>(a_log.extent(1)),
                [&](std::int64_t begin, std::int64_t end) {
                  for (std::int64_t i = begin; i < end; ++i)
                    HWY_DYNAMIC_DISPATCH(discrete_log_decay_backward_row)
                  (a_log.row(i), d_log_decay.row(i), d_a_log.row(i), width(a_log));
                });
}

void stepped_log_decay_backward(Context& context, TensorView dt_raw, TensorView dt_bias, TensorView a_log,
                                TensorView d_dt, TensorView d_log_decay, TensorView d_dt_raw,
                                TensorView d_dt_bias, TensorView d_a_log) {
  check_rows("stepped_log_decay_backward", {dt_raw, d_dt, d_log_decay, d_dt_raw});
  check_channels("stepped_log_decay_backward", dt_raw, {dt_bias, a_log, d_dt_bias, d_a_log});
  if (DeviceQueue* queue = context.queue())
    return queue->stepped_log_decay_backward(dt_raw, dt_bias, a_log, d_dt, d_log_decay, d_dt_raw, d_dt_bias,
                                             d_a_log);
  const std::int64_t heads = dt_raw.extent(1);
  const ScratchScope scope(context);
  float* sums = context.scratch(2 * heads);  // of d_dt_bias, then of d_a_log
  std::fill_n(sums, 2 * heads, 0.0F);
  accumulate_rows(context, dt_raw.extent(0), 2 * heads, 3 * kExpNs * static_cast<double>(heads), sums,
                  [&](std::int64_t i, float* partial) {
                    HWY_DYNAMIC_DISPATCH(stepped_log_decay_backward_row)
                    (dt_raw.row(i), dt_bias.f32(), a_log.f32(), d_dt.row(i), d_log_decay.row(i),
                     d_dt_raw.row(i), partial, partial + heads, width(dt_raw));
                  });
  for (std::int64_t h = 0; h < heads; ++h) {
    d_dt_bias.f32()[h] += sums[h];
    d_a_log.f32()[h] += sums[heads + h];
  }
}

}  // namespace tandem
#endif
