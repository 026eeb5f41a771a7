// The forward passes all families share: whole sequences, and one decode step of a batch of completions.
#include "core/models/model.h"

#include <algorithm>

#include "core/models/decode_state.h"
#include "core/models/weights.h"
#include "kernels/ops/activation.h"
#include "kernels/ops/norm.h"

namespace tandem {
namespace {

// Threads may each read all of the weights that stay in caches: they then split the completions and never
// wait for each other inside a step. Larger weights are split between the threads, op by op.
constexpr std::int64_t kMinRowsPerThread = 4;
constexpr std::int64_t kManyRowsPerThread =
    64;  // enough arithmetic per weight byte that reading them twice costs nothing

/// x += mixed, and then, but for a layer without an MLP, x += down(silu(gate(n)) * up(n)) with n the normed
/// x; normed is scratch of x's shape.
void add_mixed_and_mlp(Context& context, const LayerWeights& layer, float eps, TensorView mixed, TensorView x,
                       TensorView normed) {
  if (layer.down.in() == 0) return add(context, mixed, x);
  ScratchScope scope(context);
  add_rms_norm(context, mixed, x, layer.post_norm, eps, normed);
  const std::int64_t d_ff = layer.down.in();
  const TensorView both = context.scratch_tensor({x.extent(0), 2 * d_ff});
  linear(context, normed, layer.gate_up, both);
  const TensorView gate = both.columns(0, d_ff);
  swiglu(context, gate, both.columns(d_ff, d_ff), gate);
  linear(context, gate, layer.down, x, /*accumulate=*/true);
}

/// The ops of one step.
void step_layers(Context& context, const ModelWeights& weights, DecodeState& state,
                 const StepOperands& operands, TensorView logits) {
  ScratchScope scope(context);
  const std::int64_t rows = logits.extent(0);
  const std::int64_t width = weights.embedding.width();
  const TensorView x = context.scratch_tensor({rows, width});
  const TensorView normed = context.scratch_tensor({rows, width});
  const TensorView mixed = context.scratch_tensor({rows, width});

  weights.embedding.rows(context, operands.tokens, x);
  for (std::size_t l = 0; l < weights.layers.size(); ++l) {
    const LayerWeights& layer = weights.layers[l];
    rms_norm(context, x, layer.input_norm, weights.block_norm_eps, normed);
    layer.mixer->step(context, normed, state.layer(static_cast<std::int64_t>(l)), operands.slot_ids,
                      operands.positions, mixed);
    add_mixed_and_mlp(context, layer, weights.block_norm_eps, mixed, x, normed);
  }
  rms_norm(context, x, weights.final_norm, weights.final_norm_eps, normed);
  linear(context, normed, weights.head, logits);
}

void step_rows(Context& context, const ModelWeights& weights, DecodeState& state,
               std::span<const std::int32_t> tokens, std::span<const std::int32_t> slots, TensorView logits) {
  const ScratchScope scope(context);
  std::vector<std::int32_t> positions(slots.size());
  for (std::size_t b = 0; b < slots.size(); ++b)
    positions[b] = static_cast<std::int32_t>(state.shape().prompt_tokens + state.generated(slots[b]));
  step_layers(
      context, weights, state,
      {context.place(tokens), context.place(slots), context.place(std::span<const std::int32_t>(positions))},
      logits);
  for (const std::int32_t slot : slots) state.advance(slot);
}

}  // namespace

Model::Model(ModelInfo info, PromptFormat prompt, std::shared_ptr<const Tokenizer> tokenizer,
             std::unique_ptr<ModelWeights> weights, Device* device)
    : info_(std::move(info)),
      prompt_(std::move(prompt)),
      tokenizer_(std::move(tokenizer)),
      weights_(std::move(weights)),
      device_(device) {}

Model::~Model() = default;

void Model::prefill(Context& context, std::span<const std::int32_t> ids, DecodeState* state,
                    TensorView logits, LayerObserver* observer) const {
  const auto rows = static_cast<std::int64_t>(ids.size());
  TANDEM_CHECK(rows >= 1, "prefill needs at least one token");
  TANDEM_CHECK(logits.extent(0) == rows || logits.extent(0) == 1,
               "logits must have one row, or one for each token");
  TANDEM_CHECK(state == nullptr || state->shape().prompt_tokens == rows,
               "the state was made for another prompt length");
  TANDEM_CHECK(context.device() == device_, info_.name + " is on another device than the context");
  const ModelWeights& weights = *weights_;
  ScratchScope scope(context);
  const TensorView x = context.scratch_tensor({rows, info_.d_model});
  const TensorView normed = context.scratch_tensor({rows, info_.d_model});
  const TensorView mixed = context.scratch_tensor({rows, info_.d_model});

  weights.embedding.rows(context, context.place(ids), x);
  for (std::size_t l = 0; l < weights.layers.size(); ++l) {
    const LayerWeights& layer = weights.layers[l];
    const auto index = static_cast<std::int64_t>(l);
    rms_norm(context, x, layer.input_norm, weights.block_norm_eps, normed);
    layer.mixer->prefill(context, normed, state != nullptr ? &state->layer(index) : nullptr, mixed);
    if (observer != nullptr) observer->on_layer(index, *layer.mixer, x, normed, mixed);
    add_mixed_and_mlp(context, layer, weights.block_norm_eps, mixed, x, normed);
  }
  const TensorView last = logits.extent(0) == rows ? x : x.rows(rows - 1, 1);
  const TensorView last_normed = normed.rows(0, last.extent(0));
  rms_norm(context, last, weights.final_norm, weights.final_norm_eps, last_normed);
  linear(context, last_normed, weights.head, logits);
}

void Model::step(Context& context, DecodeState& state, std::span<const std::int32_t> tokens,
                 std::span<const std::int32_t> slots, TensorView logits) const {
  const auto rows = static_cast<std::int64_t>(tokens.size());
  TANDEM_CHECK(slots.size() == tokens.size() && logits.extent(0) == rows,
               "step: tokens, slots and logits differ in length");
  TANDEM_CHECK(context.device() == device_, info_.name + " is on another device than the context");
  const std::int64_t threads = context.threads();
  const std::int64_t rows_per_thread = rows / threads;
  const bool split_rows = info_.weight_bytes <= kCachedWeightBytes ? rows_per_thread >= kMinRowsPerThread
                                                                   : rows_per_thread >= kManyRowsPerThread;
  if (threads == 1 || !split_rows) return step_rows(context, *weights_, state, tokens, slots, logits);

  context.pool().parallel_for(threads, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t shard = begin; shard < end; ++shard) {
      const std::int64_t first = rows * shard / threads;
      const std::int64_t count = rows * (shard + 1) / threads - first;
      const auto offset = static_cast<std::size_t>(first);
      step_rows(context.worker(static_cast<int>(shard)), *weights_, state,
                tokens.subspan(offset, static_cast<std::size_t>(count)),
                slots.subspan(offset, static_cast<std::size_t>(count)), logits.rows(first, count));
    }
  });
}

void Model::step_placed(Context& context, DecodeState& state, const StepOperands& operands,
                        TensorView logits) const {
  step_layers(context, *weights_, state, operands, logits);
}

DecodeState::DecodeState(Context& context, const Model& model, const StateShape& shape)
    : context_(context), shape_(shape), generated_(static_cast<std::size_t>(shape.batch), 0) {
  for (const LayerWeights& layer : model.weights().layers)
    layers_.push_back(layer.mixer->make_state(context, shape));
}

void DecodeState::start_slot(std::int32_t slot) {
  TANDEM_CHECK(slot >= 0 && slot < shape_.batch, "slot outside the batch");
  for (auto& layer : layers_) layer->start_slot(context_, slot);
  generated_[static_cast<std::size_t>(slot)] = 0;
}

std::int64_t DecodeState::bytes_in_use(std::span<const std::int32_t> slots) const {
  std::int64_t bytes = 0;
  for (const auto& layer : layers_) {
    bytes += layer->prompt_bytes();
    for (const std::int32_t slot : slots) bytes += layer->slot_bytes(generated(slot));
  }
  return bytes;
}

}  // namespace tandem
