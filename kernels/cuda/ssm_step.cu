#include "kernels/cuda/ssm_step.h"

#include "kernels/cuda/conv_filter.cuh"
#include "kernels/cuda/state_rows.cuh"

namespace tandem::cuda {
namespace {

constexpr int kThreads = 256;
constexpr std::int64_t kMaxState = 256;
using Part = StatePart<kThreads>;

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
  Matrix<float> windows, states, y;
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
  float keep, step;
  __device__ Decay(const StepOperands& o, int token, int head) {
    const float raw = *o.decay.at(token, head);
    step = o.dt_bias == nullptr ? 1.0F : softplus(raw + o.dt_bias[head]);
    keep = expf(o.dt_bias == nullptr ? -softplus(raw) : -step * expf(o.a_log[head]));
  }
};

/// A thread's part of some rows of a head's state: kPieces times kWidth numbers of each, lanes * kWidth
/// apart.
template <int kWidth, int kPieces>
struct StateRows {
  Floats<kWidth> at[kStateRows][kPieces];

  /// Calls visit(i, k, offset) for every piece that exists, of rows below `rows` and columns below `columns`.
  template <typename Visit>
  __device__ __forceinline__ static void each(const Part& part, int rows, int columns, const Visit& visit) {
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

/// Block (row * heads): dynamic shared memory holds x [P], b [N] and c [N] of the head, convolved.
template <int kWidth, int kPieces, int kHeld>
__global__ void __launch_bounds__(kThreads) ssm_step_kernel(StepOperands o, Filter<kHeld> filter, int lanes) {
  using Rows = StateRows<kWidth, kPieces>;
  TANDEM_DYNAMIC_SHARED(float, x);
  const float* b = x + (o.headdim + kVector - 1) / kVector * kVector;
  const float* c = b + o.dstate;
  const int token = static_cast<int>(blockIdx.x) / o.nheads;
  const int head = static_cast<int>(blockIdx.x) % o.nheads;
  const std::int64_t slot = o.slots[token];
  float* state = o.states.at(slot, std::int64_t{head} * o.headdim * o.dstate);
  Part part(lanes, 0);
  Rows s;
  const auto load_rows = [&] {
    Rows::each(part, o.headdim, o.dstate,
               [&](int i, int k, int n) { s.at[i][k] = load<kWidth>(state + part.row(i) * o.dstate + n); });
  };
  load_rows();  // on their way while the inputs are convolved
  for (int i = static_cast<int>(threadIdx.x); i < o.headdim + 2 * o.dstate; i += kThreads) {
    const int column = o.column(head, i);
    float* window = o.windows.at(slot, column);
    Floats<1> inputs[kHeld];
    load_inputs(o, filter.count(), window, token, column, inputs);
    if (!o.shared()) move_window(o, filter.count(), inputs, window);
    x[i < o.headdim ? i : static_cast<int>(b - x) + i - o.headdim] = filter.apply(inputs, column).at[0];
  }
  const Decay decay(o, token, head);
  __syncthreads();
  for (;;) {
    float sum[kStateRows] = {};
    Rows::each(part, o.headdim, o.dstate, [&](int i, int k, int n) {
      const auto key = load<kWidth>(b + n);
      const auto query = load<kWidth>(c + n);
      const float input = decay.step * x[part.row(i)];
      TANDEM_UNROLL
      for (int j = 0; j < kWidth; ++j) {
        s.at[i][k].at[j] = decay.keep * s.at[i][k].at[j] + input * key.at[j];
        sum[i] += s.at[i][k].at[j] * query.at[j];
      }
      store<kWidth>(state + part.row(i) * o.dstate + n, s.at[i][k]);
    });
    TANDEM_UNROLL
    for (int i = 0; i < kStateRows; ++i) {
      float read = neighbours_sum(sum[i], lanes);
      const int p = part.row(i);
      if (part.lane != 0 || p >= o.headdim) continue;
      const int channel = head * o.headdim + p;
      read += o.skip[head] * x[p];
      if (o.gate.data != nullptr) read *= silu(*o.gate.at(token, channel) + o.gate_bias[channel]);
      *o.y.at(token, channel) = read;
    }
    part.begin += Part::rows_of_block(lanes);
    if (part.begin >= o.headdim) return;
    load_rows();
  }
}

/// Moves the windows on after all heads have read them.
struct MoveWindows {
  Matrix<float> input, windows;
  const std::int32_t* slots;
  std::int64_t columns;
  int kept;
  template <int kWidth>
  __device__ void apply(std::int64_t row, std::int64_t c) const {
    float* window = windows.at(slots[row], c);
    for (int k = 0; k < kept; ++k) {
      store<kWidth>(window + k * columns,
                    load<kWidth>(k + 1 < kept ? window + (k + 1) * columns : input.at(row, c)));
    }
  }
};

StepOperands step_operands(const SsmStep& s, TensorView windows, TensorView states,
                           std::span<const std::int32_t> slots, TensorView y) {
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
  o.states = matrix(states);
  o.y = matrix(y);
  o.slots = slots.data();
  return o;
}

template <int kWidth, int kPieces>
void launch_step(Stream& stream, const SsmStep& s, const StepOperands& o, std::int64_t rows, int lanes) {
  const std::int64_t padded = ceil_div(o.headdim, kVector) * kVector;
  const std::int64_t shared_bytes = (padded + 2 * o.dstate) * element_bytes(DType::F32);
  const Grid grid = {rows * o.nheads};
  if (s.conv_weight.extent(1) == kTaps) {
    launch(stream, ssm_step_kernel<kWidth, kPieces, kTaps>, grid, Block{kThreads}, shared_bytes, o,
           make_filter<kTaps>(s.conv_weight, s.conv_bias, s.activation), lanes);
  } else {
    launch(stream, ssm_step_kernel<kWidth, kPieces, kMaxTaps>, grid, Block{kThreads}, shared_bytes, o,
           make_filter<kMaxTaps>(s.conv_weight, s.conv_bias, s.activation), lanes);
  }
}

}  // namespace

void ssm_step(Stream& stream, const SsmStep& s, TensorView windows, TensorView states,
              std::span<const std::int32_t> slots, TensorView y) {
  check_ssm_step(s, windows, states, slots, y);
  const SsdOperands& h = s.heads;
  TANDEM_CHECK(h.dstate <= kMaxState && s.conv_weight.extent(1) <= kMaxTaps,
               "ssm_step: states of " + std::to_string(h.dstate) + ", filter " + s.conv_weight.shape().str());
  const StepOperands o = step_operands(s, windows, states, slots, y);
  const bool wide = vectorizable(states) && h.dstate % kVector == 0;
  const int lanes = state_lanes(h.dstate, wide ? kVector : 1);
  const auto run = !wide                         ? launch_step<1, kMaxState / kWarp>
                   : h.dstate <= lanes * kVector ? launch_step<kVector, 1>
                                                 : launch_step<kVector, 2>;
  run(stream, s, o, std::ssize(slots), lanes);
  if (h.x_heads == h.nheads && h.b_heads == h.nheads && h.c_heads == h.nheads) return;
  launch_rowwise(stream, s.input.extent(0), s.input.extent(1), vectorizable(s.input, windows),
                 MoveWindows{matrix(s.input), matrix(windows), slots.data(), s.input.extent(1),
                             static_cast<int>(s.conv_weight.extent(1)) - 1});
}

}  // namespace tandem::cuda
