// What flows back into the rows of an embedding table, on the device: the operands of
// kernels/ops/embedding.h.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/base/tensor_view.h"
#include "kernels/cuda/stream.h"

namespace tandem::cuda {

/// d_table [V, C]: row ids[t] += row t of d_x [T, C], in the order of t; rows of both may be strided. ids on
/// the device, inside the table: not checked. Launch: a block of 128 threads per token; that of an id's first
/// token adds for all its tokens, which costs T * T reads of ids from the cache but no atomics. Moves T * C
/// floats of d_x, and 2 * C of the table per distinct id and per repetition.
void embedding_backward(Stream& stream, std::span<const std::int32_t> ids, TensorView d_x,
                        TensorView d_table);

}  // namespace tandem::cuda
