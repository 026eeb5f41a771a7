#include "core/generation/draw.h"

namespace tandem {

void draw(Context& context, TensorView logits, std::int64_t vocab, const SamplingRule& rule,
          std::span<const float> uniforms, std::span<std::int32_t> tokens, std::span<float> logprobs) {
  DeviceQueue* queue = context.queue();
  if (queue == nullptr) return sample(context, logits, vocab, rule, uniforms, tokens, logprobs);
  const ScratchScope scope(context);
  const auto rows = static_cast<std::int64_t>(tokens.size());
  const std::span drawn(reinterpret_cast<std::int32_t*>(context.scratch(rows)), tokens.size());
  const std::span likelihoods(context.scratch(rows), logprobs.size());
  sample(context, logits, vocab, rule, context.place(uniforms), drawn, likelihoods);
  queue->copy_out(tokens.data(), drawn.data(), static_cast<std::int64_t>(drawn.size_bytes()));
  queue->copy_out(logprobs.data(), likelihoods.data(), static_cast<std::int64_t>(likelihoods.size_bytes()));
}

}  // namespace tandem
