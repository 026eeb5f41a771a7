#include "kernels/ops/activation.h"

#include "kernels/base/parallel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/ops/activation.cpp"
#include <hwy/foreach_target.h>

#include "kernels/ops/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tandem::HWY_NAMESPACE {

void swiglu_row(const float* gate, const float* up, float* out, std::size_t count) {
  const FloatTag d;
  for_vectors(d, count, [&](std::size_t i, std::size_t n) HWY_ATTR {
    store_n(hn::Mul(silu(d, load_n(d, gate + i, n)), load_n(d, up + i, n)), d, out + i, n);
  });
}

void silu_gate_row(float* y, const float* z, const float* bias, std::size_t count) {
  const FloatTag d;
  for_vectors(d, count, [&](std::size_t i, std::size_t n) HWY_ATTR {
    const FloatVec gate = silu(d, hn::Add(load_n(d, z + i, n), load_n(d, bias + i, n)));
    store_n(hn::Mul(load_n(d, y + i, n), gate), d, y + i, n);
  });
}

void discrete_log_decay_row(const float* a_log, float* log_decay, std::size_t count) {
  const FloatTag d;
  for_vectors(d, count, [&](std::size_t i, std::size_t n) HWY_ATTR {
    store_n(hn::Neg(softplus(d, load_n(d, a_log + i, n))), d, log_decay + i, n);
  });
}

void stepped_log_decay_row(const float* dt_raw, const float* dt_bias, const float* a_log, float* dt,
                           float* log_decay, std::size_t count) {
  const FloatTag d;
  for_vectors(d, count, [&](std::size_t i, std::size_t n) HWY_ATTR {
    const FloatVec step = softplus(d, hn::Add(load_n(d, dt_raw + i, n), load_n(d, dt_bias + i, n)));
    store_n(step, d, dt + i, n);
    store_n(hn::Neg(hn::Mul(step, exp(d, load_n(d, a_log + i, n)))), d, log_decay + i, n);
  });
}

void step_sizes_row(const float* dt_raw, const float* dt_bias, float* dt, std::size_t count) {
  const FloatTag d;
  for_vectors(d, count, [&](std::size_t i, std::size_t n) HWY_ATTR {
    store_n(softplus(d, hn::Add(load_n(d, dt_raw + i, n), load_n(d, dt_bias + i, n))), d, dt + i, n);
  });
}

void add_row(const float* x, float* y, std::size_t count) {
  const FloatTag d;
  for_vectors(d, count, [&](std::size_t i, std::size_t n) HWY_ATTR {
    store_n(hn::Add(load_n(d, y + i, n), load_n(d, x + i, n)), d, y + i, n);
  });
}

}  // namespace tandem::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tandem {
HWY_EXPORT(swiglu_row);
HWY_EXPORT(silu_gate_row);
HWY_EXPORT(discrete_log_decay_row);
HWY_EXPORT(stepped_log_decay_row);
HWY_EXPORT(step_sizes_row);
HWY_EXPORT(add_row);

namespace {
constexpr double kExpNs = 0.4;  // one element of an op with an exponential
constexpr double kAddNs = 0.1;

std::size_t width(const TensorView& x) {
  return static_cast<std::size_t>(x.extent(-1));
}

void check_same(const TensorView& a, const TensorView& b, const char* op) {
  TANDEM_CHECK(a.rank() == 2 && a.shape() == b.shape(),
               std::string(op) + ": shapes " + a.shape().str() + " and " + b.shape().str());
}

void check_per_channel(const TensorView& x, const TensorView& channel, const char* op) {
  TANDEM_CHECK(channel.shape() == Shape{x.extent(1)},
               std::string(op) + ": " + channel.shape().str() + " for rows of " + x.shape().str());
}

}  // namespace

void swiglu(Context& context, TensorView gate, TensorView up, TensorView out) {
  check_same(gate, up, "swiglu");
  check_same(gate, out, "swiglu");
  if (DeviceQueue* queue = context.queue()) return queue->swiglu(gate, up, out);
  parallel_over(context, gate.extent(0), kExpNs * static_cast<double>(gate.extent(1)),
                [&](std::int64_t begin, std::int64_t end) {
                  for (std::int64_t i = begin; i < end; ++i) {
                    HWY_DYNAMIC_DISPATCH(swiglu_row)(gate.row(i), up.row(i), out.row(i), width(gate));
                  }
                });
}

void silu_gate(Context& context, TensorView y, TensorView z, TensorView bias) {
  check_same(y, z, "silu_gate");
  check_per_channel(y, bias, "silu_gate");
  if (DeviceQueue* queue = context.queue()) return queue->silu_gate(y, z, bias);
  parallel_over(context, y.extent(0), kExpNs * static_cast<double>(y.extent(1)),
                [&](std::int64_t begin, std::int64_t end) {
                  for (std::int64_t i = begin; i < end; ++i) {
                    HWY_DYNAMIC_DISPATCH(silu_gate_row)(y.row(i), z.row(i), bias.f32(), width(y));
                  }
                });
}

void discrete_log_decay(Context& context, TensorView a_log, TensorView log_decay) {
  check_same(a_log, log_decay, "discrete_log_decay");
  if (DeviceQueue* queue = context.queue()) return queue->discrete_log_decay(a_log, log_decay);
  parallel_over(context, a_log.extent(0), 2 * kExpNs * static_cast<double>(a_log.extent(1)),
                [&](std::int64_t begin, std::int64_t end) {
                  for (std::int64_t i = begin; i < end; ++i) {
                    HWY_DYNAMIC_DISPATCH(discrete_log_decay_row)
                    (a_log.row(i), log_decay.row(i), width(a_log));
                  }
                });
}

void stepped_log_decay(Context& context, TensorView dt_raw, TensorView dt_bias, TensorView a_log,
                       TensorView dt, TensorView log_decay) {
  check_same(dt_raw, dt, "stepped_log_decay");
  check_same(dt_raw, log_decay, "stepped_log_decay");
  check_per_channel(dt_raw, dt_bias, "stepped_log_decay");
  check_per_channel(dt_raw, a_log, "stepped_log_decay");
  if (DeviceQueue* queue = context.queue())
    return queue->stepped_log_decay(dt_raw, dt_bias, a_log, dt, log_decay);
  parallel_over(context, dt.extent(0), 3 * kExpNs * static_cast<double>(dt.extent(1)),
                [&](std::int64_t begin, std::int64_t end) {
                  for (std::int64_t i = begin; i < end; ++i) {
                    HWY_DYNAMIC_DISPATCH(stepped_log_decay_row)
                    (dt_raw.row(i), dt_bias.f32(), a_log.f32(), dt.row(i), log_decay.row(i), width(dt));
                  }
                });
}

void step_sizes(Context& context, TensorView dt_raw, TensorView dt_bias, TensorView dt) {
  check_same(dt_raw, dt, "step_sizes");
  check_per_channel(dt_raw, dt_bias, "step_sizes");
  if (DeviceQueue* queue = context.queue()) return queue->step_sizes(dt_raw, dt_bias, dt);
  parallel_over(context, dt.extent(0), 2 * kExpNs * static_cast<double>(dt.extent(1)),
                [&](std::int64_t begin, std::int64_t end) {
                  for (std::int64_t i = begin; i < end; ++i) {
                    HWY_DYNAMIC_DISPATCH(step_sizes_row)(dt_raw.row(i), dt_bias.f32(), dt.row(i), width(dt));
                  }
                });
}

void add(Context& context, TensorView x, TensorView y) {
  check_same(x, y, "add");
  if (DeviceQueue* queue = context.queue()) return queue->add(x, y);
  parallel_over(context, y.extent(0), kAddNs * static_cast<double>(y.extent(1)),
                [&](std::int64_t begin, std::int64_t end) {
                  for (std::int64_t i = begin; i < end; ++i) {
                    HWY_DYNAMIC_DISPATCH(add_row)(x.row(i), y.row(i), width(y));
                  }
                });
}

}  // namespace tandem
#endif
