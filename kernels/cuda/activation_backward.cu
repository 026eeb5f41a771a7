#include "kernels/cuda/activation_backward.h"

#include "kernels/cuda/columnwise.cuh"
#include "kernels/cuda/silu_slope.cuh"

namespace tandem::cuda {
namespace {

struct SwigluBackward {
  Matrix<float> gate, up, d_out, d_gate, d_up;
  template <int kWidth>
  __device__ void apply(std::int64_t row, std::int64_t c) const {
    auto gates = load<kWidth>(gate.at(row, c));
    auto factors = load<kWidth>(up.at(row, c));
    const auto gradients = load<kWidth>(d_out.at(row, c));
    for (int i = 0; i < kWidth; ++i) {
      const SiluSlope silu = silu_slope(gates.at[i]);
      gates.at[i] = gradients.at[i] * factors.at[i] * silu.slope;
      factors.at[i] = gradients.at[i] * silu.value;
    }
    store<kWidth>(d_gate.at(row, c), gates);
    store<kWidth>(d_up.at(row, c), factors);
  }
};

struct SiluGateBackward {
  Matrix<float> y, z;
  const float* bias;
  Matrix<float> d_out, d_y, d_z;
  __device__ void apply(std::int64_t row, std::int64_t c, float (&sums)[1]) const {
    const SiluSlope silu = silu_slope(*z.at(row, c) + bias[c]);
    const float gradient = *d_out.at(row, c);
    const float to_z = gradient * *y.at(row, c) * silu.slope;
    *d_y.at(row, c) = gradient * silu.value;
    *d_z.at(row, c) = to_z;
    sums[0] += to_z;
  }
};

struct DiscreteLogDecayBackward {
  Matrix<float> a_log, d_log_decay, d_a_log;
  template <int kWidth>
  __device__ void apply(std::int64_t row, std::int64_t c) const {
    auto values = load<kWidth>(a_log.at(row, c));
    const auto gradients = load<kWidth>(d_log_decay.at(row, c));
    for (int i = 0; i < kWidth; ++i) values.at[i] = -gradients.at[i] * sigmoid(values.at[i]);
    store<kWidth>(d_a_log.at(row, c), values);
  }
};

struct SteppedLogDecayBackward {
  Matrix<float> dt_raw;
  const float* dt_bias;
  const float* a_log;
  Matrix<float> d_dt, d_log_decay, d_dt_raw;
  /// sums: of d_dt_bias, then of d_a_log.
  __device__ void apply(std::int64_t row, std::int64_t c, float (&sums)[2]) const {
    const float raw = *dt_raw.at(row, c) + dt_bias[c];
    const float rate = expf(a_log[c]);
    const float to_decay = *d_log_decay.at(row, c);
    const float to_raw = (*d_dt.at(row, c) - to_decay * rate) * sigmoid(raw);
    *d_dt_raw.at(row, c) = to_raw;
    sums[0] += to_raw;
    sums[1] -= to_decay * softplus(raw) * rate;  // log_decay = -dt exp(a_log) is its own derivative by a_log
  }
};

/// All of the shape of the first, a matrix.
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

void swiglu_backward(Stream& stream, TensorView gate, TensorView up, TensorView d_out, TensorView d_gate,
                     TensorView d_up) {
  check_rows("swiglu_backward", {gate, up, d_out, d_gate, d_up});
  launch_rowwise(stream, gate.extent(0), gate.extent(1), vectorizable(gate, up, d_out, d_gate, d_up),
                 SwigluBackward{matrix(gate), matrix(up), matrix(d_out), matrix(d_gate), matrix(d_up)});
}

std::int64_t silu_gate_backward_scratch(TensorView y) {
  return columnwise_scratch(y.extent(0), y.extent(1), 1);
}

void silu_gate_backward(Stream& stream, TensorView y, TensorView z, TensorView bias, TensorView d_out,
                        TensorView d_y, TensorView d_z, TensorView d_bias, TensorView scratch) {
  check_rows("silu_gate_backward", {y, z, d_out, d_y, d_z});
  check_channels("silu_gate_backward", y, {bias, d_bias});
  check_scratch(scratch, silu_gate_backward_scratch(y), "silu_gate_backward");
  launch_columnwise<1>(
      stream, y.extent(0), y.extent(1),
      SiluGateBackward{matrix(y), matrix(z), bias.f32(), matrix(d_out), matrix(d_y), matrix(d_z)},
      scratch.f32(), {{{d_bias.f32()}}});
}

void discrete_log_decay_backward(Stream& stream, TensorView a_log, TensorView d_log_decay,
                                 TensorView d_a_log) {
  check_rows("discrete_log_decay_backward", {a_log, d_log_decay, d_a_log});
  launch_rowwise(stream, a_log.extent(0), a_log.extent(1), vectorizable(a_log, d_log_decay, d_a_log),
                 DiscreteLogDecayBackward{matrix(a_log), matrix(d_log_decay), matrix(d_a_log)});
}

std::int64_t stepped_log_decay_backward_scratch(TensorView dt_raw) {
  return columnwise_scratch(dt_raw.extent(0), dt_raw.extent(1), 2);
}

void stepped_log_decay_backward(Stream& stream, TensorView dt_raw, TensorView dt_bias, TensorView a_log,
                                TensorView d_dt, TensorView d_log_decay, TensorView d_dt_raw,
                                TensorView d_dt_bias, TensorView d_a_log, TensorView scratch) {
  check_rows("stepped_log_decay_backward", {dt_raw, d_dt, d_log_decay, d_dt_raw});
  check_channels("stepped_log_decay_backward", dt_raw, {dt_bias, a_log, d_dt_bias, d_a_log});
  check_scratch(scratch, stepped_log_decay_backward_scratch(dt_raw), "stepped_log_decay_backward");
  launch_columnwise<2>(stream, dt_raw.extent(0), dt_raw.extent(1),
                       SteppedLogDecayBackward{matrix(dt_raw), dt_bias.f32(), a_log.f32(), matrix(d_dt),
                                               matrix(d_log_decay), matrix(d_dt_raw)},
                       scratch.f32(), {{{d_dt_bias.f32()}, {d_a_log.f32()}}});
}

}  // namespace tandem::cuda
