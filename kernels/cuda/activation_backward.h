// Backward passes of the pointwise ops on the device: the operands of kernels/ops/activation_backward.h. f32.
// Gradients of activations are written, those of parameters added to. Launch: a thread per four neighbours of
// a row, or, where a parameter's gradient is summed, per column of 64 rows.
#pragma once

#include "kernels/base/tensor_view.h"
#include "kernels/cuda/stream.h"

namespace tandem::cuda {

/// Of swiglu: gate, up, d_out, d_gate, d_up [rows, F], rows may be strided. d_gate = , d_up = . Moves 5 *
/// rows * F floats.
void swiglu_backward(Stream& stream, TensorView gate, TensorView up, TensorView d_out, TensorView d_gate,
                     TensorView d_up);

/// Floats of scratch memory that silu_gate_backward wants.
std::int64_t silu_gate_backward_scratch(TensorView y);

/// Of silu_gate: y as it was before (the op overwrites it), z, d_out, d_y, d_z [rows, C], rows may be
/// strided; bias, d_bias [C]. d_y = , d_z = , d_bias +=. d_y may alias d_out. Moves 5 * rows * C floats.
void silu_gate_backward(Stream& stream, TensorView y, TensorView z, TensorView bias, TensorView d_out,
                        TensorView d_y, TensorView d_z, TensorView d_bias, TensorView scratch);

/// Of discrete_log_decay: a_log, d_log_decay, d_a_log [rows, H], rows may be strided. d_a_log = . Moves 3 *
/// rows * H floats.
void discrete_log_decay_backward(Stream& stream, TensorView a_log, TensorView d_log_decay,
                                 TensorView d_a_log);

/// Floats of scratch memory that stepped_log_decay_backward wants.
std::int64_t stepped_log_decay_backward_scratch(TensorView dt_raw);

/// Of stepped_log_decay: dt_raw, d_dt, d_log_decay, d_dt_raw [rows, H], rows may be strided; dt_bias, a_log,
/// d_dt_bias, d_a_log [H]. d_dt_raw = , d_dt_bias += , d_a_log += . Moves 4 * rows * H floats.
void stepped_log_decay_backward(Stream& stream, TensorView dt_raw, TensorView dt_bias, TensorView a_log,
                                TensorView d_dt, TensorView d_log_decay, TensorView d_dt_raw,
                                TensorView d_dt_bias, TensorView d_a_log, TensorView scratch);

}  // namespace tandem::cuda
