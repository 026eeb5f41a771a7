// The architecture `llama` of GGUF files: its settings, and the names and row order of its tensors
// (models.md 8.2).
#pragma once

#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/checkpoint/gguf.h"
#include "core/checkpoint/model_config.h"

namespace tandem {

/// The configuration that the settings amount to; its `json` holds those settings that are one value.
/// eos_ids: the end of a text, of a turn and of a message. Errors: BadFormat, Mismatch, Unsupported (another
/// architecture, or one of its variants that Tandem does not compute).
Result<ModelConfig> read_gguf_config(const GgufFile& file);

/// The name that the loader knows a tensor by ("model.layers.0.mlp.up_proj.weight" for
/// "blk.0.ffn_up.weight"); a name that the architecture does not have stays as it is.
std::string loader_name(std::string_view gguf_name);

/// True for queries and keys: their rows are stored so that those of a rotary pair are neighbours, instead of
/// half a head apart.
bool has_paired_rows(std::string_view gguf_name);

}  // namespace tandem
