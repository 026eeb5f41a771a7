// Pointwise parts of MLPs and gates, and step sizes and decays, on the device: the operands of
// kernels/ops/activation.h. f32. Launch: a thread per four neighbours of a row (per element where rows are
// not aligned). Each operand is moved once, which is the floor.
#pragma once

#include "kernels/base/tensor_view.h"
#include "kernels/cuda/stream.h"

namespace tandem::cuda {

/// out = silu(gate) * up. All [rows, F], rows may be strided; out may alias gate or up. Moves 3 * rows * F
/// floats.
void swiglu(Stream& stream, TensorView gate, TensorView up, TensorView out);

/// y *= silu(z + bias). y, z [rows, C], rows may be strided; bias [C]. Moves 3 * rows * C floats.
void silu_gate(Stream& stream, TensorView y, TensorView z, TensorView bias);

/// log_decay = -softplus(a_log). [rows, H] each, rows may be strided. Moves 2 * rows * H floats.
void discrete_log_decay(Stream& stream, TensorView a_log, TensorView log_decay);

/// dt = softplus(dt_raw + dt_bias); log_decay = dt * -exp(a_log). dt_raw, dt, log_decay [rows, H], rows may
/// be strided; dt_bias, a_log [H]. Moves 3 * rows * H floats.
void stepped_log_decay(Stream& stream, TensorView dt_raw, TensorView dt_bias, TensorView a_log, TensorView dt,
                       TensorView log_decay);

/// dt = softplus(dt_raw + dt_bias). dt_raw, dt [rows, H], rows may be strided, may alias; dt_bias [H]. Moves
/// 2 * rows * H floats.
void step_sizes(Stream& stream, TensorView dt_raw, TensorView dt_bias, TensorView dt);

/// y += x. [rows, C] each, rows may be strided. Moves 3 * rows * C floats.
void add(Stream& stream, TensorView x, TensorView y);

}  // namespace tandem::cuda
