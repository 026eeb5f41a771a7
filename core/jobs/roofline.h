// What this machine or a device of it can do at most, measured: bandwidth of memory and of its last-level
// cache, and the rate of products.
#pragma once

#include <cstdint>
#include <stop_token>

#include "kernels/base/context.h"

namespace tandem {

struct Roofline {
  double memory_bytes_per_s =
      0;  // beyond the last-level cache: the faster of a copy (both ways counted) and, on the CPU, a read
  double cached_bytes_per_s = 0;  // reads of a working set inside the last-level cache, beyond a core's own
  double flops_per_s = 0;         // Tandem's own f32 product on cached operands, the best of several shapes
  double bf16_flops_per_s = 0;    // the same with bf16 operands; 0 unless asked for
  std::int64_t cache_bytes = 0;   // last-level cache, as the system reports it

  /// Least seconds to move `bytes` a step when `working_set_bytes` come back every step: what fits the
  /// last-level cache at its rate, the rest at memory's.
  double transfer_s(double bytes, double working_set_bytes) const;
};

/// On all threads of the context, or on its device; takes a few seconds. A stop leaves what was not measured
/// at 0.
Roofline measure_roofline(Context& context, bool with_bf16, const std::stop_token& stop = {});

/// Size of the last-level cache in bytes, from the system; 32 MiB when it does not say.
std::int64_t last_level_cache_bytes();

}  // namespace tandem
