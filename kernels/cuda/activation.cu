#include "kernels/cuda/activation.h"

#include "kernels/cuda/rowwise.cuh"

namespace tandem::cuda {
namespace {

struct Swiglu {
  Matrix<float> gate, up, out;
  template <int kWidth>
  __device__ void apply(std::int64_t row, std::int64_t c) const {
    auto values = load<kWidth>(gate.at(row, c));
    const auto factors = load<kWidth>(up.at(row, c));
    for (int i = 0; i < kWidth; ++i) values.at[i] = silu(values.at[i]) * factors.at[i];
    store<kWidth>(out.at(row, c), values);
  }
};

struct SiluGate {
  Matrix<float> y, z;
  const float* bias;
  template <int kWidth>
  __device__ void apply(std::int64_t row, std::int64_t c) const {
    auto values = load<kWidth>(y.at(row, c));
    const auto gates = load<kWidth>(z.at(row, c));
    const auto biases = load<kWidth>(bias + c);
    for (int i = 0; i < kWidth; ++i) values.at[i] *= silu(gates.at[i] + biases.at[i]);
    store<kWidth>(y.at(row, c), values);
  }
};

struct DiscreteLogDecay {
  Matrix<float> a_log, log_decay;
  template <int kWidth>
  __device__ void apply(std::int64_t row, std::int64_t c) const {
    auto values = load<kWidth>(a_log.at(row, c));
    for (int i = 0; i < kWidth; ++i) values.at[i] = -softplus(values.at[i]);
    store<kWidth>(log_decay.at(row, c), values);
  }
};

struct SteppedLogDecay {
  Matrix<float> dt_raw;
  const float* dt_bias;
  const float* a_log;
  Matrix<float> dt, log_decay;
  template <int kWidth>
  __device__ void apply(std::int64_t row, std::int64_t c) const {
    auto steps = load<kWidth>(dt_raw.at(row, c));
    const auto biases = load<kWidth>(dt_bias + c);
    auto decays = load<kWidth>(a_log + c);
    for (int i = 0; i < kWidth; ++i) {
      steps.at[i] = softplus(steps.at[i] + biases.at[i]);
      decays.at[i] = -steps.at[i] * expf(decays.at[i]);
    }
    store<kWidth>(dt.at(row, c), steps);
    store<kWidth>(log_decay.at(row, c), decays);
  }
};

struct StepSizes {
  Matrix<float> dt_raw;
  const float* dt_bias;
  Matrix<float> dt;
  template <int kWidth>
  __device__ void apply(std::int64_t row, std::int64_t c) const {
    auto steps = load<kWidth>(dt_raw.at(row, c));
    const auto biases = load<kWidth>(dt_bias + c);
    for (int i = 0; i < kWidth; ++i) steps.at[i] = softplus(steps.at[i] + biases.at[i]);
    store<kWidth>(dt.at(row, c), steps);
  }
};

struct Add {
  Matrix<float> x, y;
  template <int kWidth>
  __device__ void apply(std::int64_t row, std::int64_t c) const {
    auto values = load<kWidth>(y.at(row, c));
    const auto others = load<kWidth>(x.at(row, c));
    for (int i = 0; i < kWidth; ++i) values.at[i] += others.at[i];
    store<kWidth>(y.at(row, c), values);
  }
};

void check_same(const TensorView& a, const TensorView& b, const char* op) {
  TANDEM_CHECK(a.rank() == 2 && a.shape() == b.shape(),
               std::string(op) + ": shapes " + a.shape().str() + " and " + b.shape().str());
}

void check_per_channel(const TensorView& x, const TensorView& channel, const char* op) {
  TANDEM_CHECK(channel.shape() == Shape{x.extent(1)},
               std::string(op) + ": " + channel.shape().str() + " for rows of " + x.shape().str());
}

}  // namespace

void swiglu(Stream& stream, TensorView gate, TensorView up, TensorView out) {
  check_same(gate, up, "swiglu");
  check_same(gate, out, "swiglu");
  launch_rowwise(stream, gate.extent(0), gate.extent(1), vectorizable(gate, up, out),
                 Swiglu{matrix(gate), matrix(up), matrix(out)});
}

void silu_gate(Stream& stream, TensorView y, TensorView z, TensorView bias) {
  check_same(y, z, "silu_gate");
  check_per_channel(y, bias, "silu_gate");
  launch_rowwise(stream, y.extent(0), y.extent(1), vectorizable(y, z, bias),
                 SiluGate{matrix(y), matrix(z), bias.f32()});
}

void discrete_log_decay(Stream& stream, TensorView a_log, TensorView log_decay) {
  check_same(a_log, log_decay, "discrete_log_decay");
  launch_rowwise(stream, a_log.extent(0), a_log.extent(1), vectorizable(a_log, log_decay),
                 DiscreteLogDecay{matrix(a_log), matrix(log_decay)});
}

void stepped_log_decay(Stream& stream, TensorView dt_raw, TensorView dt_bias, TensorView a_log, TensorView dt,
                       TensorView log_decay) {
  check_same(dt_raw, dt, "stepped_log_decay");
  check_same(dt_raw, log_decay, "stepped_log_decay");
  check_per_channel(dt_raw, dt_bias, "stepped_log_decay");
  check_per_channel(dt_raw, a_log, "stepped_log_decay");
  launch_rowwise(stream, dt.extent(0), dt.extent(1), vectorizable(dt_raw, dt_bias, a_log, dt, log_decay),
                 SteppedLogDecay{matrix(dt_raw), dt_bias.f32(), a_log.f32(), matrix(dt), matrix(log_decay)});
}

void step_sizes(Stream& stream, TensorView dt_raw, TensorView dt_bias, TensorView dt) {
  check_same(dt_raw, dt, "step_sizes");
  check_per_channel(dt_raw, dt_bias, "step_sizes");
  launch_rowwise(stream, dt.extent(0), dt.extent(1), vectorizable(dt_raw, dt_bias, dt),
                 StepSizes{matrix(dt_raw), dt_bias.f32(), matrix(dt)});
}

void add(Stream& stream, TensorView x, TensorView y) {
  check_same(x, y, "add");
  launch_rowwise(stream, y.extent(0), y.extent(1), vectorizable(x, y), Add{matrix(x), matrix(y)});
}

}  // namespace tandem::cuda
