// Launches over tiles of one T x T matrix per head, for a list of heads that the host has.
#pragma once

#include <algorithm>
#include <span>
#include <string>

#include "kernels/cuda/launch.h"
#include "kernels/cuda/tile.cuh"

namespace tandem::cuda {

/// Some heads, as a kernel's argument.
struct HeadList {
  static constexpr int kMax = 128;
  int heads[kMax];
};

/// Where a block's tile lies: blockIdx is (tile of columns, tile of rows, number in the list).
struct MatrixTile {
  int head, row, column;
  float* data;  // the matrix, or null
  int tokens;

  __device__ MatrixTile(const HeadList& list, float* matrices, int extent)
      : head(list.heads[blockIdx.z]),
        row(static_cast<int>(blockIdx.y) * kTile),
        column(static_cast<int>(blockIdx.x) * kTile),
        data(of_block(matrices, extent)),
        tokens(extent) {}

  /// The block's matrix in a stack of them; null stays null.
  __device__ static float* of_block(float* matrices, int extent) {
    return matrices == nullptr ? nullptr : matrices + std::int64_t{blockIdx.z} * extent * extent;
  }
  /// Whether all of it lies above the diagonal.
  __device__ bool above() const { return column > row; }
  /// value(i, j) for the calling thread's numbers on and below the diagonal, 0 above it.
  template <typename Value>
  __device__ void write(float* matrix, const Value& value) const {
    if (matrix == nullptr) return;
    TANDEM_UNROLL
    for (int i = 0; i < kTilePart; ++i) {
      TANDEM_UNROLL
      for (int j = 0; j < kTilePart; ++j) {
        const int l = row + tile_row() + i;
        const int m = column + tile_column() + j;
        if (l < tokens && m < tokens) matrix[std::int64_t{l} * tokens + m] = m <= l ? value(i, j) : 0.0F;
      }
    }
  }
};

/// Calls run(list, first, grid) for each stretch of at most HeadList::kMax heads; `first` is its place among
/// them all.
template <typename Run>
void for_head_lists(std::span<const std::int64_t> heads, std::int64_t nheads, std::int64_t tokens,
                    const Run& run) {
  const std::int64_t tiles = ceil_div(tokens, std::int64_t{kTile});
  for (std::size_t first = 0; first < heads.size(); first += HeadList::kMax) {
    const std::size_t count = std::min(heads.size() - first, std::size_t{HeadList::kMax});
    HeadList list = {};
    for (std::size_t i = 0; i < count; ++i) {
      const std::int64_t head = heads[first + i];
      TANDEM_CHECK(head >= 0 && head < nheads, "matrix of head " + std::to_string(head));
      list.heads[i] = static_cast<int>(head);
    }
    run(list, static_cast<std::int64_t>(first), Grid{tiles, tiles, static_cast<std::int64_t>(count)});
  }
}

/// Matrix `first` of a stack [H', T, T], null where the stack is empty.
inline float* matrices_from(const TensorView& stack, std::int64_t first) {
  return stack.empty() ? nullptr : stack.row(first);
}

}  // namespace tandem::cuda
