#include "kernels/ops/ssm_step.h"

#include "kernels/ops/activation.h"

namespace tandem {

SsdOperands with_convolved(SsdOperands heads, TensorView convolved) {
  const std::int64_t x_width = heads.x_heads * heads.headdim;
  const std::int64_t b_width = heads.b_heads * heads.dstate;
  heads.x = convolved.columns(0, x_width);
  heads.b = convolved.columns(x_width, b_width);
  heads.c = convolved.columns(x_width + b_width, heads.c_heads * heads.dstate);
  return heads;
}

void ssm_step(Context& context, const SsmStep& s, TensorView windows, TensorView states,
              std::span<const std::int32_t> slots, TensorView y) {
  check_ssm_step(s, windows, states, slots, y);
  if (DeviceQueue* queue = context.queue()) return queue->ssm_step(s, windows, states, slots, y);
  TANDEM_CHECK(s.ring.length == 1 && states.dtype() == DType::F32,
               "ssm_step: the CPU writes its states at every step, in f32");
  const ScratchScope scope(context);
  const TensorView convolved = context.scratch_tensor(s.input.shape());
  causal_conv_step(context, s.input, s.conv_weight, s.conv_bias, s.activation, windows, slots, convolved);
  SsdOperands operands = with_convolved(s.heads, convolved);
  operands.log_decay = context.scratch_tensor(s.decay.shape());
  if (s.dt_bias.empty()) {
    discrete_log_decay(context, s.decay, operands.log_decay);
  } else {
    operands.dt = context.scratch_tensor(s.decay.shape());
    stepped_log_decay(context, s.decay, s.dt_bias, s.a_log, operands.dt, operands.log_decay);
  }
  ssd_step(context, operands, states, slots, y);
  if (!s.gate.empty()) silu_gate(context, y, s.gate, s.gate_bias);
}

}  // namespace tandem
