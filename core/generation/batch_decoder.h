// Decodes the completions of one prompt together and draws their tokens. On a device what is drawn reaches
// the host some steps later, so that the device never waits for it; on the CPU at once.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <vector>

#include "core/generation/step_recorder.h"
#include "core/models/decode_state.h"
#include "kernels/ops/sampling.h"

namespace tandem {

/// The tokens of one step.
struct Drawn {
  struct Row {
    std::int32_t slot = 0;
    std::int32_t completion = 0;  // that the slot held when the step was given
    std::int32_t token = 0;
    float logprob = 0;  // at temperature 1
  };
  std::vector<Row> rows;
};

/// Which random numbers completions draw.
struct DrawSeed {
  std::uint64_t seed = 0;
  std::uint64_t problem = 0;
};

/// Confined to one thread. Throws DeviceError.
class BatchDecoder {
 public:
  /// Steps that a device may be ahead of the host.
  static constexpr std::size_t kAhead = 2;

  BatchDecoder(const Model& model, Context& context, const StateShape& shape, const SamplingRule& rule,
               const DrawSeed& seed);

  /// Computes the prompt, once; waits.
  void prefill(std::span<const std::int32_t> prompt);
  /// The slot's next token is the first of a completion, drawn from the prompt's logits.
  void start(std::int32_t slot, std::int32_t completion);
  /// Gives a step: the next token of each of the slots, all different, at most shape.batch of them.
  void step(std::span<const std::int32_t> slots);

  std::size_t in_flight() const { return in_flight_.size(); }
  /// Whether another step should wait until one was collected.
  bool is_full() const { return in_flight_.size() > (context_.queue() != nullptr ? kAhead : 0); }
  /// Of the oldest step in flight; waits for it.
  Drawn collect();

  /// Of caches and states, in use by the slots listed.
  std::int64_t bytes_in_use(std::span<const std::int32_t> slots) const { return state_.bytes_in_use(slots); }

 private:
  struct Slot {
    std::int32_t completion = 0;
    std::int32_t tokens = 0;  // drawn so far, or being drawn
    std::int32_t last = 0;    // the newest; on the CPU only
  };
  struct InFlight {
    Drawn drawn;
    std::unique_ptr<DeviceRead> read;  // of the tokens, then the log-probabilities; null on the CPU
  };

  Slot& at(std::int32_t slot) { return slots_[static_cast<std::size_t>(slot)]; }
  void step_on_cpu(InFlight& flight, std::int64_t fresh);
  void step_on_device(DeviceQueue& queue, InFlight& flight, std::int64_t fresh);
  /// Some rows of a step, where the device finds them.
  struct DeviceRows {
    std::int64_t first = 0;  // of the step's rows
    std::span<const std::int32_t> slots, tokens, positions, completions;
  };
  /// Rows whose slots are in place, with what the table has of those.
  DeviceRows gather(std::int64_t first, std::int64_t count);
  /// Draws the next tokens, and puts them into the table.
  void draw_on_device(const DeviceRows& rows, TensorView logits);

  const Model& model_;
  Context& context_;
  SamplingRule rule_;
  DrawSeed seed_;
  DecodeState state_;
  Tensor prompt_logits_, logits_;  // [1, V], [slots, V]
  std::vector<Slot> slots_;
  std::vector<std::int32_t> order_;  // the slots of a step, those with tokens first
  std::vector<std::int32_t> ids_;    // the host's operands of a step
  std::vector<float> uniforms_, logprobs_;
  std::deque<InFlight> in_flight_;

  // On a device:
  Tensor table_;     // [3, slots]: newest token, its position, and completion of each slot
  Tensor slot_ids_;  // [slots]: of a step's rows
  Tensor fields_;    // [3, slots]: what the table has of those
  Tensor drawn_;     // [2, slots]: a step's tokens and log-probabilities
  StepRecorder recorder_;
};

}  // namespace tandem
