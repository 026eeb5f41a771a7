// Pointwise parts of MLPs and gates, and softplus for step sizes and decays. f32; accumulate-free.
#pragma once

#include "kernels/base/context.h"
#include "kernels/base/tensor_view.h"

namespace tandem {

/// out = silu(gate) * up. All [rows, F]; gate and up may be strided (two halves of one product); out may
/// alias gate or up.
void swiglu(Context& context, TensorView gate, TensorView up, TensorView out);

/// y *= silu(z + bias) (Llamba's gate, models.md 2.4 step 6). y, z [rows, C]; z may be strided; bias [C].
void silu_gate(Context& context, TensorView y, TensorView z, TensorView bias);

/// log_decay = -softplus(a_log), elementwise (models.md 2.4 step 4). a_log [rows, H] may be strided;
/// log_decay [rows, H].
void discrete_log_decay(Context& context, TensorView a_log, TensorView log_decay);

/// dt = softplus(dt_raw + dt_bias); log_decay = dt * -exp(a_log) (models.md 3.5 step 3).
/// dt_raw [rows, H] may be strided; dt_bias, a_log [H]; dt, log_decay [rows, H].
void stepped_log_decay(Context& context, TensorView dt_raw, TensorView dt_bias, TensorView a_log,
                       TensorView dt, TensorView log_decay);

/// dt = softplus(dt_raw + dt_bias): the first half of stepped_log_decay, for mixers whose decays differ
/// within a column. dt_raw [rows, H] may be strided; dt_bias [H]; dt [rows, H].
void step_sizes(Context& context, TensorView dt_raw, TensorView dt_bias, TensorView dt);

/// y += x, elementwise. [rows, C] each.
void add(Context& context, TensorView x, TensorView y);

}  // namespace tandem
