// Sampling of next tokens on the device: the operands of kernels/ops/sampling.h.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/base/tensor_view.h"
#include "kernels/cuda/stream.h"
#include "kernels/ops/sampling.h"

namespace tandem::cuda {

/// Draws one token per row of logits [B, V] f32, rows may be strided, by inverse transform: temperature, then
/// top-k, then top-p, then the token at which the cumulative mass first exceeds the row's uniform: the
/// draw of the CPU's op wherever rounding does not move a boundary across the uniform. Ids >= vocab are never
/// drawn. tokens, logprobs and what draws points to, on the device. logprobs: at temperature 1, untruncated; NaN where a
/// logit is NaN. Exponentials in f32; masses are summed as integers of 2^-40 of the most probable token's, so
/// that no order of addition matters; what is lighter than that is never drawn. Launch: a block of 512
/// threads per row. Reads B * V floats at least, from the cache after the first time: 3 times in all without
/// truncation, 9 with top-p, 9 with top-k, 12 with both.
void sample(Stream& stream, TensorView logits, std::int64_t vocab, const SamplingRule& rule,
            const Draws& draws, std::span<std::int32_t> tokens, std::span<float> logprobs);

}  // namespace tandem::cuda
