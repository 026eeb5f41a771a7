// config.json, mamba_config.json and generation_config.json of the families Tandem opens, every field
// range-checked.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace tandem {

enum class ModelFamily { Llama, Llamba, MambaInLlama, Mamba2 };
const char* model_family_name(ModelFamily family);  // "llama", "llamba", "mamba_in_llama", "mamba2"

/// Rotary positions in the attention layers that a MambaInLlama model keeps: checkpoints trained with tensors
/// named self_attn.* had config.json's rope_scaling, those with mha.* had none (models.md 3.6).
enum class AttentionRope { ByNames, Scaled, Unscaled };

struct RopeScaling {  // "llama3" (models.md 1.4)
  double factor = 1;
  double low_freq_factor = 1;
  double high_freq_factor = 4;
  double original_max_position_embeddings = 8192;
};

/// The union of what the families need; fields that a family does not use keep their defaults.
struct ModelConfig {
  ModelFamily family = ModelFamily::Llama;
  std::string json;             // config.json as read
  std::int64_t vocab_size = 0;  // rows of the embedding (padded where the family pads)
  std::int64_t d_model = 0;
  std::int64_t n_layers = 0;
  std::int64_t d_ff = 0;   // 0: blocks without an MLP (Mamba-2)
  float norm_eps = 1e-5F;  // final norm; block norms too unless block_norm_eps says otherwise
  float block_norm_eps = 1e-5F;
  bool tied_embeddings = true;
  bool is_verifier = false;      // Llama with one score per token in place of a vocabulary's logits
  std::int64_t max_context = 0;  // 0 = unlimited

  // Attention layers
  std::int64_t nheads = 0;
  std::int64_t nheads_kv = 0;
  std::int64_t headdim = 0;
  double rope_theta = 10000;
  std::optional<RopeScaling> rope_scaling;
  std::vector<std::int64_t> attention_layers;  // MambaInLlama: layers that keep attention, rising

  // SSM layers
  std::int64_t d_inner = 0;
  std::int64_t d_state = 0;
  std::int64_t d_conv = 4;
  std::int64_t n_v_heads = 0;   // Llamba, Mamba-2: heads
  std::int64_t n_qk_heads = 0;  // Llamba, Mamba-2: groups of B and C
  bool conv_silu = false;       // Llamba: config "activation"
  std::int64_t chunk = 128;
  std::int64_t d_xb = 0;        // MambaInLlama: width of x and B before repetition
  std::int64_t ngroups = 0;     // MambaInLlama Mamba-2 style: heads
  std::int64_t dt_rank = 0;     // MambaInLlama Mamba-1 style: width of the step sizes' projection; else 0
  std::int64_t norm_group = 0;  // Mamba-2: channels that the gated norm takes together
  AttentionRope attention_rope = AttentionRope::ByNames;

  std::vector<std::int32_t> eos_ids;  // generation_config.json, else config.json; may be empty
};

/// The texts of a model folder's configuration files.
struct ConfigTexts {
  std::string config;                     // config.json
  std::optional<std::string> hybrid;      // mamba_config.json
  std::optional<std::string> generation;  // generation_config.json
};

/// Errors: BadFormat (file, field, found, wanted), Mismatch (fields that contradict each other), Unsupported
/// (a family or a setting that is not handled, by name).
Result<ModelConfig> parse_model_config(const ConfigTexts& texts);

/// parse_model_config() of a folder's files. Errors: those, NotFound, Io.
Result<ModelConfig> read_model_config(const std::string& folder);

/// The end tokens that a folder's generation_config.json, else its config.json, names: for models that are
/// published without a tokenizer and take another's. Ids from `vocab` on are an error. Empty if the files say
/// nothing or do not exist. Errors: BadFormat, Io.
Result<std::vector<std::int32_t>> read_eos_ids(const std::string& folder, std::int64_t vocab);

}  // namespace tandem
