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

/// The uniform of each row in [0, 1): uniforms[b]; or, without any, number positions[b] - first of the stream
/// (seed, problem, completions[b]) (completion_uniform).
struct Draws {
  std::span<const float> uniforms{};  // [B]
  std::uint64_t seed = 0, problem = 0;
  std::span<const std::int32_t> completions{}, positions{};  // [B]
  std::int32_t first = 0;

  std::int64_t count() const { return std::ssize(uniforms) + std::ssize(positions); }
};

/// Draws one token per row of logits [B, V] by inverse transform: temperature, then top-k, then top-p
/// (smallest set of most probable tokens with at least top_p of the mass that top-k left), then the token at
/// which the cumulative mass (by falling probability when truncated, by id otherwise) first exceeds
/// the row's uniform. Ids >= vocab are never drawn (padded vocabularies). tokens [B]; logprobs [B]:
/// log-probability at temperature 1, untruncated; NaN where a logit is NaN.
void sample(Context& context, TensorView logits, std::int64_t vocab, const SamplingRule& rule,
            const Draws& draws, std::span<std::int32_t> tokens, std::span<float> logprobs);

}  // namespace tandem
