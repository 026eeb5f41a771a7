// What the kernels of one Mamba-2 decode step share: operands, convolution, decay, and a thread's part of a
// state.
#pragma once

#include "kernels/cuda/conv_filter.cuh"
#include "kernels/cuda/ssm_step.h"
#include "kernels/cuda/state_rows.cuh"

namespace tandem::cuda {

inline constexpr int kStepThreads = 256;
inline constexpr std::int64_t kMaxState = 256;
inline constexpr std::int64_t kMaxOddState = 128;  // read number by number

/// SsmStep as kernels take it, and what the step changes.
struct StepOperands {
  int nheads, headdim, dstate;
  int x_share, b_share, c_share;  // heads that read one head of x, b, c
  int b_begin, c_begin, columns;  // of the input
  Matrix<float> input, decay;
  const float* dt_bias;  // or null, with a_log: no step size
  const float* a_log;
  const float* skip;
  Matrix<float> gate;  // or null
  const float* gate_bias;
  Matrix<float> windows, y;
  const std::int32_t* slots;

  /// Column of the input whose convolution is number i of what a head reads: x [P], b [N], c [N].
  __device__ int column(int head, int i) const {
    if (i < headdim) return head / x_share * headdim + i;
    if (i < headdim + dstate) return b_begin + head / b_share * dstate + i - headdim;
    return c_begin + head / c_share * dstate + i - headdim - dstate;
  }
  __device__ bool shared() const { return x_share * b_share * c_share > 1; }
};

/// The last inputs of one column, the token's own included, oldest first.
template <int kHeld>
__device__ __forceinline__ void load_inputs(const StepOperands& o, int taps, const float* window, int token,
                                            int column, Floats<1> (&inputs)[kHeld]) {
  TANDEM_UNROLL
  for (int k = 0; k < kHeld; ++k) {
    if (k < taps) inputs[k] = load<1>(k < taps - 1 ? window + k * o.columns : o.input.at(token, column));
  }
}
template <int kHeld>
__device__ __forceinline__ void move_window(const StepOperands& o, int taps, const Floats<1> (&inputs)[kHeld],
                                            float* window) {
  TANDEM_UNROLL
  for (int k = 1; k < kHeld; ++k) {
    if (k < taps) store<1>(window + (k - 1) * o.columns, inputs[k]);
  }
}

/// How much of a state a token keeps, and the weight of what it adds.
struct Decay {
  float log_keep, step;
  __device__ Decay(const StepOperands& o, int token, int head) {
    const float raw = *o.decay.at(token, head);
    step = o.dt_bias == nullptr ? 1.0F : softplus(raw + o.dt_bias[head]);
    log_keep = o.dt_bias == nullptr ? -softplus(raw) : -step * expf(o.a_log[head]);
  }
};

/// A thread's part of some rows of a head's state: kPieces times kWidth numbers of each, lanes * kWidth
/// apart.
template <int kWidth, int kPieces>
struct StateRows {
  Floats<kWidth> at[kStateRows][kPieces];

  /// Calls visit(i, k, offset) for every piece that exists, of rows below `rows` and columns below `columns`.
  template <typename Visit>
  __device__ __forceinline__ static void each(const StatePart<kStepThreads>& part, int rows, int columns,
                                              const Visit& visit) {
    TANDEM_UNROLL
    for (int i = 0; i < kStateRows; ++i) {
      TANDEM_UNROLL
      for (int k = 0; k < kPieces; ++k) {
        const int n = (part.lane + k * part.lanes) * kWidth;
        if (part.row(i) < rows && n < columns) visit(i, k, n);
      }
    }
  }
};

/// What channel p of a head reads in the end: y = (read + skip x) gate.
__device__ __forceinline__ void write_channel(const StepOperands& o, int token, int head, int p, float read,
                                              float x) {
  const int channel = head * o.headdim + p;
  read += o.skip[head] * x;
  if (o.gate.data != nullptr) read *= silu(*o.gate.at(token, channel) + o.gate_bias[channel]);
  *o.y.at(token, channel) = read;
}

/// Everything but the states.
inline StepOperands step_operands(const SsmStep& s, TensorView windows, std::span<const std::int32_t> slots,
                                  TensorView y) {
  const SsdOperands& h = s.heads;
  const auto number = [](std::int64_t n) { return static_cast<int>(n); };
  StepOperands o;
  o.nheads = number(h.nheads);
  o.headdim = number(h.headdim);
  o.dstate = number(h.dstate);
  o.x_share = number(h.nheads / h.x_heads);
  o.b_share = number(h.nheads / h.b_heads);
  o.c_share = number(h.nheads / h.c_heads);
  o.b_begin = number(h.x_heads * h.headdim);
  o.c_begin = o.b_begin + number(h.b_heads * h.dstate);
  o.columns = number(s.input.extent(1));
  o.input = matrix(s.input);
  o.decay = matrix(s.decay);
  o.dt_bias = s.dt_bias.empty() ? nullptr : s.dt_bias.f32();
  o.a_log = s.a_log.empty() ? nullptr : s.a_log.f32();
  o.skip = h.skip.f32();
  o.gate = matrix_or_null(s.gate);
  o.gate_bias = s.gate_bias.empty() ? nullptr : s.gate_bias.f32();
  o.windows = matrix(windows);
  o.y = matrix(y);
  o.slots = slots.data();
  return o;
}

/// Calls run<kWidth, kPieces>(filter, lanes) with the sizes that a kernel for these states and this filter is
/// made for: numbers read at a time, pieces of a row that a thread holds, taps, and lanes that share a row.
template <typename Run>
void for_step_sizes(const SsmStep& s, const TensorView& states, const Run& run) {
  const std::int64_t dstate = s.heads.dstate;
  const bool wide = vectorizable(states) && dstate % kVector == 0;
  TANDEM_CHECK(dstate <= (wide ? kMaxState : kMaxOddState), "ssm_step: states of " + std::to_string(dstate));
  const int lanes = state_lanes(dstate, wide ? kVector : 1);
  const auto with = [&](const auto& filter) {
    if (!wide) {
      run.template operator()<1, kMaxOddState / kWarp>(filter, lanes);
    } else if (dstate <= lanes * kVector) {
      run.template operator()<kVector, 1>(filter, lanes);
    } else {
      run.template operator()<kVector, 2>(filter, lanes);
    }
  };
  if (s.conv_weight.extent(1) == kTaps) {
    with(make_filter<kTaps>(s.conv_weight, s.conv_bias, s.activation));
  } else {
    with(make_filter<kMaxTaps>(s.conv_weight, s.conv_bias, s.activation));
  }
}

/// The step with replayed writes, beside ssm_step(), which checks the operands and moves shared windows on.
void ssm_step_replayed(Stream& stream, const SsmStep& step, const StepOperands& operands, TensorView states);

}  // namespace tandem::cuda
