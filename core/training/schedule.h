// Learning rates over the steps of a run.
#pragma once

#include <cstdint>

namespace tandem::training {

enum class ScheduleKind {
  Cosine,  // warm-up, then half a cosine down to the final share
  Wsd,     // warm-up, stable, then a straight line down over the last part
};

struct Schedule {
  ScheduleKind kind = ScheduleKind::Cosine;
  double peak = 1e-3;
  std::int64_t warmup = 0;    // steps of straight rise from 0
  std::int64_t steps = 1;     // all, warm-up included
  double final_share = 0.05;  // of the peak, reached after the last step
  double decay_share = 0.2;   // Wsd: share of the steps that fall
};

/// The rate of step `step`, counted from 0.
double learning_rate(const Schedule& schedule, std::int64_t step);

}  // namespace tandem::training
