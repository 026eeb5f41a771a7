#include "core/training/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace tandem::training {

double learning_rate(const Schedule& schedule, std::int64_t step) {
  const auto at = static_cast<double>(step);
  const auto warmup = static_cast<double>(schedule.warmup);
  const auto steps = static_cast<double>(schedule.steps);
  if (step < schedule.warmup) return schedule.peak * (at + 1) / warmup;
  const double falling = schedule.kind == ScheduleKind::Cosine
                             ? steps - warmup
                             : std::min(steps - warmup, steps * schedule.decay_share);
  const double done = falling > 0 ? std::clamp((at - (steps - falling)) / falling, 0.0, 1.0) : 0.0;
  const double left =
      schedule.kind == ScheduleKind::Cosine ? (1 + std::cos(std::numbers::pi * done)) / 2 : 1 - done;
  return schedule.peak * (schedule.final_share + (1 - schedule.final_share) * left);
}

}  // namespace tandem::training
