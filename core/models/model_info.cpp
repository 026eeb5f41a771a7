#include <algorithm>

#include <fmt/format.h>

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

std::int64_t ModelInfo::cache_bytes_per_token(const StateStorage& storage) const {
  std::int64_t bytes = 0;
  for (const LayerInfo& layer : layers) bytes += layer.cache_bytes_per_token;
  return bytes / element_bytes(DType::F32) * element_bytes(storage.caches);
}

Status check_storage(const StateStorage& storage, const Device* device) {
  for (const DType type : {storage.caches, storage.states})
    if (type != DType::F32 && type != DType::BF16)
      return Error{ErrorCode::InvalidArgument,
                   fmt::format("Caches and states are f32 or bf16, found {}.", dtype_name(type))};
  if (storage.write_every < 1 || storage.write_every > kMaxWriteEvery)
    return Error{ErrorCode::InvalidArgument, fmt::format("States are written every 1 to {} steps, found {}.",
                                                         kMaxWriteEvery, storage.write_every)};
  if (device == nullptr && storage != StateStorage{})
    return Error{
        ErrorCode::Unsupported,
        "The CPU holds caches and states in f32 and writes states at every step; other ways are a GPU's"};
  return {};
}

Status check_writes(const ModelInfo& info) {
  if (!info.is_verifier) return {};
  return Error{ErrorCode::Unsupported,
               info.name + " is a verifier: it scores completions and cannot write any"};
}

std::string storage_text(const StateStorage& storage) {
  std::string text;
  if (storage.caches != DType::F32) text += ", caches bf16";
  if (storage.states != DType::F32) text += ", states bf16";
  if (storage.write_every > 1) text += fmt::format(", states written every {} steps", storage.write_every);
  return text;
}

std::int64_t ModelInfo::state_bytes(const StateStorage& storage) const {
  const std::int64_t saved = element_bytes(DType::F32) - element_bytes(storage.states);
  std::int64_t bytes = 0;
  for (const LayerInfo& layer : layers)
    bytes += layer.state_bytes - saved * layer.nheads * layer.headdim * layer.dstate +
             (storage.write_every - 1) * layer.replay_bytes;
  return bytes;
}

}  // namespace tandem
