// How the rows of a recurrent state are shared among threads: `lanes` neighbours in a warp read one row, a
// few numbers each, and a thread holds kStateRows rows at a time, so that enough loads are under way.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

#include "kernels/cuda/launch.h"
#include "kernels/cuda/reduce.cuh"

namespace tandem::cuda {

inline constexpr int kStateThreads = 128;
inline constexpr int kStateRows = 4;

/// Lanes that share a row of `dstate` numbers, read `width` at a time: a power of two.
inline int state_lanes(std::int64_t dstate, int width) {
  const auto wanted = std::bit_ceil(static_cast<unsigned>(ceil_div(dstate, std::int64_t{width})));
  return static_cast<int>(std::min(wanted, static_cast<unsigned>(kWarp)));
}
/// Blocks that `rows` rows take.
inline std::int64_t state_blocks(std::int64_t rows, int lanes) {
  return ceil_div(rows, std::int64_t{kStateThreads / lanes * kStateRows});
}

/// A thread's part: row(i) for i < kStateRows, and where in a row it begins.
struct StatePart {
  int lanes;
  int lane;
  int first;

  __device__ explicit StatePart(int lanes_of_row)
      : lanes(lanes_of_row),
        lane(static_cast<int>(threadIdx.x) % lanes),
        first(static_cast<int>(blockIdx.y) * (kStateThreads / lanes * kStateRows) +
              static_cast<int>(threadIdx.x) / lanes) {}
  /// Neighbouring threads have neighbouring rows, so that a warp reads one stretch of memory.
  __device__ int row(int i) const { return first + i * (kStateThreads / lanes); }
};

}  // namespace tandem::cuda
