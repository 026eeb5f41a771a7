// What every recurrent mixer remembers: a convolution window and a state, the prompt's and each slot's.
#pragma once

#include <algorithm>

#include "core/models/mixer.h"
#include "kernels/ops/copy.h"
#include "kernels/ops/ssm_step.h"

namespace tandem {

/// Sizes of what one completion remembers in a layer.
struct SsmMemory {
  Shape window, state;
  std::int64_t ring_inputs = 0,
               ring_decays = 0;  // floats that a replayed step keeps; 0: states are always written
};

/// The prompt's final convolution window and state, and a copy that each slot advances.
class SsmState final : public MixerState {
 public:
  SsmState(Context& context, const StateShape& shape, const SsmMemory& memory)
      : first_(shape.prompt_tokens),
        write_every_(memory.ring_inputs > 0 ? shape.storage.write_every : 1),
        prompt_window_(make(context, memory.window)),
        prompt_state_(make(context, memory.state)),
        windows_(make(context, {shape.batch, memory.window.elements()})),
        states_(make(context, {shape.batch, memory.state.elements()}, shape.storage.states)),
        ring_inputs_(make(context, {shape.batch, (write_every_ - 1) * memory.ring_inputs})),
        ring_decays_(make(context, {shape.batch, (write_every_ - 1) * memory.ring_decays})),
        slots_(std::max<std::int64_t>(shape.batch, 1)) {}

  TensorView prompt_window() const { return prompt_window_; }
  TensorView prompt_state() const { return prompt_state_; }
  /// Those of the slots, one a row.
  TensorView windows() const { return windows_; }
  TensorView states() const { return states_; }
  /// What is replayed on the way to tokens at the positions.
  StateRing ring(std::span<const std::int32_t> positions) const {
    return {ring_inputs_, ring_decays_, positions, first_, write_every_};
  }

  void start_slot(Context& context, std::int32_t slot) override {
    copy(context, prompt_window_.view().reshape({1, prompt_window_.elements()}),
         windows_.view().rows(slot, 1));
    copy(context, prompt_state_.view().reshape({1, prompt_state_.elements()}), states_.view().rows(slot, 1));
  }
  std::int64_t prompt_bytes() const override { return prompt_window_.bytes() + prompt_state_.bytes(); }
  std::int64_t slot_bytes(std::int64_t /*generated*/) const override {
    return (windows_.bytes() + states_.bytes() + ring_inputs_.bytes() + ring_decays_.bytes()) / slots_;
  }

 private:
  static Tensor make(Context& context, Shape shape, DType type = DType::F32) {
    return Tensor::uninitialized(shape, type, context.device());
  }

  std::int64_t first_;
  std::int64_t write_every_;
  Tensor prompt_window_, prompt_state_;
  Tensor windows_, states_;
  Tensor ring_inputs_, ring_decays_;
  std::int64_t slots_;
};

/// Where a prompt's scan starts and ends, a window and a state of zeros: the prompt's part of `state`, or
/// scratch memory when that is null.
struct PromptEnd {
  TensorView window, state;
};
inline PromptEnd empty_prompt(Context& context, MixerState* state, const SsmMemory& sizes) {
  const auto* memory = static_cast<const SsmState*>(state);
  const PromptEnd end = memory != nullptr ? PromptEnd{memory->prompt_window(), memory->prompt_state()}
                                          : PromptEnd{context.scratch_tensor(sizes.window),
                                                      context.scratch_tensor(sizes.state)};
  clear(context, end.window);
  clear(context, end.state);
  return end;
}

}  // namespace tandem
