// How the rows of a recurrent state are shared among threads: `lanes` neighbours in a warp read one row, a
// few numbers each, and a thread holds kStateRows rows at a time, so that enough loads are under way.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

#include "kernels/cuda/launch.h"
#include "kernels/cuda/reduce.cuh"

namespace tandem::cuda {

inline constexpr int kStateRows = 4;

/// Lanes that share a row of `dstate` numbers, read `width` at a time: a power of two.
inline int state_lanes(std::int64_t dstate, int width) {
  const auto wanted = std::bit_ceil(static_cast<unsigned>(ceil_div(dstate, std::int64_t{width})));
  return static_cast<int>(std::min(wanted, static_cast<unsigned>(kWarp)));
}

/// A thread's part of the rows that a block of kThreads holds at a time: row(i) for i < kStateRows, in which
/// the thread is number `lane` of `lanes`.
template <int kThreads>
struct StatePart {
  int lanes, lane;
  int begin;  // the block's first row

  __device__ StatePart(int lanes_of_row, int block)
      : lanes(lanes_of_row),
        lane(static_cast<int>(threadIdx.x) % lanes),
        begin(block * rows_of_block(lanes_of_row)) {}
  __host__ __device__ static constexpr int rows_of_block(int lanes_of_row) {
    return kThreads / lanes_of_row * kStateRows;
  }
  /// Neighbouring threads have neighbouring rows, so that a warp reads one stretch of memory.
  __device__ int row(int i) const {
    return begin + static_cast<int>(threadIdx.x) / lanes + i * (kThreads / lanes);
  }
};

}  // namespace tandem::cuda
