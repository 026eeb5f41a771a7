// A layer's sequence mixer: what differs between attention and the state-space kinds. A new kind implements
// this interface and gets prefill, decoding, mixing matrices and all views.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "core/models/model.h"
#include "kernels/base/context.h"

namespace tandem {

struct LayerMatrices;

/// How much a DecodeState must hold.
struct StateShape {
  std::int64_t prompt_tokens = 0;
  std::int64_t batch = 0;       // slots: completions decoded together
  std::int64_t new_tokens = 0;  // per slot, at most
  bool private_prefix = false;  // every slot keeps its own copy of the prompt's keys and values
  StateStorage storage{};
};

/// One layer's memory while decoding: the prompt's part, and one part per slot. Confined to one decoding
/// thread, except that step() may run on several threads over disjoint slots.
class MixerState {
 public:
  virtual ~MixerState() = default;
  /// Makes the slot a fresh continuation of the prompt.
  virtual void start_slot(Context& context, std::int32_t slot) = 0;
  /// Bytes in use by the prompt alone, and by a slot beyond that after `generated` tokens.
  virtual std::int64_t prompt_bytes() const = 0;
  virtual std::int64_t slot_bytes(std::int64_t generated) const = 0;
};

class Mixer {
 public:
  virtual ~Mixer() = default;
  virtual LayerInfo info() const = 0;
  virtual std::int64_t weight_bytes() const = 0;
  /// On the context's device, like everything that follows.
  virtual std::unique_ptr<MixerState> make_state(Context& context, const StateShape& shape) const = 0;

  /// u [T, C]: the normed input of a whole sequence from position 0; out [T, C], after the output projection.
  /// Fills the prompt's part of `state` when it is not null.
  virtual void prefill(Context& context, TensorView u, MixerState* state, TensorView out) const = 0;

  /// One token for each of B slots. u, out [B, C]; positions[b] is the token's position in its sequence.
  virtual void step(Context& context, TensorView u, MixerState& state, std::span<const std::int32_t> slots,
                    std::span<const std::int32_t> positions, TensorView out) const = 0;

  /// Fills the matrices, factors, skip, values and mixed output of `matrices` for matrices.heads, from the
  /// normed input u [T, C].
  virtual void mix(Context& context, TensorView u, LayerMatrices& matrices) const = 0;
};

}  // namespace tandem
