#include "core/models/families.h"

#include <algorithm>
#include <cmath>

#include "core/models/attention_mixer.h"
#include "core/models/selective_mixer.h"
#include "core/models/ssm_mixer.h"

namespace tandem {
namespace {

/// The MLP, spelled alike in all families that have one.
void take_mlp(TensorSource& source, const ModelConfig& config, const std::string& layer,
              LayerWeights& weights) {
  weights.gate_up = source.pack(
      {{layer + "mlp.gate_proj.weight", config.d_ff}, {layer + "mlp.up_proj.weight", config.d_ff}},
      config.d_model);
  weights.down = source.pack({{layer + "mlp.down_proj.weight", config.d_model}}, config.d_ff);
}

/// Attention under its Llama names, or under the fused ones of MambaInLlama's inference code.
std::unique_ptr<Mixer> take_attention(TensorSource& source, const ModelConfig& config,
                                      const std::string& layer) {
  const std::int64_t q_width = config.nheads * config.headdim;
  const std::int64_t kv_width = config.nheads_kv * config.headdim;
  const std::string split = layer + "self_attn.";
  const std::string fused = layer + "mha.";
  const bool is_fused = source.contains(fused + "in_proj.weight");
  AttentionMixer::Weights w;
  w.qkv = is_fused ? source.pack({{fused + "in_proj.weight", q_width + 2 * kv_width}}, config.d_model)
                   : source.pack({{split + "q_proj.weight", q_width},
                                  {split + "k_proj.weight", kv_width},
                                  {split + "v_proj.weight", kv_width}},
                                 config.d_model);
  w.out = source.pack({{is_fused ? fused + "out_proj.weight" : split + "o_proj.weight", config.d_model}},
                      q_width);
  w.nheads = config.nheads;
  w.nheads_kv = config.nheads_kv;
  w.headdim = config.headdim;
  const bool scaled = config.attention_rope == AttentionRope::ByNames
                          ? !is_fused
                          : config.attention_rope == AttentionRope::Scaled;
  const std::vector<float> frequencies = rope_frequencies(
      config.headdim, config.rope_theta, scaled && config.rope_scaling ? &*config.rope_scaling : nullptr);
  w.frequencies = Tensor::uninitialized({config.headdim / 2});
  std::copy(frequencies.begin(), frequencies.end(), w.frequencies.f32());
  constexpr const char* kDivisors = "rope_freqs.weight";  // llama3 scaling as GGUF files carry it
  if (source.contains(kDivisors)) {
    const Tensor divisors = source.take_host(kDivisors, {config.headdim / 2});
    for (std::int64_t m = 0; m < divisors.elements(); ++m) w.frequencies.f32()[m] /= divisors.f32()[m];
  }
  w.frequencies = source.place(std::move(w.frequencies));
  return std::make_unique<AttentionMixer>(std::move(w));
}

/// Tensors that all SSD mixers have, under the same leaf names.
SsmMixer::Weights take_ssm(TensorSource& source, const ModelConfig& config, const std::string& prefix,
                           const SsmMixer::Layout& layout, ConvActivation activation) {
  const std::int64_t rows = layout.inner() + layout.conv_width() + layout.nheads;
  SsmMixer::Weights w;
  w.layout = layout;
  w.in_proj = source.pack({{prefix + "in_proj.weight", rows}}, config.d_model);
  w.conv_weight = source.take(prefix + "conv1d.weight", {layout.conv_width(), 1, layout.d_conv})
                      .reshape({layout.conv_width(), layout.d_conv});
  w.conv_bias = source.take(prefix + "conv1d.bias", {layout.conv_width()});
  w.conv_activation = activation;
  w.skip = source.take(prefix + "D", {layout.nheads});
  w.out_proj = source.pack({{prefix + "out_proj.weight", config.d_model}}, layout.inner());
  return w;
}

std::unique_ptr<Mixer> take_llamba_mixer(TensorSource& source, const ModelConfig& config,
                                         const std::string& prefix) {
  auto weights = take_ssm(source, config, prefix, llamba_layout(config),
                          config.conv_silu ? ConvActivation::Silu : ConvActivation::Identity);
  return std::make_unique<DiscreteMamba2Mixer>(std::move(weights),
                                               source.take(prefix + "z_bias", {config.d_inner}));
}

std::unique_ptr<Mixer> take_mamba2(TensorSource& source, const ModelConfig& config, const std::string& prefix,
                                   const SsmMixer::Layout& layout, Mamba2Mixer::Extra extra) {
  auto weights = take_ssm(source, config, prefix, layout, ConvActivation::Silu);
  extra.dt_bias = source.take(prefix + "dt_bias", {layout.nheads});
  extra.a_log = source.take(prefix + "A_log", {layout.nheads});
  extra.norm = source.take(prefix + "norm.weight", {layout.inner()});
  return std::make_unique<Mamba2Mixer>(std::move(weights), std::move(extra));
}

/// Training keeps the projections of a Mamba-1-style mixer apart, inference code fuses them.
std::unique_ptr<Mixer> take_selective_mixer(TensorSource& source, const ModelConfig& config,
                                            const std::string& prefix) {
  SelectiveMixer::Weights w;
  w.layout = selective_layout(config);
  const SelectiveMixer::Layout& layout = w.layout;
  w.in_proj = source.contains(prefix + "in_proj.weight")
                  ? source.pack({{prefix + "in_proj.weight", layout.rows()}}, config.d_model)
                  : source.pack({{prefix + "in_proj_z.weight", layout.channels},
                                 {prefix + "in_proj_x.weight", layout.d_xb},
                                 {prefix + "B_proj.weight", layout.d_xb},
                                 {prefix + "C_proj.weight", layout.channels},
                                 {prefix + "dt_proj_down.weight", layout.dt_rank}},
                                config.d_model);
  w.conv_weight = source.take(prefix + "conv1d.weight", {layout.channels, 1, layout.d_conv})
                      .reshape({layout.channels, layout.d_conv});
  w.conv_bias = source.take(prefix + "conv1d.bias", {layout.channels});
  w.dt_proj = source.pack({{prefix + "dt_proj.weight", layout.channels}}, layout.dt_rank);
  w.dt_bias = source.take(prefix + "dt_proj.bias", {layout.channels}, double_bias);
  w.a = source.take(prefix + "A_log", {layout.channels, layout.dstate}, [](Tensor& a) {
    for (std::int64_t i = 0; i < a.elements(); ++i) a.f32()[i] = -std::exp(a.f32()[i]);
  });
  w.skip = source.take_host(prefix + "D", {layout.channels});
  if (!w.skip.empty()) w.mean_skip = mean_skip(w.skip, layout.nheads);
  w.skip = source.place(std::move(w.skip));
  w.out_proj = source.pack({{prefix + "out_proj.weight", config.d_model}}, layout.channels);
  return std::make_unique<SelectiveMixer>(std::move(w));
}

std::unique_ptr<Mixer> take_hybrid_layer(TensorSource& source, const ModelConfig& config, std::int64_t index,
                                         const std::string& layer) {
  if (std::binary_search(config.attention_layers.begin(), config.attention_layers.end(), index))
    return take_attention(source, config, layer);
  if (config.dt_rank > 0) return take_selective_mixer(source, config, layer + "mamba.");
  const SsmMixer::Layout layout = hybrid_layout(config);
  Mamba2Mixer::Extra extra;
  extra.kind = MixerKind::HybridMamba2;
  extra.norm_group = layout.headdim;
  return take_mamba2(source, config, layer + "mamba.", layout, std::move(extra));
}

std::unique_ptr<Mixer> take_mixer(TensorSource& source, const ModelConfig& config, std::int64_t index,
                                  const std::string& layer) {
  switch (config.family) {
    case ModelFamily::Llamba:
      return take_llamba_mixer(source, config, layer + "mixer.");
    case ModelFamily::MambaInLlama:
      return take_hybrid_layer(source, config, index, layer);
    case ModelFamily::Mamba2: {
      Mamba2Mixer::Extra extra;
      extra.norm_group = config.norm_group;
      extra.norm_eps = config.block_norm_eps;
      return take_mamba2(source, config, layer + "mixer.", mamba2_layout(config), std::move(extra));
    }
    case ModelFamily::Llama:
      break;
  }
  return take_attention(source, config, layer);
}

/// Names outside the mixers and MLPs, per family.
struct Names {
  std::string embedding, layers, input_norm, post_norm, final_norm;
};
Names names_of(ModelFamily family, const TensorSource& source) {
  switch (family) {
    case ModelFamily::Llamba:
      return {"backbone.embedding.weight", "backbone.layers.", "input_layernorm.weight",
              "post_attention_layernorm.weight", "backbone.final_layernorm.weight"};
    case ModelFamily::Mamba2: {
      const std::string plural = "backbone.embeddings.weight";  // as the transformers library has it
      return {source.contains(plural) ? plural : "backbone.embedding.weight", "backbone.layers.",
              "norm.weight", "", "backbone.norm_f.weight"};
    }
    case ModelFamily::Llama:
    case ModelFamily::MambaInLlama:
      break;
  }
  return {"model.embed_tokens.weight", "model.layers.", "input_layernorm.weight",
          "post_attention_layernorm.weight", "model.norm.weight"};
}

LayerWeights take_layer(TensorSource& source, const ModelConfig& config, std::int64_t index,
                        const Names& names) {
  const std::string prefix = names.layers + std::to_string(index) + ".";
  LayerWeights layer;
  layer.input_norm = source.take(prefix + names.input_norm, {config.d_model});
  layer.mixer = take_mixer(source, config, index, prefix);
  if (config.d_ff == 0) return layer;
  layer.post_norm = source.take(prefix + names.post_norm, {config.d_model});
  take_mlp(source, config, prefix, layer);
  return layer;
}

}  // namespace

std::unique_ptr<ModelWeights> build_weights(const ModelConfig& config, TensorSource& source) {
  const Names names = names_of(config.family, source);
  auto weights = std::make_unique<ModelWeights>();
  weights->block_norm_eps = config.block_norm_eps;
  weights->final_norm_eps = config.norm_eps;
  weights->embedding = source.take_table(names.embedding, config.vocab_size, config.d_model);
  for (std::int64_t l = 0; l < config.n_layers; ++l)
    weights->layers.push_back(take_layer(source, config, l, names));
  weights->final_norm = source.take(names.final_norm, {config.d_model});
  if (config.is_verifier) {
    weights->head = source.pack({{"score.weight", 1}}, config.d_model);
  } else if (config.tied_embeddings) {
    source.accept_copy("lm_head.weight", names.embedding);
    weights->head = source.pack_again(weights->embedding, names.embedding, config.vocab_size, config.d_model);
  } else {
    weights->head = source.pack({{"lm_head.weight", config.vocab_size}}, config.d_model);
  }
  return weights;
}

}  // namespace tandem
