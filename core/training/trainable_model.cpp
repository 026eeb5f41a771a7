#include "core/training/trainable_model.h"

#include <algorithm>
#include <cmath>

#include "core/training/trainable_attention.h"
#include "core/training/trainable_ssm.h"
#include "kernels/ops/activation.h"
#include "kernels/ops/activation_backward.h"
#include "kernels/ops/copy.h"
#include "kernels/ops/embedding.h"
#include "kernels/ops/norm.h"
#include "kernels/ops/norm_backward.h"

namespace tandem::training {
namespace {

/// Names outside the mixers (models.md 1.2, 2.2, 3.3).
struct Names {
  std::string embedding, layers, final_norm;
};
Names names_of(ModelFamily family) {
  if (family == ModelFamily::Llamba)
    return {"backbone.embedding.weight", "backbone.layers.", "backbone.final_layernorm.weight"};
  return {"model.embed_tokens.weight", "model.layers.", "model.norm.weight"};
}

std::unique_ptr<TrainableMixer> make_mixer(const ModelConfig& config, std::int64_t index,
                                           const std::string& layer, ParameterSet& parameters) {
  if (config.family == ModelFamily::Llamba)
    return std::make_unique<TrainableDiscreteMamba2>(config, layer + "mixer.", parameters);
  const auto& kept = config.attention_layers;
  if (config.family == ModelFamily::Llama || std::binary_search(kept.begin(), kept.end(), index))
    return std::make_unique<TrainableAttention>(config, layer + "self_attn.", parameters);
  return std::make_unique<TrainableHybridMamba2>(config, layer + "mamba.", parameters);
}

}  // namespace

TrainableModel::TrainableModel(const ModelConfig& config) : config_(config) {
  const Names names = names_of(config.family);
  embedding_ = &parameters_.add({{names.embedding, {config.vocab_size, config.d_model}}}, true);
  for (std::int64_t l = 0; l < config.n_layers; ++l) layers_.push_back(make_layer(l));
  final_norm_ = &parameters_.add({{names.final_norm, {config.d_model}}}, false);
  if (config.is_verifier)
    head_.emplace(parameters_.add({{"score.weight", {1, config.d_model}}}, true));
  else if (config.tied_embeddings)
    head_.emplace(*embedding_);
  else
    head_.emplace(parameters_.add({{"lm_head.weight", {config.vocab_size, config.d_model}}}, true));
}

TrainableModel::Layer TrainableModel::make_layer(std::int64_t index) {
  const std::string prefix = names_of(config_.family).layers + std::to_string(index) + ".";
  const auto norm = [&](const char* name) {
    return &parameters_.add({{prefix + name, {config_.d_model}}}, false);
  };
  const auto matrix = [&](std::vector<Parameter::Part> parts) -> Parameter& {
    return parameters_.add(std::move(parts), true);
  };
  // Parameters are added in this order.
  return {norm("input_layernorm.weight"), make_mixer(config_, index, prefix, parameters_),
          norm("post_attention_layernorm.weight"),
          TrainableLinear(matrix({{prefix + "mlp.gate_proj.weight", {config_.d_ff, config_.d_model}},
                                  {prefix + "mlp.up_proj.weight", {config_.d_ff, config_.d_model}}})),
          TrainableLinear(matrix({{prefix + "mlp.down_proj.weight", {config_.d_model, config_.d_ff}}}))};
}

void TrainableModel::initialize(RandomStream random) {
  const double deviation = std::sqrt(2.0 / (5.0 * static_cast<double>(config_.d_model)));
  const double residual = deviation / std::sqrt(2.0 * static_cast<double>(config_.n_layers));
  for (Parameter& parameter : parameters_.all()) {
    const std::string& name = parameter.parts.front().name;
    const bool to_residual = name.ends_with("o_proj.weight") || name.ends_with("out_proj.weight") ||
                             name.ends_with("down_proj.weight");
    float* values = parameter.value.f32();
    for (std::int64_t i = 0; i < parameter.value.elements(); ++i) {
      if (name.ends_with("norm.weight"))
        values[i] = 1.0F;
      else if (parameter.decays)
        values[i] = static_cast<float>(random.normal() * (to_residual ? residual : deviation));
    }
  }
}

Status TrainableModel::read(const Checkpoint& checkpoint) {
  return read_tensors(checkpoint, parameters_.tensors());
}

// x += mixer(norm(x)); x += mlp(norm(x)). Keeps x before both.
void TrainableModel::layer_forward(Context& context, Layer& layer, TensorView x, TensorView scratch) {
  const std::int64_t rows = batch_.rows();
  const TensorView normed = layer.normed.get(context, x.shape());
  copy(context, x, layer.x.get(context, x.shape()));
  rms_norm(context, x, layer.input_norm->value, config_.block_norm_eps, normed);
  layer.mixer->forward(context, batch_, normed, scratch);
  add(context, scratch, x);

  const TensorView middle_normed = layer.middle_normed.get(context, x.shape());
  const TensorView wide = layer.wide.get(context, {rows, 2 * config_.d_ff});
  const TensorView narrow = layer.narrow.get(context, {rows, config_.d_ff});
  copy(context, x, layer.middle.get(context, x.shape()));
  rms_norm(context, x, layer.post_norm->value, config_.block_norm_eps, middle_normed);
  layer.gate_up.forward(context, middle_normed, wide);
  swiglu(context, wide.columns(0, config_.d_ff), wide.columns(config_.d_ff, config_.d_ff), narrow);
  layer.down.forward(context, narrow, scratch);
  add(context, scratch, x);
}

TensorView TrainableModel::forward(Context& context, const BatchShape& batch,
                                   std::span<const std::int32_t> ids) {
  TANDEM_CHECK(static_cast<std::int64_t>(ids.size()) == batch.rows() && batch.rows() > 0,
               std::to_string(ids.size()) + " ids for a batch of " + std::to_string(batch.rows()));
  batch_ = batch;
  ids_.assign(ids.begin(), ids.end());
  const Shape shape = {batch.rows(), config_.d_model};
  const TensorView x = x_.get(context, shape);
  const ScratchScope scope(context);
  embedding(context, embedding_->value, context.place(ids), x);
  for (Layer& layer : layers_) layer_forward(context, layer, x, scratch_.get(context, shape));
  const TensorView normed = last_normed_.get(context, shape);
  rms_norm(context, x, final_norm_->value, config_.norm_eps, normed);
  const TensorView logits =
      logits_.get(context, {batch.rows(), config_.is_verifier ? 1 : config_.vocab_size});
  head_->forward(context, normed, logits);
  return logits;
}

// d_x: in the gradient of the layer's output, out that of its input.
void TrainableModel::layer_backward(Context& context, Layer& layer, TensorView d_x, TensorView d_normed,
                                    TensorView scratch) {
  const std::int64_t rows = batch_.rows();
  const std::int64_t d_ff = config_.d_ff;
  const TensorView wide = layer.wide.get(context, {rows, 2 * d_ff});
  const TensorView d_wide = d_wide_.get(context, wide.shape());
  const TensorView d_narrow = d_narrow_.get(context, {rows, d_ff});
  layer.down.backward(context, layer.narrow.get(context, d_narrow.shape()), d_x, d_narrow);
  swiglu_backward(context, wide.columns(0, d_ff), wide.columns(d_ff, d_ff), d_narrow, d_wide.columns(0, d_ff),
                  d_wide.columns(d_ff, d_ff));
  layer.gate_up.backward(context, layer.middle_normed.get(context, d_x.shape()), d_wide, d_normed);
  rms_norm_backward(context, layer.middle.get(context, d_x.shape()), layer.post_norm->value,
                    config_.block_norm_eps, d_normed, scratch, layer.post_norm->gradient);
  add(context, scratch, d_x);

  layer.mixer->backward(context, batch_, layer.normed.get(context, d_x.shape()), d_x, d_normed);
  rms_norm_backward(context, layer.x.get(context, d_x.shape()), layer.input_norm->value,
                    config_.block_norm_eps, d_normed, scratch, layer.input_norm->gradient);
  add(context, scratch, d_x);
}

void TrainableModel::backward(Context& context, TensorView d_logits) {
  const Shape shape = {batch_.rows(), config_.d_model};
  const TensorView d_x = d_x_.get(context, shape);
  const TensorView d_normed = d_normed_.get(context, shape);
  head_->backward(context, last_normed_.get(context, shape), d_logits, d_normed);
  rms_norm_backward(context, x_.get(context, shape), final_norm_->value, config_.norm_eps, d_normed, d_x,
                    final_norm_->gradient);
  for (auto layer = layers_.rbegin(); layer != layers_.rend(); ++layer)
    layer_backward(context, *layer, d_x, d_normed, scratch_.get(context, shape));
  const ScratchScope scope(context);
  embedding_backward(context, context.place(std::span<const std::int32_t>(ids_)), d_x, embedding_->gradient);
}

}  // namespace tandem::training
