#include "kernels/cuda/ssm_step.cuh"

namespace tandem::cuda {
namespace {

/// Block (row * heads): dynamic shared memory holds x [P], b [N] and c [N] of the head, convolved.
template <int kWidth, int kPieces, int kHeld, typename Element>
__global__ void __launch_bounds__(kStepThreads)
    ssm_step_kernel(StepOperands o, Matrix<Element> states, Filter<kHeld> filter, int lanes) {
  using Rows = StateRows<kWidth, kPieces>;
  TANDEM_DYNAMIC_SHARED(float, x);
  const float* b = x + (o.headdim + kVector - 1) / kVector * kVector;
  const float* c = b + o.dstate;
  const int token = static_cast<int>(blockIdx.x) / o.nheads;
  const int head = static_cast<int>(blockIdx.x) % o.nheads;
  const std::int64_t slot = o.slots[token];
  Element* state = states.at(slot, std::int64_t{head} * o.headdim * o.dstate);
  StatePart<kStepThreads> part(lanes, 0);
  Rows s;
  const auto load_rows = [&] {
    Rows::each(part, o.headdim, o.dstate,
               [&](int i, int k, int n) { s.at[i][k] = load<kWidth>(state + part.row(i) * o.dstate + n); });
  };
  load_rows();  // on their way while the inputs are convolved
  for (int i = static_cast<int>(threadIdx.x); i < o.headdim + 2 * o.dstate; i += kStepThreads) {
    const int column = o.column(head, i);
    float* window = o.windows.at(slot, column);
    Floats<1> inputs[kHeld];
    load_inputs(o, filter.count(), window, token, column, inputs);
    if (!o.shared()) move_window(o, filter.count(), inputs, window);
    x[i < o.headdim ? i : static_cast<int>(b - x) + i - o.headdim] = filter.apply(inputs, column).at[0];
  }
  const Decay decay(o, token, head);
  const float keep = expf(decay.log_keep);
  __syncthreads();
  for (;;) {
    float sum[kStateRows] = {};
    Rows::each(part, o.headdim, o.dstate, [&](int i, int k, int n) {
      const auto key = load<kWidth>(b + n);
      const auto query = load<kWidth>(c + n);
      const float input = decay.step * x[part.row(i)];
      TANDEM_UNROLL
      for (int j = 0; j < kWidth; ++j) {
        s.at[i][k].at[j] = keep * s.at[i][k].at[j] + input * key.at[j];
        sum[i] += s.at[i][k].at[j] * query.at[j];
      }
      store<kWidth>(state + part.row(i) * o.dstate + n, s.at[i][k]);
    });
    TANDEM_UNROLL
    for (int i = 0; i < kStateRows; ++i) {
      const float read = neighbours_sum(sum[i], lanes);
      const int p = part.row(i);
      if (part.lane == 0 && p < o.headdim) write_channel(o, token, head, p, read, x[p]);
    }
    part.begin += StatePart<kStepThreads>::rows_of_block(lanes);
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

template <typename Element>
void launch_step(Stream& stream, const SsmStep& s, const StepOperands& o, TensorView states) {
  const std::int64_t padded = ceil_div(o.headdim, kVector) * kVector;
  const std::int64_t shared_bytes = (padded + 2 * o.dstate) * element_bytes(DType::F32);
  for_step_sizes(s, states, [&]<int kWidth, int kPieces, int kHeld>(const Filter<kHeld>& filter, int lanes) {
    launch(stream, ssm_step_kernel<kWidth, kPieces, kHeld, Element>, Grid{s.input.extent(0) * o.nheads},
           Block{kStepThreads}, shared_bytes, o, matrix_of<Element>(states), filter, lanes);
  });
}

}  // namespace

void ssm_step(Stream& stream, const SsmStep& s, TensorView windows, TensorView states,
              std::span<const std::int32_t> slots, TensorView y) {
  check_ssm_step(s, windows, states, slots, y);
  const SsdOperands& h = s.heads;
  TANDEM_CHECK(s.conv_weight.extent(1) <= kMaxTaps, "ssm_step: filter " + s.conv_weight.shape().str());
  const StepOperands o = step_operands(s, windows, slots, y);
  if (s.ring.length > 1) {
    ssm_step_replayed(stream, s, o, states);
  } else {
    const auto run = states.dtype() == DType::F32 ? launch_step<float> : launch_step<BFloat16>;
    run(stream, s, o, states);
  }
  if (h.x_heads == h.nheads && h.b_heads == h.nheads && h.c_heads == h.nheads) return;
  launch_rowwise(stream, s.input.extent(0), s.input.extent(1), vectorizable(s.input, windows),
                 MoveWindows{matrix(s.input), matrix(windows), slots.data(), s.input.extent(1),
                             static_cast<int>(s.conv_weight.extent(1)) - 1});
}

}  // namespace tandem::cuda
