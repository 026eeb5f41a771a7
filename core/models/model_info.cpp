#include <algorithm>

#include "core/models/model.h"

namespace tandem {

const char* mixer_kind_name(MixerKind kind) {
  switch (kind) {
    case MixerKind::Attention:
      return "attention";
    case MixerKind::DiscreteMamba2:
      return "discrete Mamba-2";
    case MixerKind::HybridMamba2:
      return "Mamba-2 (MambaInLlama)";
    case MixerKind::HybridMamba1:
      return "Mamba-1 (MambaInLlama)";
    case MixerKind::Mamba2:
      return "Mamba-2";
  }
  return "unknown";
}

bool ModelInfo::is_pure_attention() const {
  return std::all_of(layers.begin(), layers.end(),
                     [](const LayerInfo& l) { return l.mixer == MixerKind::Attention; });
}

std::int64_t ModelInfo::cache_bytes_per_token() const {
  std::int64_t bytes = 0;
  for (const LayerInfo& layer : layers) bytes += layer.cache_bytes_per_token;
  return bytes;
}

Status check_writes(const ModelInfo& info) {
  if (!info.is_verifier) return {};
  return Error{ErrorCode::Unsupported,
               info.name + " is a verifier: it scores completions and cannot write any"};
}

std::int64_t ModelInfo::state_bytes() const {
  std::int64_t bytes = 0;
  for (const LayerInfo& layer : layers) bytes += layer.state_bytes;
  return bytes;
}

}  // namespace tandem
