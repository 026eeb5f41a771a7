// What every recurrent mixer remembers: a convolution window and a state, the prompt's and each slot's.
#pragma once

#include "core/models/mixer.h"
#include "kernels/ops/copy.h"

namespace tandem {

/// The prompt's final convolution window and state, and a copy that each slot advances.
class SsmState final : public MixerState {
 public:
  SsmState(Context& context, const StateShape& shape, Shape window, Shape state)
      : prompt_window_(Tensor::uninitialized(window, DType::F32, context.device())),
        prompt_state_(Tensor::uninitialized(state, DType::F32, context.device())),
        windows_(Tensor::uninitialized({shape.batch, window.elements()}, DType::F32, context.device())),
        states_(Tensor::uninitialized({shape.batch, state.elements()}, DType::F32, context.device())) {}

  TensorView prompt_window() const { return prompt_window_; }
  TensorView prompt_state() const { return prompt_state_; }
  /// Those of the slots, one a row.
  TensorView windows() const { return windows_; }
  TensorView states() const { return states_; }

  void start_slot(Context& context, std::int32_t slot) override {
    copy(context, prompt_window_.view().reshape({1, prompt_window_.elements()}),
         windows_.view().rows(slot, 1));
    copy(context, prompt_state_.view().reshape({1, prompt_state_.elements()}), states_.view().rows(slot, 1));
  }
  std::int64_t prompt_bytes() const override { return prompt_window_.bytes() + prompt_state_.bytes(); }
  std::int64_t slot_bytes(std::int64_t /*generated*/) const override { return prompt_bytes(); }

 private:
  Tensor prompt_window_, prompt_state_;
  Tensor windows_, states_;
};

/// Where a prompt's scan starts and ends, a window and a state of zeros: the prompt's part of `state`, or
/// scratch memory when that is null.
struct PromptEnd {
  TensorView window, state;
};
inline PromptEnd empty_prompt(Context& context, MixerState* state, Shape window_shape, Shape state_shape) {
  const auto* memory = static_cast<const SsmState*>(state);
  const PromptEnd end = memory != nullptr ? PromptEnd{memory->prompt_window(), memory->prompt_state()}
                                          : PromptEnd{context.scratch_tensor(window_shape),
                                                      context.scratch_tensor(state_shape)};
  clear(context, end.window);
  clear(context, end.state);
  return end;
}

}  // namespace tandem
