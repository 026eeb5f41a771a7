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

/// Python's json writes bare Infinity and NaN (Mamba-2's time_step_limit), which JSON lacks: null takes their
/// place.
std::string standard_json(std::string_view text) {
  std::string result;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    for (const std::string_view bare : {"-Infinity", "Infinity", "NaN"}) {
      if (quoted || !text.substr(i).starts_with(bare)) continue;
      result += "null";
      i += bare.size();
    }
    if (i >= text.size()) break;
    if (quoted && text[i] == '\\' && i + 1 < text.size()) {
      result += text[i++];
    } else if (text[i] == '"') {
      quoted = !quoted;
    }
    result += text[i];
  }
  return result;
}

Result<JsonFile> parse_json_file(std::string_view name, std::string_view text) {
  JsonFile file;
  file.name = name;
  file.text = standard_json(text);
  TANDEM_TRY(file.document, parse_json_object(file.text, file.name));
  return file;
}

/// The text of a file that need not exist.
Result<std::optional<std::string>> read_if_present(const fs::path& path) {
  std::error_code ignored;
  if (!fs::exists(path, ignored)) return std::optional<std::string>();
  TANDEM_TRY(std::string text, read_file(path.string(), kMaxConfigBytes));
  return std::optional<std::string>(std::move(text));
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

/// d_inner and d_xb, and what both styles of mixer ask of ssm_cfg (models.md 3.2).
Status read_hybrid_widths(const JsonFile& file, const JsonFields& ssm, const std::string& where,
                          ModelConfig& config) {
  const JsonFields fields = file.fields();
  TANDEM_TRY(const std::int64_t expand, ssm.integer("expand", 1, 64, 1));
  TANDEM_TRY(config.d_inner, fields.integer("d_inner", 1, kMaxWidth, expand * config.d_model));
  TANDEM_TRY(config.d_xb, fields.integer("d_xb", 1, kMaxWidth));
  TANDEM_TRY(config.d_conv, ssm.integer("d_conv", 1, 64, 4));
  TANDEM_RETURN_IF_ERROR(require_flag(ssm, where, "conv_bias", true));
  TANDEM_RETURN_IF_ERROR(require_flag(ssm, where, "bias", false));
  return require_multiple(file.name, "d_inner", config.d_inner, "d_xb", config.d_xb);
}

/// A Mamba-2-style mixer (models.md 3.5).
Status read_mamba2_style(const JsonFile& file, const JsonFields& ssm, const std::string& where,
                         ModelConfig& config) {
  TANDEM_TRY(config.ngroups, ssm.integer("ngroups", 1, kMaxWidth));
  TANDEM_TRY(config.d_state, ssm.integer("d_state", 1, kMaxWidth));
  TANDEM_TRY(config.chunk, ssm.integer("chunk_size", 1, 1 << 16, 256));
  TANDEM_RETURN_IF_ERROR(require_flag(ssm, where, "repeat_kv_before_conv", false));
  if (config.ngroups * config.d_state != config.d_inner)
    return mismatch(fmt::format("{}: d_inner = {}, wanted ngroups * d_state = {} * {}", file.name,
                                config.d_inner, config.ngroups, config.d_state));
  return require_multiple(file.name, "d_xb", config.d_xb, "d_state", config.d_state);
}

/// A Mamba-1-style mixer (models.md 3.4): its channels are shown in blocks of the attention's heads.
Status read_mamba1_style(const JsonFile& file, const JsonFields& ssm, const std::string& where,
                         ModelConfig& config) {
  TANDEM_TRY(config.d_state, ssm.integer("d_state", 1, kMaxWidth, 16));
  const std::int64_t by_width = (config.d_model + 15) / 16;
  const auto rank = ssm.text("dt_rank", "auto");
  if (rank.ok() && *rank == "auto") {
    config.dt_rank = by_width;
  } else {
    TANDEM_TRY(config.dt_rank, ssm.integer("dt_rank", 1, kMaxWidth));
  }
  TANDEM_RETURN_IF_ERROR(require_flag(ssm, where, "repeat_kv_before_conv", true));
  TANDEM_RETURN_IF_ERROR(require_multiple(file.name, "d_xb", config.d_xb, "d_state", config.d_state));
  return require_multiple(file.name, "d_inner", config.d_inner, "num_attention_heads", config.nheads);
}

Status read_hybrid_mixer(const JsonFile& file, ModelConfig& config) {
  const std::string where = file.name + ": ssm_cfg";
  TANDEM_TRY(const json* const object, file.fields().object("ssm_cfg"));
  const JsonFields ssm(*object, where);
  TANDEM_RETURN_IF_ERROR(read_hybrid_widths(file, ssm, where, config));
  return ssm.has("ngroups") ? read_mamba2_style(file, ssm, where, config)
                            : read_mamba1_style(file, ssm, where, config);
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
  TANDEM_TRY(const std::string rope, fields.text("attn_rope", ""));
  if (!rope.empty()) {
    if (rope != "scaled" && rope != "unscaled") return fields.wrong("attn_rope", R"("scaled" or "unscaled")");
    config.attention_rope = rope == "scaled" ? AttentionRope::Scaled : AttentionRope::Unscaled;
  }
  TANDEM_RETURN_IF_ERROR(read_attention_layers(file, config));
  return read_hybrid_mixer(file, config);
}

/// model_type "mamba2": the names that the transformers library gives the fields.
Status read_mamba2_hf(const JsonFile& file, ModelConfig& config) {
  const JsonFields fields = file.fields();
  TANDEM_TRY(config.vocab_size, fields.integer("vocab_size", 1, kMaxVocab));
  TANDEM_TRY(config.d_model, fields.integer("hidden_size", 1, kMaxWidth));
  TANDEM_TRY(config.n_layers, fields.integer("num_hidden_layers", 1, kMaxLayers));
  TANDEM_TRY(config.n_v_heads, fields.integer("num_heads", 1, kMaxWidth));
  TANDEM_TRY(config.n_qk_heads, fields.integer("n_groups", 1, kMaxWidth, 1));
  TANDEM_TRY(config.d_state, fields.integer("state_size", 1, kMaxWidth, 128));
  TANDEM_TRY(config.d_conv, fields.integer("conv_kernel", 1, 64, 4));
  TANDEM_TRY(config.chunk, fields.integer("chunk_size", 1, 1 << 16, 256));
  TANDEM_TRY(const std::int64_t expand, fields.integer("expand", 1, 64, 2));
  TANDEM_TRY(const std::int64_t headdim, fields.integer("head_dim", 1, kMaxWidth, 64));
  config.d_inner = config.norm_group = expand * config.d_model;
  if (config.n_v_heads * headdim != config.d_inner)
    return mismatch(fmt::format("{}: expand * hidden_size = {}, wanted num_heads * head_dim = {} * {}",
                                file.name, config.d_inner, config.n_v_heads, headdim));
  TANDEM_TRY(const double eps, fields.number("layer_norm_epsilon", 1e-12, 1, 1e-5));
  config.norm_eps = config.block_norm_eps = static_cast<float>(eps);
  TANDEM_TRY(config.tied_embeddings, fields.boolean("tie_word_embeddings", false));
  TANDEM_RETURN_IF_ERROR(require_text(fields, file.name, "hidden_act", "silu"));
  TANDEM_RETURN_IF_ERROR(require_flag(fields, file.name, "use_bias", false));
  TANDEM_RETURN_IF_ERROR(require_flag(fields, file.name, "use_conv_bias", true));
  TANDEM_RETURN_IF_ERROR(require_flag(fields, file.name, "rms_norm", true));
  if (fields.has("time_step_limit")) {
    TANDEM_TRY(const json* const limit, fields.array("time_step_limit"));
    const bool unlimited = limit->size() == 2 && (*limit)[0] == 0.0 && !(*limit)[1].is_number();
    if (!unlimited) return unsupported(file.name + ": time_step_limit is only supported as [0, Infinity]");
  }
  return require_multiple(file.name, "num_heads", config.n_v_heads, "n_groups", config.n_qk_heads);
}

/// ssm_cfg.layer "Mamba2": the names of the state-spaces models, which say little and default much.
Status read_mamba2_state_spaces(const JsonFile& file, const JsonFields& ssm, const std::string& where,
                                ModelConfig& config) {
  const JsonFields fields = file.fields();
  TANDEM_TRY(const std::int64_t vocab, fields.integer("vocab_size", 1, kMaxVocab));
  TANDEM_TRY(const std::int64_t multiple, fields.integer("pad_vocab_size_multiple", 1, 1 << 16, 8));
  config.vocab_size = (vocab + multiple - 1) / multiple * multiple;
  TANDEM_TRY(config.d_model, fields.integer("d_model", 1, kMaxWidth));
  TANDEM_TRY(config.n_layers, fields.integer("n_layer", 1, kMaxLayers));
  TANDEM_TRY(const std::int64_t d_intermediate, fields.integer("d_intermediate", 0, kMaxWidth, 0));
  if (d_intermediate != 0)
    return unsupported(
        fmt::format("{}: d_intermediate = {} is not supported, only 0", file.name, d_intermediate));
  if (fields.has("attn_layer_idx")) {
    TANDEM_TRY(const json* const attention, fields.array("attn_layer_idx"));
    if (!attention->empty())
      return unsupported(file.name + ": attn_layer_idx names layers, only recurrent ones are supported");
  }
  TANDEM_RETURN_IF_ERROR(require_flag(fields, file.name, "rms_norm", true));
  TANDEM_TRY(config.tied_embeddings, fields.boolean("tie_embeddings", true));
  TANDEM_TRY(config.d_state, ssm.integer("d_state", 1, kMaxWidth, 128));
  TANDEM_TRY(config.d_conv, ssm.integer("d_conv", 1, 64, 4));
  TANDEM_TRY(config.chunk, ssm.integer("chunk_size", 1, 1 << 16, 256));
  TANDEM_TRY(config.n_qk_heads, ssm.integer("ngroups", 1, kMaxWidth, 1));
  TANDEM_TRY(const std::int64_t expand, ssm.integer("expand", 1, 64, 2));
  TANDEM_TRY(const std::int64_t headdim, ssm.integer("headdim", 1, kMaxWidth, 64));
  TANDEM_RETURN_IF_ERROR(require_flag(ssm, where, "bias", false));
  TANDEM_RETURN_IF_ERROR(require_flag(ssm, where, "conv_bias", true));
  TANDEM_RETURN_IF_ERROR(require_flag(ssm, where, "D_has_hdim", false));
  TANDEM_RETURN_IF_ERROR(require_flag(ssm, where, "rmsnorm", true));
  TANDEM_RETURN_IF_ERROR(require_flag(ssm, where, "norm_before_gate", false));
  config.d_inner = expand * config.d_model;
  TANDEM_RETURN_IF_ERROR(require_multiple(where, "d_inner", config.d_inner, "headdim", headdim));
  config.n_v_heads = config.d_inner / headdim;
  config.norm_group = config.d_inner / config.n_qk_heads;
  return require_multiple(where, "d_inner / headdim", config.n_v_heads, "ngroups", config.n_qk_heads);
}

/// eos_token_id: null, one id or a list. Returns whether the file says anything.
Result<bool> read_eos(const JsonFile& file, std::int64_t vocab, std::vector<std::int32_t>& ids) {
  const JsonFields fields = file.fields();
  if (!fields.has("eos_token_id")) return false;
  const json& stored = file.document["eos_token_id"];
  const json list = stored.is_array() ? stored : json::array({stored});
  for (const json& id : list) {
    if (!id.is_number_unsigned() || id.get<std::uint64_t>() >= static_cast<std::uint64_t>(vocab))
      return Error{ErrorCode::BadFormat, fmt::format("{}: eos_token_id holds {}, wanted token ids below {}",
                                                     file.name, describe_json(id), vocab)};
    ids.push_back(id.get<std::int32_t>());
  }
  return true;
}

/// Chooses the family and reads what it needs (models.md 10).
Status read_family(const JsonFile& file, const std::optional<std::string>& hybrid_text, ModelConfig& config) {
  const JsonFields fields = file.fields();
  if (!fields.has("model_type") && fields.has("ssm_cfg")) {
    const std::string where = file.name + ": ssm_cfg";
    TANDEM_TRY(const json* const object, fields.object("ssm_cfg"));
    const JsonFields ssm(*object, where);
    TANDEM_TRY(const std::string layer, ssm.text("layer", "Mamba1"));
    if (layer != "Mamba2")
      return unsupported(fmt::format(R"({}: layer "{}" is not supported, only "Mamba2")", where, layer));
    config.family = ModelFamily::Mamba2;
    return read_mamba2_state_spaces(file, ssm, where, config);
  }
  TANDEM_TRY(const std::string type, fields.text("model_type"));
  if (type == "llamba") {
    config.family = ModelFamily::Llamba;
    return read_llamba(file, config);
  }
  if (type == "mamba2") {
    config.family = ModelFamily::Mamba2;
    return read_mamba2_hf(file, config);
  }
  if (type != "llama")
    return unsupported(
        fmt::format("config.json: model_type \"{}\" is not supported, only \"llama\" (with or without "
                    "mamba_config.json), \"llamba\" and \"mamba2\"",
                    type));
  TANDEM_RETURN_IF_ERROR(read_llama(file, config));
  if (!hybrid_text) return {};
  if (config.is_verifier)
    return unsupported(
        "config.json: a LlamaForSequenceClassification with mamba_config.json beside it is not supported, only "
        "with attention in every layer");
  config.family = ModelFamily::MambaInLlama;
  TANDEM_TRY(const JsonFile hybrid, parse_json_file("mamba_config.json", *hybrid_text));
  return read_hybrid(hybrid, config);
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
    case ModelFamily::Mamba2:
      return "mamba2";
  }
  return "unknown";
}

Result<ModelConfig> parse_model_config(const ConfigTexts& texts) {
  TANDEM_TRY(const JsonFile file, parse_json_file("config.json", texts.config));
  ModelConfig config;
  config.json = file.text;
  TANDEM_RETURN_IF_ERROR(read_family(file, texts.hybrid, config));
  bool said = false;
  if (texts.generation) {
    TANDEM_TRY(const JsonFile generation, parse_json_file("generation_config.json", *texts.generation));
    TANDEM_TRY(said, read_eos(generation, config.vocab_size, config.eos_ids));
  }
  if (!said) {
    TANDEM_TRY(said, read_eos(file, config.vocab_size, config.eos_ids));
  }
  return config;
}

Result<ModelConfig> read_model_config(const std::string& folder) {
  const fs::path root = folder;
  ConfigTexts texts;
  TANDEM_TRY(texts.config, read_file((root / "config.json").string(), kMaxConfigBytes));
  TANDEM_TRY(texts.hybrid, read_if_present(root / "mamba_config.json"));
  TANDEM_TRY(texts.generation, read_if_present(root / "generation_config.json"));
  return parse_model_config(texts);
}

Result<std::vector<std::int32_t>> read_eos_ids(const std::string& folder, std::int64_t vocab) {
  std::vector<std::int32_t> ids;
  for (const char* name : {"generation_config.json", "config.json"}) {
    TANDEM_TRY(const auto text, read_if_present(fs::path(folder) / name));
    if (!text) continue;
    TANDEM_TRY(const JsonFile file, parse_json_file(name, *text));
    TANDEM_TRY(const bool said, read_eos(file, vocab, ids));
    if (said) break;
  }
  return ids;
}

}  // namespace tandem
