#include "core/checkpoint/model_config.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/base/file.h"
#include "core/base/json.h"
#include "core/checkpoint/model_limits.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::int64_t kMaxConfigBytes = 16 << 20;

struct JsonFile {
  std::string name;
  std::string text;
  json document;

  JsonFields fields() const { return {document, name}; }
};

Result<JsonFile> read_json_file(const fs::path& path) {
  JsonFile file;
  file.name = path.filename().string();
  TANDEM_TRY(file.text, read_file(path.string(), kMaxConfigBytes));
  TANDEM_TRY(file.document, parse_json_object(file.text, file.name));
  return file;
}

Error unsupported(std::string message) {
  return {ErrorCode::Unsupported, std::move(message)};
}

Error mismatch(std::string message) {
  return {ErrorCode::Mismatch, std::move(message)};
}

Status require_multiple(std::string_view file, const char* name, std::int64_t value, const char* of,
                        std::int64_t divisor) {
  if (value % divisor == 0) return {};
  return mismatch(fmt::format("{}: {} = {} is not a multiple of {} = {}", file, name, value, of, divisor));
}

/// A switch that must have the one value Tandem computes with.
Status require_flag(const JsonFields& fields, std::string_view where, const char* name, bool wanted) {
  TANDEM_TRY(const bool found, fields.boolean(name, wanted));
  if (found == wanted) return {};
  return unsupported(fmt::format("{}: {} = {} is not supported, only {}", where, name, found, wanted));
}

Status require_text(const JsonFields& fields, std::string_view where, const char* name,
                    std::string_view wanted) {
  TANDEM_TRY(const std::string found, fields.text(name, wanted));
  if (found == wanted) return {};
  return unsupported(fmt::format(R"({}: {} = "{}" is not supported, only "{}")", where, name, found, wanted));
}

/// rope_theta and rope_scaling; newer files keep both in one object, rope_parameters.
Status read_rope(const JsonFile& file, ModelConfig& config) {
  const JsonFields top = file.fields();
  const char* object_name = top.has("rope_parameters") ? "rope_parameters" : "rope_scaling";
  TANDEM_TRY(config.rope_theta, top.number("rope_theta", 1, 1e12, config.rope_theta));
  if (!top.has(object_name)) return {};
  TANDEM_TRY(const json* const object, top.object(object_name));
  const std::string where = file.name + ": " + object_name;
  const JsonFields fields(*object, where);
  TANDEM_TRY(config.rope_theta, fields.number("rope_theta", 1, 1e12, config.rope_theta));
  TANDEM_TRY(const std::string type, fields.text(fields.has("rope_type") ? "rope_type" : "type"));
  if (type == "default") return {};
  if (type != "llama3")
    return unsupported(
        fmt::format(R"({}: rope_type "{}" is not supported, only "llama3" and "default")", where, type));
  RopeScaling scaling;
  TANDEM_TRY(scaling.factor, fields.number("factor", 1, 1e6));
  TANDEM_TRY(scaling.low_freq_factor, fields.number("low_freq_factor", 1e-6, 1e6));
  TANDEM_TRY(scaling.high_freq_factor, fields.number("high_freq_factor", 1e-6, 1e6));
  TANDEM_TRY(scaling.original_max_position_embeddings,
             fields.number("original_max_position_embeddings", 1, 1e12));
  if (scaling.high_freq_factor <= scaling.low_freq_factor)
    return fields.wrong("high_freq_factor",
                        fmt::format("more than low_freq_factor = {}", scaling.low_freq_factor));
  config.rope_scaling = scaling;
  return {};
}

/// LlamaForSequenceClassification with one label: a reward model's format. Its head is not the embedding,
/// whatever tie_word_embeddings says.
Status read_head(const JsonFile& file, ModelConfig& config) {
  const JsonFields fields = file.fields();
  TANDEM_TRY(config.tied_embeddings, fields.boolean("tie_word_embeddings", false));
  if (!fields.has("architectures")) return {};
  TANDEM_TRY(const json* const names, fields.array("architectures"));
  if (std::find(names->begin(), names->end(), "LlamaForSequenceClassification") == names->end()) return {};
  constexpr std::int64_t kUnsaid = 2;  // what the format means without id2label
  std::int64_t labels = kUnsaid;
  if (fields.has("id2label")) {
    TANDEM_TRY(const json* const list, fields.object("id2label"));
    labels = static_cast<std::int64_t>(list->size());
  }
  if (labels != 1)
    return unsupported(fmt::format(
        "{}: a LlamaForSequenceClassification with {} labels (id2label), only one with a single label, "
        "a reward, is supported",
        file.name, labels));
  config.is_verifier = true;
  config.tied_embeddings = false;
  return {};
}

/// Everything LlamaForCausalLM needs (models.md 1.1); the hybrids build on it.
Status read_llama(const JsonFile& file, ModelConfig& config) {
  const JsonFields fields = file.fields();
  TANDEM_TRY(config.vocab_size, fields.integer("vocab_size", 1, kMaxVocab));
  TANDEM_TRY(config.d_model, fields.integer("hidden_size", 1, kMaxWidth));
  TANDEM_TRY(config.n_layers, fields.integer("num_hidden_layers", 1, kMaxLayers));
  TANDEM_TRY(config.d_ff, fields.integer("intermediate_size", 1, kMaxWidth));
  TANDEM_TRY(config.nheads, fields.integer("num_attention_heads", 1, kMaxWidth));
  TANDEM_TRY(config.nheads_kv, fields.integer("num_key_value_heads", 1, kMaxWidth, config.nheads));
  TANDEM_RETURN_IF_ERROR(require_multiple(file.name, "num_attention_heads", config.nheads,
                                          "num_key_value_heads", config.nheads_kv));
  if (!fields.has("head_dim")) {
    TANDEM_RETURN_IF_ERROR(
        require_multiple(file.name, "hidden_size", config.d_model, "num_attention_heads", config.nheads));
  }
  TANDEM_TRY(config.headdim, fields.integer("head_dim", 1, kMaxWidth, config.d_model / config.nheads));
  if (config.headdim % 2 != 0)
    return mismatch(fmt::format("{}: the head dimension is {}, rotary positions need an even one", file.name,
                                config.headdim));
  TANDEM_TRY(const double eps, fields.number("rms_norm_eps", 1e-12, 1, 1e-6));
  config.norm_eps = config.block_norm_eps = static_cast<float>(eps);
  TANDEM_RETURN_IF_ERROR(read_head(file, config));
  TANDEM_TRY(config.max_context, fields.integer("max_position_embeddings", 1, kMaxContext));
  TANDEM_RETURN_IF_ERROR(require_text(fields, file.name, "hidden_act", "silu"));
  TANDEM_RETURN_IF_ERROR(require_flag(fields, file.name, "attention_bias", false));
  TANDEM_RETURN_IF_ERROR(require_flag(fields, file.name, "mlp_bias", false));
  return read_rope(file, config);
}

Status read_llamba_mixer(const JsonFile& file, ModelConfig& config) {
  const std::string where = file.name + ": ssm_cfg";
  TANDEM_TRY(const json* const object, file.fields().object("ssm_cfg"));
  const JsonFields ssm(*object, where);
  TANDEM_TRY(const std::int64_t expand, ssm.integer("expand", 1, 64, 1));
  config.d_inner = expand * config.d_model;
  TANDEM_TRY(config.d_state, ssm.integer("d_state", 1, kMaxWidth, 64));
  TANDEM_TRY(config.d_conv, ssm.integer("d_conv", 1, 64, 4));
  TANDEM_TRY(config.n_v_heads, ssm.integer("n_v_heads", 1, kMaxWidth, 32));
  TANDEM_TRY(config.n_qk_heads, ssm.integer("n_qk_heads", 1, kMaxWidth, 32));
  TANDEM_TRY(config.chunk, ssm.integer("chunk_size", 1, 1 << 16, 128));
  TANDEM_RETURN_IF_ERROR(require_multiple(where, "d_inner", config.d_inner, "n_v_heads", config.n_v_heads));
  TANDEM_RETURN_IF_ERROR(
      require_multiple(where, "n_v_heads", config.n_v_heads, "n_qk_heads", config.n_qk_heads));
  TANDEM_RETURN_IF_ERROR(require_flag(ssm, where, "bias", false));
  TANDEM_RETURN_IF_ERROR(require_flag(ssm, where, "conv_bias", true));
  TANDEM_TRY(const std::string activation, ssm.text("activation", "identity"));
  if (activation != "identity" && activation != "silu")
    return unsupported(fmt::format(R"({}: activation = "{}" is not supported, only "identity" and "silu")",
                                   where, activation));
  config.conv_silu = activation == "silu";
  return {};
}

/// models.md 2.1
Status read_llamba(const JsonFile& file, ModelConfig& config) {
  const JsonFields fields = file.fields();
  TANDEM_TRY(const std::int64_t vocab, fields.integer("vocab_size", 1, kMaxVocab));
  TANDEM_TRY(const std::int64_t multiple, fields.integer("pad_vocab_size_multiple", 1, 1 << 16, 8));
  config.vocab_size = (vocab + multiple - 1) / multiple * multiple;
  TANDEM_TRY(config.d_model, fields.integer("d_model", 1, kMaxWidth));
  TANDEM_TRY(config.n_layers, fields.integer("n_layer", 1, kMaxLayers));
  TANDEM_TRY(const double eps, fields.number("norm_epsilon", 1e-12, 1, 1e-5));
  config.norm_eps = static_cast<float>(eps);
  config.block_norm_eps = 1e-5F;  // fixed in the architecture, whatever norm_epsilon says
  TANDEM_TRY(config.tied_embeddings, fields.boolean("tie_embeddings", true));
  TANDEM_RETURN_IF_ERROR(require_flag(fields, file.name, "lm_head_bias", false));
  const std::string where = file.name + ": mlp_cfg";
  TANDEM_TRY(const json* const object, fields.object("mlp_cfg"));
  const JsonFields mlp(*object, where);
  TANDEM_TRY(config.d_ff, mlp.integer("intermediate_size", 1, kMaxWidth));
  TANDEM_RETURN_IF_ERROR(require_flag(mlp, where, "bias", false));
  TANDEM_RETURN_IF_ERROR(require_text(mlp, where, "act_fn", "silu"));
  return read_llamba_mixer(file, config);
}

Status read_attention_layers(const JsonFile& file, ModelConfig& config) {
  TANDEM_TRY(const json* const layers, file.fields().array("attn_layers"));
  for (const json& layer : *layers) {
    const bool in_range = layer.is_number_unsigned() &&
                          layer.get<std::uint64_t>() < static_cast<std::uint64_t>(config.n_layers);
    if (!in_range)
      return Error{ErrorCode::BadFormat, fmt::format("{}: attn_layers holds {}, wanted layers from 0 to {}",
                                                     file.name, describe_json(layer), config.n_layers - 1)};
    config.attention_layers.push_back(layer.get<std::int64_t>());
  }
  std::sort(config.attention_layers.begin(), config.attention_layers.end());
  const auto twice = std::adjacent_find(config.attention_layers.begin(), config.attention_layers.end());
  if (twice != config.attention_layers.end())
    return Error{ErrorCode::BadFormat,
                 fmt::format("{}: attn_layers names layer {} twice", file.name, *twice)};
  return {};
}

/// ssm_cfg and the widths of a Mamba-2-style mixer (models.md 3.2 and 3.5).
Status read_hybrid_mixer(const JsonFile& file, ModelConfig& config) {
  const JsonFields fields = file.fields();
  const std::string where = file.name + ": ssm_cfg";
  TANDEM_TRY(const json* const object, fields.object("ssm_cfg"));
  const JsonFields ssm(*object, where);
  if (!ssm.has("ngroups"))
    return unsupported(where +
                       " has no ngroups: these are Mamba-1-style mixers, and of MambaInLlama only the "
                       "Mamba-2-style ones are supported");
  TANDEM_TRY(config.ngroups, ssm.integer("ngroups", 1, kMaxWidth));
  TANDEM_TRY(config.d_state, ssm.integer("d_state", 1, kMaxWidth));
  TANDEM_TRY(config.d_conv, ssm.integer("d_conv", 1, 64, 4));
  TANDEM_TRY(config.chunk, ssm.integer("chunk_size", 1, 1 << 16, 256));
  TANDEM_TRY(const std::int64_t expand, ssm.integer("expand", 1, 64, 1));
  TANDEM_RETURN_IF_ERROR(require_flag(ssm, where, "repeat_kv_before_conv", false));
  TANDEM_RETURN_IF_ERROR(require_flag(ssm, where, "conv_bias", true));
  TANDEM_RETURN_IF_ERROR(require_flag(ssm, where, "bias", false));
  TANDEM_TRY(config.d_inner, fields.integer("d_inner", 1, kMaxWidth, expand * config.d_model));
  TANDEM_TRY(config.d_xb, fields.integer("d_xb", 1, kMaxWidth));
  if (config.ngroups * config.d_state != config.d_inner)
    return mismatch(fmt::format("{}: d_inner = {}, wanted ngroups * d_state = {} * {}", file.name,
                                config.d_inner, config.ngroups, config.d_state));
  TANDEM_RETURN_IF_ERROR(require_multiple(file.name, "d_xb", config.d_xb, "d_state", config.d_state));
  return require_multiple(file.name, "d_inner", config.d_inner, "d_xb", config.d_xb);
}

/// mamba_config.json beside a Llama configuration.
Status read_hybrid(const JsonFile& file, ModelConfig& config) {
  const JsonFields fields = file.fields();
  const std::pair<const char*, std::int64_t> shared[] = {
      {"d_model", config.d_model}, {"n_layer", config.n_layers}, {"intermediate_size", config.d_ff}};
  for (const auto& [name, wanted] : shared) {
    TANDEM_TRY(const std::int64_t found, fields.integer(name, 1, kMaxWidth));
    if (found != wanted)
      return mismatch(fmt::format("{}: {} = {}, config.json has {}", file.name, name, found, wanted));
  }
  TANDEM_TRY(const double eps, fields.number("rms_norm_eps", 1e-12, 1, 1e-5));
  if (static_cast<float>(eps) != config.norm_eps)
    return mismatch(
        fmt::format("{}: rms_norm_eps = {}, config.json has {}", file.name, eps, config.norm_eps));
  TANDEM_RETURN_IF_ERROR(require_text(fields, file.name, "hidden_act", "silu"));
  TANDEM_RETURN_IF_ERROR(read_attention_layers(file, config));
  return read_hybrid_mixer(file, config);
}

/// eos_token_id: null, one id or a list. Returns whether the file says anything.
Result<bool> read_eos(const JsonFile& file, ModelConfig& config) {
  const JsonFields fields = file.fields();
  if (!fields.has("eos_token_id")) return false;
  const json& stored = file.document["eos_token_id"];
  const json list = stored.is_array() ? stored : json::array({stored});
  for (const json& id : list) {
    if (!id.is_number_unsigned() || id.get<std::uint64_t>() >= static_cast<std::uint64_t>(config.vocab_size))
      return Error{ErrorCode::BadFormat, fmt::format("{}: eos_token_id holds {}, wanted token ids below {}",
                                                     file.name, describe_json(id), config.vocab_size)};
    config.eos_ids.push_back(id.get<std::int32_t>());
  }
  return true;
}

}  // namespace

const char* model_family_name(ModelFamily family) {
  switch (family) {
    case ModelFamily::Llama:
      return "llama";
    case ModelFamily::Llamba:
      return "llamba";
    case ModelFamily::MambaInLlama:
      return "mamba_in_llama";
  }
  return "unknown";
}

Result<ModelConfig> read_model_config(const std::string& folder) {
  const fs::path root = folder;
  std::error_code ignored;
  TANDEM_TRY(const JsonFile file, read_json_file(root / "config.json"));
  TANDEM_TRY(const std::string type, file.fields().text("model_type"));
  ModelConfig config;
  config.json = file.text;
  if (type == "llamba") {
    config.family = ModelFamily::Llamba;
    TANDEM_RETURN_IF_ERROR(read_llamba(file, config));
  } else if (type == "llama") {
    TANDEM_RETURN_IF_ERROR(read_llama(file, config));
    if (fs::exists(root / "mamba_config.json", ignored)) {
      if (config.is_verifier)
        return unsupported(
            "config.json: a LlamaForSequenceClassification with mamba_config.json beside it "
            "is not supported, only with attention in every layer");
      config.family = ModelFamily::MambaInLlama;
      TANDEM_TRY(const JsonFile hybrid, read_json_file(root / "mamba_config.json"));
      TANDEM_RETURN_IF_ERROR(read_hybrid(hybrid, config));
    }
  } else {
    return unsupported(
        fmt::format("config.json: model_type \"{}\" is not supported, only \"llama\" (with or without "
                    "mamba_config.json) and \"llamba\"",
                    type));
  }
  bool said = false;
  if (fs::exists(root / "generation_config.json", ignored)) {
    TANDEM_TRY(const JsonFile generation, read_json_file(root / "generation_config.json"));
    TANDEM_TRY(said, read_eos(generation, config));
  }
  if (!said) {
    TANDEM_TRY(said, read_eos(file, config));
  }
  return config;
}

}  // namespace tandem
