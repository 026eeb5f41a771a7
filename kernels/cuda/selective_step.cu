#include "kernels/cuda/rowwise.cuh"
#include "kernels/cuda/selective_channels.cuh"
#include "kernels/cuda/selective_scan.h"
#include "kernels/cuda/state_rows.cuh"

namespace tandem::cuda {
namespace {

constexpr int kThreads = 128;
using Part = StatePart<kThreads>;

template <int kWidth, typename Element>
__global__ void __launch_bounds__(kThreads)
    selective_step_kernel(SelectiveChannels o, Matrix<Element> states, const std::int32_t* slots,
                          Matrix<float> y, int lanes) {
  const std::int64_t token = blockIdx.x;
  const Part part(lanes, static_cast<int>(blockIdx.y));
  Element* state = states.at(slots[token], 0);
  float input[kStateRows];
  float delta[kStateRows];
  float sum[kStateRows] = {};
  TANDEM_UNROLL
  for (int i = 0; i < kStateRows; ++i) {
    if (part.row(i) >= o.channels) continue;
    input[i] = *o.x.at(token, part.row(i));
    delta[i] = *o.delta.at(token, part.row(i));
  }
  for (int n = part.lane * kWidth; n < o.dstate; n += lanes * kWidth) {
    Floats<kWidth> s[kStateRows];
    TANDEM_UNROLL
    for (int i = 0; i < kStateRows; ++i) {
      if (part.row(i) < o.channels) s[i] = load<kWidth>(state + std::int64_t{part.row(i)} * o.dstate + n);
    }
    TANDEM_UNROLL
    for (int i = 0; i < kStateRows; ++i) {
      if (part.row(i) >= o.channels) continue;
      const auto a = load<kWidth>(o.a.at(part.row(i), n));
      const auto key = load<kWidth>(o.b_of(token, part.row(i)) + n);
      const auto query = load<kWidth>(o.c_of(token, part.row(i)) + n);
      TANDEM_UNROLL
      for (int j = 0; j < kWidth; ++j) {
        s[i].at[j] = expf(delta[i] * a.at[j]) * s[i].at[j] + delta[i] * input[i] * key.at[j];
        sum[i] += s[i].at[j] * query.at[j];
      }
      store<kWidth>(state + std::int64_t{part.row(i)} * o.dstate + n, s[i]);
    }
  }
  TANDEM_UNROLL
  for (int i = 0; i < kStateRows; ++i) {
    const float read = neighbours_sum(sum[i], lanes);
    if (part.lane == 0 && part.row(i) < o.channels) {
      *y.at(token, part.row(i)) = read + o.skip[part.row(i)] * input[i];
    }
  }
}

template <typename Element>
void launch_step(Stream& stream, const SelectiveOperands& o, TensorView states,
                 std::span<const std::int32_t> slots, TensorView y) {
  const bool wide = vectorizable(o.a, o.b, o.c, states) && o.dstate % kVector == 0;
  const int lanes = state_lanes(o.dstate, wide ? kVector : 1);
  launch(stream, wide ? selective_step_kernel<kVector, Element> : selective_step_kernel<1, Element>,
         Grid{o.x.extent(0), ceil_div(o.channels, std::int64_t{Part::rows_of_block(lanes)})}, Block{kThreads},
         0, selective_channels(o), matrix_of<Element>(states), slots.data(), matrix(y), lanes);
}

}  // namespace

void selective_step(Stream& stream, const SelectiveOperands& o, TensorView states,
                    std::span<const std::int32_t> slots, TensorView y) {
  check_selective_operands(o, "selective_step");
  const std::int64_t rows = o.x.extent(0);
  TANDEM_CHECK(std::ssize(slots) == rows && states.rank() == 2 && states.extent(1) == o.channels * o.dstate &&
                   y.shape() == o.x.shape(),
               "selective_step: " + std::to_string(slots.size()) + " slots of states " +
                   states.shape().str() + ", y " + y.shape().str());
  const auto run = states.dtype() == DType::F32 ? launch_step<float> : launch_step<BFloat16>;
  run(stream, o, states, slots, y);
}

}  // namespace tandem::cuda
