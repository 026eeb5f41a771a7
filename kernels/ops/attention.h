// Causal softmax attention with grouped query heads: whole prompts, and decoding of many completions of one
// prompt.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/base/context.h"
#include "kernels/base/tensor_view.h"

namespace tandem {

/// Causal attention over one sequence. q [T, H*D]; k, v [T, K*D]; rows may be strided; H a multiple of K;
/// query head h uses KV head h / (H/K). out [T, H*D]. Softmax in f32, scores times `scale`. Work and scratch
/// are tiled: no T*T buffer.
void causal_attention(Context& context, TensorView q, TensorView k, TensorView v, std::int64_t nheads,
                      std::int64_t nheads_kv, float scale, TensorView out);

/// Keys and values of the prompt, stored once for all its completions. [K, P, D] each; P = 0 (or empty views)
/// when there is none.
struct SharedPrefix {
  TensorView keys;
  TensorView values;
};

/// Keys and values of one completion's own tokens, [K, capacity, D] each, `length` of them in use (the newest
/// included).
struct SuffixCache {
  const float* keys = nullptr;
  const float* values = nullptr;
  std::int64_t capacity = 0;
  std::int64_t length = 0;
};

/// One decode step: q [B, H*D] attends to the shared prefix and to its own suffix, under one softmax; out [B,
/// H*D]. The prefix is read once per KV head for all B completions, as two matrix products over the B * H/K
/// grouped rows.
void decode_attention(Context& context, TensorView q, const SharedPrefix& prefix,
                      std::span<const SuffixCache> suffixes, std::int64_t nheads, std::int64_t nheads_kv,
                      float scale, TensorView out);

/// Attention probabilities m [H', T, T] for the heads listed (H' of them); q, k as in causal_attention; 0
/// above the diagonal.
void attention_matrix(Context& context, TensorView q, TensorView k, std::int64_t nheads,
                      std::int64_t nheads_kv, float scale, std::span<const std::int64_t> heads, TensorView m);

}  // namespace tandem
