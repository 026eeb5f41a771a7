#include "kernels/cuda/rowwise.cuh"
#include "kernels/cuda/ssd.h"
#include "kernels/cuda/ssd_heads.cuh"
#include "kernels/cuda/state_rows.cuh"

namespace tandem::cuda {
namespace {

template <int kWidth>
__global__ void __launch_bounds__(kStateThreads)
    ssd_step_kernel(SsdHeads o, Matrix<float> states, const std::int32_t* slots, Matrix<float> y, int lanes) {
  const int token = static_cast<int>(blockIdx.x) / o.nheads;
  const int head = static_cast<int>(blockIdx.x) % o.nheads;
  const float* x = o.x_of(token, head);
  const float* b = o.b_of(token, head);
  const float* c = o.c_of(token, head);
  const float decay = expf(*o.log_decay.at(token, head));
  const float dt = o.dt_of(token, head);
  const StatePart part(lanes);
  float* state = states.at(slots[token], std::int64_t{head} * o.headdim * o.dstate);
  float input[kStateRows];
  float sum[kStateRows] = {};
  TANDEM_UNROLL
  for (int i = 0; i < kStateRows; ++i) input[i] = part.row(i) < o.headdim ? x[part.row(i)] : 0.0F;
  for (int n = part.lane * kWidth; n < o.dstate; n += lanes * kWidth) {
    const auto key = load<kWidth>(b + n);
    const auto query = load<kWidth>(c + n);
    Floats<kWidth> s[kStateRows];
    TANDEM_UNROLL
    for (int i = 0; i < kStateRows; ++i) {
      if (part.row(i) < o.headdim) s[i] = load<kWidth>(state + part.row(i) * o.dstate + n);
    }
    TANDEM_UNROLL
    for (int i = 0; i < kStateRows; ++i) {
      if (part.row(i) >= o.headdim) continue;
      TANDEM_UNROLL
      for (int j = 0; j < kWidth; ++j) {
        s[i].at[j] = decay * s[i].at[j] + dt * input[i] * key.at[j];
        sum[i] += s[i].at[j] * query.at[j];
      }
      store<kWidth>(state + part.row(i) * o.dstate + n, s[i]);
    }
  }
  TANDEM_UNROLL
  for (int i = 0; i < kStateRows; ++i) {
    const float read = neighbours_sum(sum[i], lanes);
    if (part.lane == 0 && part.row(i) < o.headdim) {
      *y.at(token, head * o.headdim + part.row(i)) = read + o.skip[head] * input[i];
    }
  }
}

}  // namespace

void ssd_step(Stream& stream, const SsdOperands& o, TensorView states, std::span<const std::int32_t> slots,
              TensorView y) {
  check_ssd_operands(o, "ssd_step");
  const std::int64_t rows = o.x.extent(0);
  TANDEM_CHECK(std::ssize(slots) == rows && states.rank() == 2 &&
                   states.extent(1) == o.nheads * o.headdim * o.dstate &&
                   y.shape() == Shape({rows, o.nheads * o.headdim}),
               "ssd_step: " + std::to_string(slots.size()) + " slots of states " + states.shape().str() +
                   ", y " + y.shape().str());
  const bool wide = vectorizable(o.b, o.c, states) && o.dstate % kVector == 0;
  const int lanes = state_lanes(o.dstate, wide ? kVector : 1);
  launch(stream, wide ? ssd_step_kernel<kVector> : ssd_step_kernel<1>,
         Grid{rows * o.nheads, state_blocks(o.headdim, lanes)}, Block{kStateThreads}, 0, ssd_heads(o),
         matrix(states), slots.data(), matrix(y), lanes);
}

}  // namespace tandem::cuda
