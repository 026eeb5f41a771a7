// A block's product of two matrices, kTile x kTile numbers of it: what prefill and mixing matrices are made
// of. f32.
#pragma once

#include "kernels/cuda/device.h"
#include "kernels/cuda/vector.cuh"

namespace tandem::cuda {

inline constexpr int kTile = 64;
inline constexpr int kTileThreads = 256;
inline constexpr int kTilePart = 4;  // a thread has kTilePart x kTilePart sums
inline constexpr int kTileDepth = 16;
inline constexpr int kSlabStride = kTile + 4;
inline constexpr int kSlabFloats = kTileDepth * kSlabStride;

/// First row, and column, of the calling thread's sums.
__device__ __forceinline__ int tile_row() {
  return static_cast<int>(threadIdx.x) / (kTile / kTilePart) * kTilePart;
}
__device__ __forceinline__ int tile_column() {
  return static_cast<int>(threadIdx.x) % (kTile / kTilePart) * kTilePart;
}

/// slab[k][i] = operand(i, begin + k), 0 beyond `depth`. Neighbouring threads read what is contiguous in
/// memory.
template <typename Operand>
__device__ __forceinline__ void load_slab(const Operand& operand, int begin, int depth, float* slab) {
  for (int n = static_cast<int>(threadIdx.x); n < kTile * kTileDepth; n += kTileThreads) {
    const int k = Operand::kContiguousInDepth ? n % kTileDepth : n / kTile;
    const int i = Operand::kContiguousInDepth ? n / kTileDepth : n % kTile;
    slab[k * kSlabStride + i] = begin + k < depth ? operand(i, begin + k) : 0.0F;
  }
}

/// sum[i][j] += sum over k < depth of a(tile_row() + i, k) * b(tile_column() + j, k). Operands are called
/// with rows below kTile and any k below depth, and say by kContiguousInDepth how they lie in memory. slabs:
/// 2 * kSlabFloats of shared memory. All kTileThreads threads call; barriers before and after what is read.
template <typename A, typename B>
__device__ __forceinline__ void multiply_tile(const A& a, const B& b, int depth, float* slabs,
                                              float (&sum)[kTilePart][kTilePart]) {
  for (int begin = 0; begin < depth; begin += kTileDepth) {
    load_slab(a, begin, depth, slabs);
    load_slab(b, begin, depth, slabs + kSlabFloats);
    __syncthreads();
    TANDEM_UNROLL
    for (int k = 0; k < kTileDepth; ++k) {
      const auto left = load<kTilePart>(slabs + k * kSlabStride + tile_row());
      const auto right = load<kTilePart>(slabs + kSlabFloats + k * kSlabStride + tile_column());
      TANDEM_UNROLL
      for (int i = 0; i < kTilePart; ++i) {
        TANDEM_UNROLL
        for (int j = 0; j < kTilePart; ++j) sum[i][j] += left.at[i] * right.at[j];
      }
    }
    __syncthreads();
  }
}

/// The calling thread's numbers of a tile to a matrix that has `rows` x `columns` from `to` on, and maybe
/// ends before the tile does.
__device__ __forceinline__ void store_tile(const float (&values)[kTilePart][kTilePart], float* to,
                                           std::int64_t stride, int rows, int columns) {
  TANDEM_UNROLL
  for (int i = 0; i < kTilePart; ++i) {
    TANDEM_UNROLL
    for (int j = 0; j < kTilePart; ++j) {
      const int row = tile_row() + i;
      const int column = tile_column() + j;
      if (row < rows && column < columns) to[row * stride + column] = values[i][j];
    }
  }
}

/// Rows of a matrix in memory as an operand: `count` of them from `data`, zeros after.
template <typename Element>
struct TileRows {
  static constexpr bool kContiguousInDepth = true;
  const Element* data;
  std::int64_t stride;
  int count;
  __device__ float operator()(int i, int k) const {
    return i < count ? load<1>(data + i * stride + k).at[0] : 0.0F;
  }
};
/// Columns, the same way: `count` of them.
template <typename Element>
struct TileColumns {
  static constexpr bool kContiguousInDepth = false;
  const Element* data;
  std::int64_t stride;
  int count;
  __device__ float operator()(int i, int k) const {
    return i < count ? load<1>(data + k * stride + i).at[0] : 0.0F;
  }
};

}  // namespace tandem::cuda
