// Decode steps on a device: their operands lie at fixed places there, so that a step that comes again and
// again is recorded once and then repeated as a whole, without the host's work for each op.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <utility>

#include "core/tensor/tensor.h"

namespace tandem {

/// One token for each of B slots, where the context computes.
struct StepOperands {
  std::span<const std::int32_t> tokens, slot_ids, positions;
};

/// Of one DecodeState, whose context it uses.
class StepRecorder {
 public:
  /// For at most `batch` slots.
  StepRecorder(Device* device, std::int64_t batch)
      : operands_(Tensor::uninitialized({3, batch}, DType::I32, device)) {}

  /// The host's operands on the device.
  StepOperands place(DeviceQueue& queue, const StepOperands& host) {
    return {place(queue, host.tokens, 0), place(queue, host.slot_ids, 1), place(queue, host.positions, 2)};
  }

  /// Gives the queue a step of `rows` rows that ends in `logits`. `step` gives the ops of one step, the same
  /// ones on the same memory for the same arguments; a number of rows that came before is worth recording.
  void run(DeviceQueue& queue, std::int64_t rows, const void* logits, const std::function<void()>& step) {
    constexpr int kWorthRecording = 3;
    Seen& seen = seen_[{rows, logits}];
    if (++seen.times < kWorthRecording) return step();
    if (!seen.recording) {
      queue.start_recording();
      step();
      seen.recording = queue.finish_recording();
    }
    queue.repeat(*seen.recording);
  }

 private:
  std::span<const std::int32_t> place(DeviceQueue& queue, std::span<const std::int32_t> values,
                                      std::int64_t row) {
    auto* placed = static_cast<std::int32_t*>(operands_.data()) + row * operands_.shape()[1];
    queue.copy_in(placed, values.data(), static_cast<std::int64_t>(values.size_bytes()));
    return {placed, values.size()};
  }

  struct Seen {
    int times = 0;
    std::unique_ptr<DeviceRecording> recording;
  };
  Tensor operands_;  // [3, batch]: tokens, slots, positions
  std::map<std::pair<std::int64_t, const void*>, Seen> seen_;
};

}  // namespace tandem
