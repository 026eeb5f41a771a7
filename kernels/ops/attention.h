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

/// Keys and values of the completions' own tokens, by slot, [slots, K, capacity, D] each. Row b of a step
/// belongs to slot slot_ids[b], whose newest token is at positions[b] of its sequence and whose first entry
/// is the token at position `first`.
struct SlotCaches {
  TensorView keys;
  TensorView values;
  std::span<const std::int32_t> slot_ids;   // [B]
  std::span<const std::int32_t> positions;  // [B]
  std::int64_t first = 0;

  std::int64_t length(std::int64_t b) const { return positions[static_cast<std::size_t>(b)] - first + 1; }
};

/// Puts the heads of x [B, K*D], whose rows may be strided, into a cache [slots, K, capacity, D]: head k of
/// row b becomes entry positions[b] - first of head k of slot slots[b]. Without positions row t is at
/// position t; without slots all rows go to slot 0.
void append_heads(Context& context, TensorView x, std::span<const std::int32_t> slots,
                  std::span<const std::int32_t> positions, std::int64_t first, TensorView cache);

/// One decode step: q [B, H*D] attends to the shared prefix and to its own slot's tokens (the newest
/// included), under one softmax; out [B, H*D]. The prefix is read once per KV head for all B completions, as
/// two matrix products over the B * H/K grouped rows.
void decode_attention(Context& context, TensorView q, const SharedPrefix& prefix, const SlotCaches& own,
                      std::int64_t nheads, std::int64_t nheads_kv, float scale, TensorView out);

/// Attention probabilities m [H', T, T] for the heads listed (H' of them); q, k as in causal_attention; 0
/// above the diagonal.
void attention_matrix(Context& context, TensorView q, TensorView k, std::int64_t nheads,
                      std::int64_t nheads_kv, float scale, std::span<const std::int64_t> heads, TensorView m);

}  // namespace tandem
