// Attention on the device: the operands of kernels/ops/attention.h. f32 arithmetic, softmax included. Head
// dimensions are multiples of 4 up to 128, or of 8 up to 256; rows of q start at multiples of 16 bytes.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/base/tensor_view.h"
#include "kernels/cuda/stream.h"
#include "kernels/ops/attention.h"

namespace tandem::cuda {

/// Whether decode_attention and causal_attention have kernels for heads of this many dimensions.
constexpr bool attention_supports(std::int64_t headdim) {
  return headdim > 0 && (headdim % 8 == 0 ? headdim <= 256 : headdim % 4 == 0 && headdim <= 128);
}

/// Causal attention over one sequence. q [T, H*D]; k, v [T, K*D] f32; rows may be strided; H a multiple of K;
/// query head h uses KV head h / (H/K). out [T, H*D]. Launch: blocks of 256 threads per query head and 64
/// tokens, which go through the keys 64 at a time; no T*T buffer. Moves 2 * T * (H + K) * D floats; keys and
/// values come from the L2 cache for all blocks but the first. Bound by arithmetic, 2 * T^2 * H*D
/// multiply-adds.
void causal_attention(Stream& stream, TensorView q, TensorView k, TensorView v, std::int64_t nheads,
                      std::int64_t nheads_kv, float scale, TensorView out);

/// Floats of scratch memory that decode_attention wants.
std::int64_t decode_attention_scratch(std::int64_t batch, std::int64_t nheads, std::int64_t nheads_kv,
                                      std::int64_t headdim, std::int64_t prefix_length,
                                      std::int64_t capacity);

/// One decode step: q [B, H*D] attends to the shared prefix [K, P, D] (P = 0 or empty views: none) and to its
/// own slot's tokens (the newest included), under one softmax; out [B, H*D], rows may be strided. Prefix and
/// caches f32 or bf16, both alike; slot ids and positions on the device. What is launched depends on B, P and
/// the capacity alone, so a graph of it stays valid as completions grow. Launch: (1) blocks of 128 threads
/// per KV head, completion and stretch of its keys, for the H/K query heads that share them, each key and
/// value read once; the prefix likewise for a few query rows. (2) With more than 16 query rows per KV head,
/// blocks of 256 threads per KV head, stretch of the prefix and 64 query rows of all completions. (3) A block
/// per row and head that combines the stretches. Moves 2 * D elements per KV head and token of a slot, once;
/// the prefix's once per 64 query rows, of which all but the first come from the L2 cache.
void decode_attention(Stream& stream, TensorView q, const SharedPrefix& prefix, const SlotCaches& own,
                      std::int64_t nheads, std::int64_t nheads_kv, float scale, TensorView scratch,
                      TensorView out);

/// Attention probabilities m [H', T, T] for the heads listed (on the host, H' of them); q, k as in
/// causal_attention; 0 above the diagonal. Any head dimension. Launch: blocks of 256 threads per head and 64
/// x 64 scores, then per row. Writes m twice and reads it once, H' * T^2 floats each; H' * T^2 / 2 * D
/// multiply-adds.
void attention_matrix(Stream& stream, TensorView q, TensorView k, std::int64_t nheads, std::int64_t nheads_kv,
                      float scale, std::span<const std::int64_t> heads, TensorView m);

}  // namespace tandem::cuda
