// Everything that changes while the completions of one prompt are decoded: every layer's caches and each
// slot's position.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/models/mixer.h"

namespace tandem {

/// Filled by Model::prefill, advanced by Model::step. Confined to one decoding thread, whose context it uses.
class DecodeState {
 public:
  DecodeState(Context& context, const Model& model, const StateShape& shape);

  const StateShape& shape() const { return shape_; }
  MixerState& layer(std::int64_t index) { return *layers_[static_cast<std::size_t>(index)]; }

  /// Makes a slot a fresh continuation of the prompt: the prompt's recurrent state is copied, shared keys and
  /// values are not.
  void start_slot(std::int32_t slot);
  /// Tokens decoded into the slot since start_slot.
  std::int64_t generated(std::int32_t slot) const { return generated_[static_cast<std::size_t>(slot)]; }
  void advance(std::int32_t slot) { ++generated_[static_cast<std::size_t>(slot)]; }

  /// Cache and state bytes in use: the prompt's, and those of the slots listed.
  std::int64_t bytes_in_use(std::span<const std::int32_t> slots) const;

 private:
  Context& context_;
  StateShape shape_;
  std::vector<std::unique_ptr<MixerState>> layers_;
  std::vector<std::int64_t> generated_;
};

}  // namespace tandem
