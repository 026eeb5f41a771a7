// Backward passes of the pointwise ops (kernels/ops/activation.h). Activations' gradients are written,
// parameters' added to.
#pragma once

#include "kernels/base/context.h"
#include "kernels/base/tensor_view.h"

namespace tandem {

/// Of swiglu: gate, up, d_out, d_gate, d_up [rows, F], all may be strided. d_gate = , d_up = .
void swiglu_backward(Context& context, TensorView gate, TensorView up, TensorView d_out, TensorView d_gate,
                     TensorView d_up);

/// Of silu_gate: y as it was before (the op overwrites it), z, d_out, d_y, d_z [rows, C]; bias, d_bias [C].
/// d_y = , d_z = , d_bias +=. d_y may alias d_out; z and d_z may be strided.
void silu_gate_backward(Context& context, TensorView y, TensorView z, TensorView bias, TensorView d_out,
                        TensorView d_y, TensorView d_z, TensorView d_bias);

/// Of discrete_log_decay: a_log, d_log_decay, d_a_log [rows, H], may be strided. d_a_log = .
void discrete_log_decay_backward(Context& context, TensorView a_log, TensorView d_log_decay,
                                 TensorView d_a_log);

/// Of stepped_log_decay: dt_raw, d_dt, d_log_decay, d_dt_raw [rows, H], may be strided; dt_bias, a_log,
/// d_dt_bias, d_a_log [H]. d_dt_raw = , d_dt_bias += , d_a_log += .
void stepped_log_decay_backward(Context& context, TensorView dt_raw, TensorView dt_bias, TensorView a_log,
                                TensorView d_dt, TensorView d_log_decay, TensorView d_dt_raw,
                                TensorView d_dt_bias, TensorView d_a_log);

}  // namespace tandem
