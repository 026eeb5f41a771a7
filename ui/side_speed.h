// How fast a side goes: reading the problem apart from writing.
#pragma once

#include <cstdint>

#include "ui/live_batch.h"

namespace tandem::ui {

struct SideSpeed {
  double prefillS = -1;    // unknown below 0
  double firstStepS = -1;  // from the first decode step to the first token
  double decodeS = 0;
  std::int64_t tokens = 0;

  double tokensPerSecond() const { return decodeS > 0 ? static_cast<double>(tokens) / decodeS : -1; }
  double timeToFirstToken() const { return prefillS < 0 || firstStepS < 0 ? -1 : prefillS + firstStepS; }

  /// Adds what the batch has for this side.
  void add(int side, const LiveBatch& batch) {
    for (const LivePrefill& prefill : batch.prefills) {
      if (prefill.side == side) prefillS = prefill.seconds;
    }
    for (const LiveStep& step : batch.steps) {
      if (step.side != side) continue;
      if (firstStepS < 0) firstStepS = step.sample.time_s;
      decodeS = step.sample.time_s;
      tokens += step.sample.occupied;
    }
  }
};

}  // namespace tandem::ui
