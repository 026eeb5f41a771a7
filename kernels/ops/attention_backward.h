// Backward pass of causal attention (kernels/ops/attention.h).
#pragma once

#include <cstdint>

#include "kernels/base/context.h"
#include "kernels/base/tensor_view.h"

namespace tandem {

/// Of causal_attention over one sequence: q, d_out, d_q [T, H*D]; k, v, d_k, d_v [T, K*D]; rows may be
/// strided. d_q = , d_k = , d_v = (summed over the query heads that share them). The probabilities are
/// computed again, in tiles of rows. No output may alias an input.
void causal_attention_backward(Context& context, TensorView q, TensorView k, TensorView v, TensorView d_out,
                               std::int64_t nheads, std::int64_t nheads_kv, float scale, TensorView d_q,
                               TensorView d_k, TensorView d_v);

}  // namespace tandem
