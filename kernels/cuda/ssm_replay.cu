#include "kernels/cuda/ssm_step.cuh"

namespace tandem::cuda {
namespace {

constexpr int kMaxRing = 16;
constexpr int kWarps = kStepThreads / kWarp;

/// StateRing as kernels take it. An input has the columns of x and b of SsmStep's input.
struct Ring {
  Matrix<float> inputs, decays;
  const std::int32_t* positions;
  int first, length;
};

/// Block (row * heads). With tokens 0 to `held` since the state S was written, `held` being the new one, and
/// decay(j, t) what a token after j left of its input until t:
///   y = decay(S, held) S C + sum over j of decay(j, held) step_j (B_j . C) x_j.
/// Dynamic shared memory: x [length, P padded], b [length, N] of those tokens, c [N].
template <int kWidth, int kPieces, int kHeld, typename Element>
__global__ void __launch_bounds__(kStepThreads, 2)
    ssm_replay_kernel(StepOperands o, Matrix<Element> states, Ring ring, Filter<kHeld> filter, int lanes) {
  using Rows = StateRows<kWidth, kPieces>;
  TANDEM_DYNAMIC_SHARED(float, x);
  TANDEM_SHARED(float, log_keep, kMaxRing);
  TANDEM_SHARED(float, input_weight, kMaxRing);  // of x_j B_j^T in the state
  TANDEM_SHARED(float, read_weight, kMaxRing);   // of x_j in what is read
  const int x_stride = (o.headdim + kVector - 1) / kVector * kVector;
  float* b = x + ring.length * x_stride;
  float* c = b + ring.length * o.dstate;
  const int token = static_cast<int>(blockIdx.x) / o.nheads;
  const int head = static_cast<int>(blockIdx.x) % o.nheads;
  const int thread = static_cast<int>(threadIdx.x);
  const std::int64_t slot = o.slots[token];
  const int held = (ring.positions[token] - ring.first) % ring.length;
  const bool writes = held + 1 == ring.length;
  Element* state = states.at(slot, std::int64_t{head} * o.headdim * o.dstate);
  StatePart<kStepThreads> part(lanes, 0);
  Rows s;
  const auto load_rows = [&] {
    Rows::each(part, o.headdim, o.dstate,
               [&](int i, int k, int n) { s.at[i][k] = load<kWidth>(state + part.row(i) * o.dstate + n); });
  };
  load_rows();                             // on their way while the inputs are gathered
  const int width = o.headdim + o.dstate;  // of what a head keeps of a token
  for (int i = thread; i < width + o.dstate; i += kStepThreads) {
    const int column = o.column(head, i);
    float* window = o.windows.at(slot, column);
    Floats<1> inputs[kHeld];
    load_inputs(o, filter.count(), window, token, column, inputs);
    if (!o.shared()) move_window(o, filter.count(), inputs, window);
    const float value = filter.apply(inputs, column).at[0];
    if (i >= width) {
      c[i - width] = value;
      continue;
    }
    (i < o.headdim ? x[held * x_stride + i] : b[held * o.dstate + i - o.headdim]) = value;
    const bool first_reader = head % (i < o.headdim ? o.x_share : o.b_share) == 0;
    if (!writes && first_reader) *ring.inputs.at(slot, held * o.c_begin + column) = value;
  }
  for (int at = thread; at < held * width; at += kStepThreads) {
    const int j = at / width;
    const int i = at % width;
    (i < o.headdim ? x[j * x_stride + i] : b[j * o.dstate + i - o.headdim]) =
        *ring.inputs.at(slot, j * o.c_begin + o.column(head, i));
  }
  if (thread < held) {
    log_keep[thread] = *ring.decays.at(slot, 2 * thread * o.nheads + head);
    input_weight[thread] = *ring.decays.at(slot, (2 * thread + 1) * o.nheads + head);
  } else if (thread == held) {
    const Decay decay(o, token, head);
    log_keep[held] = decay.log_keep;
    input_weight[held] = decay.step;
    if (!writes) {
      *ring.decays.at(slot, 2 * held * o.nheads + head) = decay.log_keep;
      *ring.decays.at(slot, (2 * held + 1) * o.nheads + head) = decay.step;
    }
  }
  __syncthreads();
  for (int j = thread / kWarp; j <= held; j += kWarps) {
    float product = 0.0F;
    for (int n = thread % kWarp; n < o.dstate; n += kWarp) product += b[j * o.dstate + n] * c[n];
    product = warp_sum(product);
    if (thread % kWarp != 0) continue;
    float log_decay = 0.0F;
    for (int i = j + 1; i <= held; ++i) log_decay += log_keep[i];
    input_weight[j] *= expf(log_decay);
    read_weight[j] = input_weight[j] * product;
  }
  float log_decay = 0.0F;
  for (int i = 0; i <= held; ++i) log_decay += log_keep[i];
  const float keep = expf(log_decay);
  __syncthreads();
  for (;;) {
    float sum[kStateRows] = {};
    Rows::each(part, o.headdim, o.dstate, [&](int i, int k, int n) {
      const auto query = load<kWidth>(c + n);
      TANDEM_UNROLL
      for (int e = 0; e < kWidth; ++e) sum[i] += s.at[i][k].at[e] * query.at[e];
      if (!writes) return;
      TANDEM_UNROLL
      for (int e = 0; e < kWidth; ++e) s.at[i][k].at[e] *= keep;
      for (int j = 0; j <= held; ++j) {
        const auto key = load<kWidth>(b + j * o.dstate + n);
        const float input = input_weight[j] * x[j * x_stride + part.row(i)];
        TANDEM_UNROLL
        for (int e = 0; e < kWidth; ++e) s.at[i][k].at[e] += input * key.at[e];
      }
      store<kWidth>(state + part.row(i) * o.dstate + n, s.at[i][k]);
    });
    TANDEM_UNROLL
    for (int i = 0; i < kStateRows; ++i) {
      float read = keep * neighbours_sum(sum[i], lanes);
      const int p = part.row(i);
      if (part.lane != 0 || p >= o.headdim) continue;
      for (int j = 0; j <= held; ++j) read += read_weight[j] * x[j * x_stride + p];
      write_channel(o, token, head, p, read, x[held * x_stride + p]);
    }
    part.begin += StatePart<kStepThreads>::rows_of_block(lanes);
    if (part.begin >= o.headdim) return;
    load_rows();
  }
}

template <typename Element>
void launch_replay(Stream& stream, const SsmStep& s, const StepOperands& o, TensorView states) {
  const std::int64_t x_stride = ceil_div(o.headdim, kVector) * kVector;
  const std::int64_t floats = s.ring.length * (x_stride + o.dstate) + o.dstate;
  const Ring ring = {matrix(s.ring.inputs), matrix(s.ring.decays), s.ring.positions.data(),
                     static_cast<int>(s.ring.first), static_cast<int>(s.ring.length)};
  for_step_sizes(s, states, [&]<int kWidth, int kPieces, int kHeld>(const Filter<kHeld>& filter, int lanes) {
    launch(stream, ssm_replay_kernel<kWidth, kPieces, kHeld, Element>, Grid{s.input.extent(0) * o.nheads},
           Block{kStepThreads}, floats * element_bytes(DType::F32), o, matrix_of<Element>(states), ring,
           filter, lanes);
  });
}

}  // namespace

void ssm_step_replayed(Stream& stream, const SsmStep& s, const StepOperands& o, TensorView states) {
  TANDEM_CHECK(s.ring.length <= kMaxRing, "ssm_step: a state is written every " + std::to_string(kMaxRing) +
                                              " steps at the latest, not " + std::to_string(s.ring.length));
  const auto run = states.dtype() == DType::F32 ? launch_replay<float> : launch_replay<BFloat16>;
  run(stream, s, o, states);
}

}  // namespace tandem::cuda
