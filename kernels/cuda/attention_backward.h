// Backward pass of causal attention on the device: the operands of kernels/ops/attention_backward.h. f32,
// sums included.
#pragma once

#include "kernels/base/tensor_view.h"
#include "kernels/cuda/stream.h"

namespace tandem::cuda {

/// Floats of scratch memory that causal_attention_backward wants.
std::int64_t causal_attention_backward_scratch(TensorView q, std::int64_t nheads);

/// Over one sequence: q, d_out, d_q [T, H*D]; k, v, d_k, d_v [T, K*D]; rows may be strided. d_q = , d_k = ,
/// d_v = (summed over the query heads that share them, in order). No output may alias an input. Probabilities
/// are computed again, a tile of 64 x 64 at a time. Launch: blocks of 256 threads per 64 rows and head, once
/// for each row's sums and once, per 64 dimensions, for d_q; per 64 keys, KV head and 64 dimensions for d_k
/// and d_v. With D up to 64 that is H * T * T * 10 * D operations; every further 64 dimensions compute the
/// probabilities again.
void causal_attention_backward(Stream& stream, TensorView q, TensorView k, TensorView v, TensorView d_out,
                               std::int64_t nheads, std::int64_t nheads_kv, float scale, TensorView d_q,
                               TensorView d_k, TensorView d_v, TensorView scratch);

}  // namespace tandem::cuda
