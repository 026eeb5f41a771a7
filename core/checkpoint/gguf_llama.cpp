#include "core/checkpoint/gguf_llama.h"

#include <algorithm>
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/base/utf8.h"
#include "core/checkpoint/model_limits.h"

namespace tandem {
namespace {

using NamePair = std::pair<std::string_view, std::string_view>;

constexpr NamePair kGlobalNames[] = {{"token_embd.weight", "model.embed_tokens.weight"},
                                     {"output_norm.weight", "model.norm.weight"},
                                     {"output.weight", "lm_head.weight"}};
constexpr NamePair kLayerNames[] = {
    {"attn_norm.weight", "input_layernorm.weight"},    {"attn_q.weight", "self_attn.q_proj.weight"},
    {"attn_k.weight", "self_attn.k_proj.weight"},      {"attn_v.weight", "self_attn.v_proj.weight"},
    {"attn_output.weight", "self_attn.o_proj.weight"}, {"ffn_norm.weight", "post_attention_layernorm.weight"},
    {"ffn_gate.weight", "mlp.gate_proj.weight"},       {"ffn_up.weight", "mlp.up_proj.weight"},
    {"ffn_down.weight", "mlp.down_proj.weight"}};

std::string_view find_name(std::span<const NamePair> names, std::string_view name) {
  const auto found =
      std::find_if(names.begin(), names.end(), [name](const NamePair& pair) { return pair.first == name; });
  return found == names.end() ? std::string_view() : found->second;
}

struct LayerName {
  std::string_view layer;  // empty: not the name of a layer's tensor
  std::string_view leaf;
};
/// "blk.12.attn_q.weight" is "12" and "attn_q.weight".
LayerName split_layer(std::string_view name) {
  constexpr std::string_view kPrefix = "blk.";
  if (!name.starts_with(kPrefix)) return {};
  const std::string_view rest = name.substr(kPrefix.size());
  const std::size_t dot = rest.find('.');
  if (dot == 0 || dot == std::string_view::npos) return {};
  return {rest.substr(0, dot), rest.substr(dot + 1)};
}

Error unsupported(const GgufSettings& settings, std::string what) {
  return {ErrorCode::Unsupported, fmt::format("{}: {}", settings.file(), what)};
}

Error mismatch(const GgufSettings& settings, std::string what) {
  return {ErrorCode::Mismatch, fmt::format("{}: {}", settings.file(), what)};
}

const GgufTensor* find_tensor(const GgufFile& file, std::string_view name) {
  const auto found = std::find_if(file.tensors.begin(), file.tensors.end(),
                                  [name](const GgufTensor& tensor) { return tensor.name == name; });
  return found == file.tensors.end() ? nullptr : &*found;
}

Status read_heads(const GgufSettings& settings, ModelConfig& config) {
  TANDEM_TRY(config.nheads, settings.integer("llama.attention.head_count", 1, kMaxWidth));
  TANDEM_TRY(config.nheads_kv,
             settings.integer("llama.attention.head_count_kv", 1, kMaxWidth, config.nheads));
  if (config.nheads % config.nheads_kv != 0)
    return mismatch(settings, fmt::format("{} heads cannot share {} key-value heads evenly", config.nheads,
                                          config.nheads_kv));
  const std::int64_t split = config.d_model / config.nheads;
  TANDEM_TRY(config.headdim, settings.integer("llama.attention.key_length", 1, kMaxWidth, split));
  TANDEM_TRY(const std::int64_t value_length,
             settings.integer("llama.attention.value_length", 1, kMaxWidth, config.headdim));
  TANDEM_TRY(const std::int64_t rotated,
             settings.integer("llama.rope.dimension_count", 1, kMaxWidth, config.headdim));
  if (value_length != config.headdim || rotated != config.headdim || config.headdim % 2 != 0)
    return unsupported(settings, fmt::format("heads of {} with {} rotated and values of {} are not "
                                             "supported, only even sizes that are equal",
                                             config.headdim, rotated, value_length));
  return {};
}

Status read_rope(const GgufSettings& settings, ModelConfig& config) {
  TANDEM_TRY(config.rope_theta, settings.number("llama.rope.freq_base", 1, 1e12, config.rope_theta));
  TANDEM_TRY(const std::string_view scaling, settings.text("llama.rope.scaling.type", "none"));
  if (scaling != "none")
    return unsupported(settings, fmt::format("llama.rope.scaling.type = \"{}\" is not supported, only "
                                             "\"none\" and the tensor rope_freqs.weight",
                                             scaling));
  return {};
}

Status read_end_ids(const GgufSettings& settings, ModelConfig& config) {
  for (const char* key :
       {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"}) {
    if (!settings.has(key)) continue;
    TANDEM_TRY(const std::int64_t id, settings.integer(key, 0, config.vocab_size - 1));
    config.eos_ids.push_back(static_cast<std::int32_t>(id));
  }
  return {};
}

/// The settings that are one value, as a JSON object.
std::string settings_json(const GgufSettings& settings) {
  nlohmann::json object = nlohmann::json::object();
  for (const auto& [key, value] : settings.values()) {
    std::visit(
        [&, name = std::string(key)]<typename Value>(const Value& found) {
          if constexpr (std::is_same_v<Value, std::string_view>)
            object[name] = repair_utf8(found);
          else if constexpr (!std::is_same_v<Value, GgufArray>)
            object[name] = found;
        },
        value);
  }
  return object.dump();
}

}  // namespace

Result<ModelConfig> read_gguf_config(const GgufFile& file) {
  const GgufSettings& settings = file.settings;
  TANDEM_TRY(const std::string_view architecture, settings.text("general.architecture"));
  if (architecture != "llama")
    return unsupported(settings, fmt::format("general.architecture = \"{}\" is not supported, only \"llama\"",
                                             architecture));
  TANDEM_TRY(const std::int64_t experts, settings.integer("llama.expert_count", 0, kMaxWidth, 0));
  if (experts > 0)
    return unsupported(settings, fmt::format("a mixture of {} experts is not supported", experts));
  ModelConfig config;
  config.json = settings_json(settings);
  TANDEM_TRY(config.n_layers, settings.integer("llama.block_count", 1, kMaxLayers));
  TANDEM_TRY(config.d_model, settings.integer("llama.embedding_length", 1, kMaxWidth));
  TANDEM_TRY(config.d_ff, settings.integer("llama.feed_forward_length", 1, kMaxWidth));
  TANDEM_TRY(config.max_context, settings.integer("llama.context_length", 1, kMaxContext));
  TANDEM_TRY(const double eps, settings.number("llama.attention.layer_norm_rms_epsilon", 1e-12, 1));
  config.norm_eps = config.block_norm_eps = static_cast<float>(eps);
  TANDEM_RETURN_IF_ERROR(read_heads(settings, config));
  TANDEM_RETURN_IF_ERROR(read_rope(settings, config));
  const GgufTensor* embedding = find_tensor(file, "token_embd.weight");
  if (embedding == nullptr) return mismatch(settings, "there is no tensor 'token_embd.weight'");
  config.vocab_size = embedding->shape.front();
  if (config.vocab_size > kMaxVocab)
    return mismatch(settings, fmt::format("'token_embd.weight' has {} rows, at most {} are read",
                                          config.vocab_size, kMaxVocab));
  TANDEM_TRY(const std::int64_t vocab, settings.integer("llama.vocab_size", 1, kMaxVocab, config.vocab_size));
  if (vocab != config.vocab_size)
    return mismatch(settings, fmt::format("'token_embd.weight' has {} rows, llama.vocab_size is {}",
                                          config.vocab_size, vocab));
  config.tied_embeddings = find_tensor(file, "output.weight") == nullptr;
  TANDEM_RETURN_IF_ERROR(read_end_ids(settings, config));
  return config;
}

std::string loader_name(std::string_view gguf_name) {
  if (const auto global = find_name(kGlobalNames, gguf_name); !global.empty()) return std::string(global);
  const LayerName split = split_layer(gguf_name);
  const auto leaf = find_name(kLayerNames, split.leaf);
  return leaf.empty() ? std::string(gguf_name) : fmt::format("model.layers.{}.{}", split.layer, leaf);
}

bool has_paired_rows(std::string_view gguf_name) {
  const std::string_view leaf = split_layer(gguf_name).leaf;
  return leaf == "attn_q.weight" || leaf == "attn_k.weight";
}

}  // namespace tandem
