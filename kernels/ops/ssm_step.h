// One token of each sequence through a Mamba-2 mixer, between its two projections: convolution, decays,
// recurrence and gate, which a device does in one go.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/base/context.h"
#include "kernels/base/tensor_view.h"
#include "kernels/ops/causal_conv.h"
#include "kernels/ops/ssd.h"

namespace tandem {

/// The inputs of the tokens since a state was last written: with them a step reads the state and leaves it as
/// it is, and only every length-th one writes it. For devices, whose steps wait for memory. Before the step of
/// row r, (positions[r] - first) % length inputs are there.
struct StateRing {
  TensorView inputs;  // [slots, (length - 1) * (x_heads * P + b_heads * N)]: x and B of a token, convolved
  TensorView decays;  // [slots, (length - 1) * 2 * H]: log decays and step sizes of a token
  std::span<const std::int32_t> positions;  // [R]
  std::int64_t first = 0;                   // position of a slot's first token
  std::int64_t length = 1;                  // 1: none, every step writes the state
};

/// Operands for one token of each of R sequences; rows may be strided.
struct SsmStep {
  SsdOperands heads;  // nheads to c_heads, and skip; the tensors of a token come about on the way
  TensorView input;   // [R, x_heads * P + (b_heads + c_heads) * N]: x, B and C, to be convolved
  TensorView conv_weight, conv_bias;  // [columns of input, W], [columns of input] or empty
  ConvActivation activation = ConvActivation::Identity;
  TensorView decay;            // [R, H]: Llamba's A_log; with dt_bias and a_log, the raw step size
  TensorView dt_bias, a_log;   // [H] each, or empty
  TensorView gate, gate_bias;  // [R, H*P], [H*P]: y *= silu(gate + gate_bias); or empty: no gate
  StateRing ring;
};

/// Columns of convolved [R, x_heads * P + (b_heads + c_heads) * N] become x, b and c of `heads`.
SsdOperands with_convolved(SsdOperands heads, TensorView convolved);

/// Row r goes on from window and state of slot slots[r]: causal_conv_step, discrete_log_decay or
/// stepped_log_decay, ssd_step, and silu_gate if there is one. windows [slots, (W-1) * columns of input];
/// states [slots, H*P*N], f32, or, on a
/// device, bf16; slots [R], all different; y [R, H*P].
void ssm_step(Context& context, const SsmStep& step, TensorView windows, TensorView states,
              std::span<const std::int32_t> slots, TensorView y);

/// What ssm_step demands of its operands, on any device.
void check_ssm_step(const SsmStep& step, TensorView windows, TensorView states,
                    std::span<const std::int32_t> slots, TensorView y);

}  // namespace tandem
