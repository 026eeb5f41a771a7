// What the ops of the selective recurrence demand of their operands, on any device. Private to them.
#pragma once

#include <string>

#include "kernels/ops/selective_scan.h"

namespace tandem {

inline void check_selective_operands(const SelectiveOperands& o, const char* op) {
  const std::int64_t rows = o.x.rank() == 2 ? o.x.extent(0) : -1;
  const auto divides = [&](std::int64_t groups) { return groups > 0 && o.channels % groups == 0; };
  const Shape per_channel = {rows, o.channels};
  TANDEM_CHECK(rows >= 0 && o.channels > 0 && divides(o.b_groups) && divides(o.c_groups) &&
                   o.x.shape() == per_channel && o.delta.shape() == per_channel &&
                   o.b.shape() == Shape({rows, o.b_groups * o.dstate}) &&
                   o.c.shape() == Shape({rows, o.c_groups * o.dstate}) && o.a.contiguous() &&
                   o.a.shape() == Shape({o.channels, o.dstate}) && o.skip.shape() == Shape{o.channels},
               std::string(op) + ": " + std::to_string(o.channels) + " channels of " +
                   std::to_string(o.dstate) + ", x " + o.x.shape().str() + ", delta " +
                   o.delta.shape().str() + ", b " + o.b.shape().str() + ", c " + o.c.shape().str() + ", a " +
                   o.a.shape().str() + ", skip " + o.skip.shape().str());
}

}  // namespace tandem
