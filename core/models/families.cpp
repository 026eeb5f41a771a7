#include "core/models/families.h"

#include <algorithm>
#include <cstring>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/models/attention_mixer.h"
#include "core/models/ssm_mixer.h"

namespace tandem {
namespace {

/// Takes tensors by name and expected shape. Problems are gathered, so that one error can list them all; once
/// there is one, no more data is read.
class TensorSource {
 public:
  TensorSource(const Checkpoint& checkpoint, DType type, Context& context)
      : checkpoint_(checkpoint), type_(type), context_(context) {}

  Tensor take(const std::string& name, std::initializer_list<std::int64_t> shape) {
    taken_.insert(name);
    const std::vector<std::int64_t> expected(shape);
    if (!checkpoint_.contains(name)) {
      problems_.push_back(
          fmt::format("'{}' is missing, the configuration implies [{}]", name, fmt::join(expected, ", ")));
    } else if (const auto found = checkpoint_.shape(name); found != expected) {
      problems_.push_back(fmt::format("'{}' has shape [{}], the configuration implies [{}]", name,
                                      fmt::join(found, ", "), fmt::join(expected, ", ")));
    }
    if (!ok()) return {};
    auto tensor = checkpoint_.read(name, expected);
    if (!tensor) {
      read_error_ = tensor.error();
      return {};
    }
    return *std::move(tensor);
  }

  /// Rows of several [rows, columns] tensors one under the other, packed as one matrix.
  PackedMatrix pack(const std::vector<Tensor>& parts) {
    if (!ok()) return {};
    if (parts.size() == 1) return PackedMatrix::pack(context_, parts[0], type_);
    std::int64_t rows = 0;
    for (const Tensor& part : parts) rows += part.shape()[0];
    const Tensor stacked = Tensor::uninitialized({rows, parts[0].shape()[1]});
    std::int64_t row = 0;
    for (const Tensor& part : parts) {
      std::memcpy(stacked.view().row(row), part.f32(), static_cast<std::size_t>(part.bytes()));
      row += part.shape()[0];
    }
    return PackedMatrix::pack(context_, stacked, type_);
  }
  PackedMatrix take_packed(const std::string& name, std::initializer_list<std::int64_t> shape) {
    std::vector<Tensor> parts;
    parts.push_back(take(name, shape));
    return pack(parts);
  }

  bool has(const std::string& name) const { return checkpoint_.contains(name); }
  bool ok() const { return problems_.empty() && !read_error_; }

  Status finish() {
    if (read_error_) return *read_error_;
    for (const std::string& name : checkpoint_.names())
      if (!taken_.contains(name) && !name.ends_with("rotary_emb.inv_freq"))
        problems_.push_back("'" + name + "' is not expected");
    if (problems_.empty()) return {};
    constexpr std::size_t kListed = 8;
    const std::size_t listed = std::min(problems_.size(), kListed);
    std::string message = fmt::format(
        "{}: tensors do not fit the configuration: {}", checkpoint_.path(),
        fmt::join(problems_.begin(), problems_.begin() + static_cast<std::ptrdiff_t>(listed), "; "));
    if (listed < problems_.size()) message += fmt::format("; and {} more", problems_.size() - listed);
    return Error{ErrorCode::Mismatch, message};
  }

 private:
  const Checkpoint& checkpoint_;
  DType type_;
  Context& context_;
  std::set<std::string> taken_;
  std::vector<std::string> problems_;
  std::optional<Error> read_error_;
};

template <typename... Tensors>
std::vector<Tensor> list(Tensors&&... tensors) {
  std::vector<Tensor> result;
  (result.push_back(std::forward<Tensors>(tensors)), ...);
  return result;
}

/// The MLP, spelled alike in all three families.
void take_mlp(TensorSource& source, const ModelConfig& config, const std::string& layer,
              LayerWeights& weights) {
  weights.gate_up =
      source.pack(list(source.take(layer + "mlp.gate_proj.weight", {config.d_ff, config.d_model}),
                       source.take(layer + "mlp.up_proj.weight", {config.d_ff, config.d_model})));
  weights.down = source.take_packed(layer + "mlp.down_proj.weight", {config.d_model, config.d_ff});
}

void take_norms(TensorSource& source, const ModelConfig& config, const std::string& layer,
                LayerWeights& weights) {
  weights.input_norm = source.take(layer + "input_layernorm.weight", {config.d_model});
  weights.post_norm = source.take(layer + "post_attention_layernorm.weight", {config.d_model});
}

std::unique_ptr<Mixer> take_attention(TensorSource& source, const ModelConfig& config,
                                      const std::string& prefix) {
  const std::int64_t q_width = config.nheads * config.headdim;
  const std::int64_t kv_width = config.nheads_kv * config.headdim;
  AttentionMixer::Weights w;
  w.qkv = source.pack(list(source.take(prefix + "q_proj.weight", {q_width, config.d_model}),
                           source.take(prefix + "k_proj.weight", {kv_width, config.d_model}),
                           source.take(prefix + "v_proj.weight", {kv_width, config.d_model})));
  w.out = source.take_packed(prefix + "o_proj.weight", {config.d_model, q_width});
  w.nheads = config.nheads;
  w.nheads_kv = config.nheads_kv;
  w.headdim = config.headdim;
  w.frequencies = rope_frequencies(config.headdim, config.rope_theta,
                                   config.rope_scaling ? &*config.rope_scaling : nullptr);
  constexpr const char* kDivisors = "rope_freqs.weight";  // llama3 scaling as GGUF files carry it
  if (source.has(kDivisors)) {
    const Tensor divisors = source.take(kDivisors, {config.headdim / 2});
    for (std::size_t m = 0; m < w.frequencies.size() && !divisors.empty(); ++m)
      w.frequencies[m] /= divisors.f32()[m];
  }
  return std::make_unique<AttentionMixer>(std::move(w));
}

/// Tensors that both recurrent kinds have, under the same leaf names.
SsmMixer::Weights take_ssm(TensorSource& source, const ModelConfig& config, const std::string& prefix,
                           const SsmMixer::Layout& layout, ConvActivation activation) {
  const std::int64_t rows = layout.inner() + layout.conv_width() + layout.nheads;
  SsmMixer::Weights w;
  w.layout = layout;
  w.in_proj = source.take_packed(prefix + "in_proj.weight", {rows, config.d_model});
  w.conv_weight = source.take(prefix + "conv1d.weight", {layout.conv_width(), 1, config.d_conv})
                      .reshape({layout.conv_width(), config.d_conv});
  w.conv_bias = source.take(prefix + "conv1d.bias", {layout.conv_width()});
  w.conv_activation = activation;
  w.skip = source.take(prefix + "D", {layout.nheads});
  w.out_proj = source.take_packed(prefix + "out_proj.weight", {config.d_model, layout.inner()});
  return w;
}

std::unique_ptr<Mixer> take_llamba_mixer(TensorSource& source, const ModelConfig& config,
                                         const std::string& prefix) {
  auto weights = take_ssm(source, config, prefix, llamba_layout(config),
                          config.conv_silu ? ConvActivation::Silu : ConvActivation::Identity);
  return std::make_unique<DiscreteMamba2Mixer>(std::move(weights),
                                               source.take(prefix + "z_bias", {config.d_inner}));
}

std::unique_ptr<Mixer> take_hybrid_mixer(TensorSource& source, const ModelConfig& config,
                                         const std::string& prefix) {
  const SsmMixer::Layout layout = hybrid_layout(config);
  auto weights = take_ssm(source, config, prefix, layout, ConvActivation::Silu);
  HybridMamba2Mixer::Extra extra;
  extra.dt_bias = source.take(prefix + "dt_bias", {layout.nheads});
  extra.a_log = source.take(prefix + "A_log", {layout.nheads});
  extra.norm = source.take(prefix + "norm.weight", {layout.inner()});
  return std::make_unique<HybridMamba2Mixer>(std::move(weights), std::move(extra));
}

/// Names outside the layers, per family.
struct GlobalNames {
  const char* embedding;
  const char* layers;  // "model.layers."
  const char* final_norm;
};
GlobalNames global_names(ModelFamily family) {
  if (family == ModelFamily::Llamba)
    return {"backbone.embedding.weight", "backbone.layers.", "backbone.final_layernorm.weight"};
  return {"model.embed_tokens.weight", "model.layers.", "model.norm.weight"};
}

std::unique_ptr<Mixer> take_mixer(TensorSource& source, const ModelConfig& config, std::int64_t index,
                                  const std::string& layer) {
  switch (config.family) {
    case ModelFamily::Llamba:
      return take_llamba_mixer(source, config, layer + "mixer.");
    case ModelFamily::MambaInLlama:
      if (!std::binary_search(config.attention_layers.begin(), config.attention_layers.end(), index))
        return take_hybrid_mixer(source, config, layer + "mamba.");
      return take_attention(source, config, layer + "self_attn.");
    case ModelFamily::Llama:
      break;
  }
  return take_attention(source, config, layer + "self_attn.");
}

}  // namespace

Result<std::unique_ptr<ModelWeights>> build_weights(const ModelConfig& config, const Checkpoint& checkpoint,
                                                    DType type, Context& context) {
  TensorSource source(checkpoint, type, context);
  const GlobalNames names = global_names(config.family);
  auto weights = std::make_unique<ModelWeights>();
  weights->block_norm_eps = config.block_norm_eps;
  weights->final_norm_eps = config.norm_eps;
  weights->embedding = source.take(names.embedding, {config.vocab_size, config.d_model});
  for (std::int64_t l = 0; l < config.n_layers; ++l) {
    const std::string prefix = names.layers + std::to_string(l) + ".";
    LayerWeights layer;
    take_norms(source, config, prefix, layer);
    layer.mixer = take_mixer(source, config, l, prefix);
    take_mlp(source, config, prefix, layer);
    weights->layers.push_back(std::move(layer));
  }
  weights->final_norm = source.take(names.final_norm, {config.d_model});
  if (config.is_verifier) {
    weights->head = source.take_packed("score.weight", {1, config.d_model});
  } else if (config.tied_embeddings) {
    if (source.ok()) weights->head = PackedMatrix::pack(context, weights->embedding, type);
  } else {
    weights->head = source.take_packed("lm_head.weight", {config.vocab_size, config.d_model});
  }
  TANDEM_RETURN_IF_ERROR(source.finish());
  return weights;
}

}  // namespace tandem
