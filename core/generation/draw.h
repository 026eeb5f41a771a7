// Next tokens of a batch, from logits wherever they lie.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/base/context.h"
#include "kernels/ops/sampling.h"

namespace tandem {

/// sample(), with logits [B, V] where the context computes and all else on the host.
void draw(Context& context, TensorView logits, std::int64_t vocab, const SamplingRule& rule,
          std::span<const float> uniforms, std::span<std::int32_t> tokens, std::span<float> logprobs);

}  // namespace tandem
