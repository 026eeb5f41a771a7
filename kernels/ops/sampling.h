// Softmax and sampling of next tokens.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/base/context.h"
#include "kernels/base/tensor_view.h"

namespace tandem {

/// Row-wise softmax in place. x [rows, C].
void softmax(Context& context, TensorView x);

struct SamplingRule {
  float temperature = 1.0F;  // 0 = greedy (lowest id wins ties)
  int top_k = 0;             // 0 = off
  float top_p = 1.0F;        // 1 = off
};

/// Draws one token per row of logits [B, V] by inverse transform: temperature, then top-k, then top-p
/// (smallest set of most probable tokens with at least top_p of the mass that top-k left), then the token at
/// which the cumulative mass (by falling probability when truncated, by id otherwise) first exceeds
/// uniforms[b] in [0, 1). Ids >= vocab are never drawn (padded vocabularies). tokens [B]; logprobs [B]:
/// log-probability at temperature 1, untruncated; NaN where a logit is NaN.
void sample(Context& context, TensorView logits, std::int64_t vocab, const SamplingRule& rule,
            std::span<const float> uniforms, std::span<std::int32_t> tokens, std::span<float> logprobs);

}  // namespace tandem
