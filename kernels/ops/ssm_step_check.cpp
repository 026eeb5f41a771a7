// Apart from the op: a device's module links this, and none of the CPU's kernels.
#include <string>

#include "kernels/ops/ssm_step.h"

namespace tandem {
namespace {

bool ring_fits(const SsmStep& s, std::int64_t slots) {
  const StateRing& ring = s.ring;
  const SsdOperands& h = s.heads;
  const std::int64_t kept = ring.length - 1;
  if (kept == 0) return true;
  const std::int64_t width = h.x_heads * h.headdim + h.b_heads * h.dstate;
  return kept > 0 && std::ssize(ring.positions) == s.input.extent(0) &&
         ring.inputs.shape() == Shape({slots, kept * width}) &&
         ring.decays.shape() == Shape({slots, kept * 2 * h.nheads});
}

}  // namespace

void check_ssm_step(const SsmStep& s, TensorView windows, TensorView states,
                    std::span<const std::int32_t> slots, TensorView y) {
  const SsdOperands& h = s.heads;
  const std::int64_t rows = std::ssize(slots);
  const std::int64_t columns = h.x_heads * h.headdim + (h.b_heads + h.c_heads) * h.dstate;
  const std::int64_t inner = h.nheads * h.headdim;
  const auto divides = [&](std::int64_t heads) { return heads > 0 && h.nheads % heads == 0; };
  const bool gated = !s.gate.empty();
  TANDEM_CHECK(h.nheads > 0 && divides(h.x_heads) && divides(h.b_heads) && divides(h.c_heads) &&
                   h.skip.shape() == Shape{h.nheads} && s.input.shape() == Shape({rows, columns}) &&
                   s.conv_weight.rank() == 2 && s.conv_weight.extent(0) == columns &&
                   (s.conv_bias.empty() || s.conv_bias.shape() == Shape{columns}) &&
                   s.decay.shape() == Shape({rows, h.nheads}) && s.dt_bias.empty() == s.a_log.empty() &&
                   (s.dt_bias.empty() ||
                    (s.dt_bias.shape() == Shape{h.nheads} && s.a_log.shape() == Shape{h.nheads})) &&
                   (!gated || (s.gate.shape() == y.shape() && s.gate_bias.shape() == Shape{inner})) &&
                   windows.rank() == 2 && windows.extent(1) == (s.conv_weight.extent(1) - 1) * columns &&
                   ring_fits(s, states.extent(0)) &&
                   states.rank() == 2 && states.extent(1) == inner * h.dstate &&
                   y.shape() == Shape({rows, inner}),
               "ssm_step: " + std::to_string(h.nheads) + " heads of " + std::to_string(h.headdim) + " x " +
                   std::to_string(h.dstate) + ", input " + s.input.shape().str() + ", filter " +
                   s.conv_weight.shape().str() + ", decay " + s.decay.shape().str() + ", gate " +
                   s.gate.shape().str() + ", windows " + windows.shape().str() + ", states " +
                   states.shape().str() + ", " + std::to_string(rows) + " slots, y " + y.shape().str() + ", a ring of " + std::to_string(s.ring.length) + " with inputs " +
                   s.ring.inputs.shape().str() + " and decays " + s.ring.decays.shape().str());
}

}  // namespace tandem
