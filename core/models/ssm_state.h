// What every recurrent mixer remembers: a convolution window and a state, the prompt's and each slot's.
#pragma once

#include <cstring>
#include <vector>

#include "core/models/mixer.h"

namespace tandem {

/// The prompt's final convolution window and state, and a copy that each slot advances.
class SsmState final : public MixerState {
 public:
  SsmState(const StateShape& shape, Shape window, Shape state)
      : prompt_window_(window),
        prompt_state_(state),
        windows_(Tensor::uninitialized({shape.batch, window.elements()})),
        states_(Tensor::uninitialized({shape.batch, state.elements()})) {}

  TensorView prompt_window() const { return prompt_window_; }
  TensorView prompt_state() const { return prompt_state_; }
  /// A prompt starts from nothing.
  void clear_prompt() {
    for (const Tensor* tensor : {&prompt_window_, &prompt_state_})
      std::memset(tensor->f32(), 0, static_cast<std::size_t>(tensor->bytes()));
  }

  std::vector<float*> windows(std::span<const std::int32_t> of) const { return rows(windows_, of); }
  std::vector<float*> states(std::span<const std::int32_t> of) const { return rows(states_, of); }

  void start_slot(std::int32_t slot) override {
    std::memcpy(windows_.view().row(slot), prompt_window_.f32(),
                static_cast<std::size_t>(prompt_window_.bytes()));
    std::memcpy(states_.view().row(slot), prompt_state_.f32(),
                static_cast<std::size_t>(prompt_state_.bytes()));
  }
  std::int64_t prompt_bytes() const override { return prompt_window_.bytes() + prompt_state_.bytes(); }
  std::int64_t slot_bytes(std::int64_t /*generated*/) const override { return prompt_bytes(); }

 private:
  static std::vector<float*> rows(const Tensor& tensor, std::span<const std::int32_t> of) {
    std::vector<float*> rows;
    for (const std::int32_t slot : of) rows.push_back(tensor.view().row(slot));
    return rows;
  }

  Tensor prompt_window_, prompt_state_;
  Tensor windows_, states_;
};

}  // namespace tandem
