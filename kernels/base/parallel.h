// Sharing independent items among the threads of a context, only when that is worth waking them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "kernels/base/context.h"

namespace tandem {

/// Calls body(begin, end) on disjoint ranges that cover [0, count): on this thread alone when the whole takes
/// less than a pool's wake-up is worth, else on all threads of the context. `item_ns` estimates one item's
/// time; what an item computes must not depend on the ranges.
template <typename Body>
void parallel_over(Context& context, std::int64_t count, double item_ns, const Body& body) {
  constexpr double kWorthSharingNs = 20'000;
  constexpr double kChunkNs = 5'000;
  TANDEM_CHECK(context.device() == nullptr, "this op runs on the CPU only, its context is bound to a device");
  if (count <= 0) return;
  if (context.threads() == 1 || count == 1 || static_cast<double>(count) * item_ns < kWorthSharingNs) {
    body(std::int64_t{0}, count);
    return;
  }
  // Several chunks per thread, so that a thread pushed off its core leaves little undone.
  const std::int64_t shares = std::int64_t{4} * context.threads();
  const auto worth_claiming = static_cast<std::int64_t>(std::ceil(kChunkNs / item_ns));
  const std::int64_t grain = std::max((count + shares - 1) / shares, worth_claiming);
  context.pool().parallel_for(count, std::min(grain, (count + 1) / 2), body);
}

}  // namespace tandem
