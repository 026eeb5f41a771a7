// A model's tokenizer, prompt format and ends: its own, or another's for a model published without.
#pragma once

#include <memory>
#include <vector>

#include "core/base/result.h"
#include "core/checkpoint/checkpoint.h"
#include "core/models/model.h"

namespace tandem {

/// What turns text into ids and back, and ends it.
struct TextSide {
  std::shared_ptr<const Tokenizer> tokenizer;
  PromptFormat prompt;
  std::vector<std::int32_t> eos_ids;
};

/// Whether a model comes with a tokenizer. `path`: ModelInfo::path.
bool has_tokenizer(const std::string& path);

/// Whether `lender`'s tokenizer may serve `model`: their vocabularies differ by padding at most.
bool same_vocabulary(const ModelInfo& model, const ModelInfo& lender);

/// The model's own, or what `options` offer. Errors: those of reading the files; NotFound (no tokenizer, and
/// none offered that fits); Mismatch (more tokens than the embedding has rows).
Result<TextSide> read_text_side(const ModelInfo& model, const Checkpoint& checkpoint,
                                const LoadOptions& options);

}  // namespace tandem
