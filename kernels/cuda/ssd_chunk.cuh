// Decays between the tokens of one chunk.
#pragma once

#include "kernels/cuda/reduce.cuh"
#include "kernels/cuda/ssd_heads.cuh"
#include "kernels/cuda/tile.cuh"

namespace tandem::cuda {

inline constexpr int kChunk = kTile;

/// One head's tokens begin .. begin + count - 1, kChunk of them at most.
struct Chunk {
  int head, begin, count;
};

/// Of blockIdx.x, and the head blockIdx.y.
__device__ __forceinline__ Chunk chunk_of_block(int tokens) {
  const int begin = static_cast<int>(blockIdx.x) * kChunk;
  return {static_cast<int>(blockIdx.y), begin, min(kChunk, tokens - begin)};
}

/// logs[l] = sum of the log decays of tokens 0 .. l of the chunk, in double, so that differences of large
/// sums keep their precision; beyond the chunk's end, of all. A barrier after.
__device__ __forceinline__ void sum_decays(const SsdHeads& o, const Chunk& chunk, double* logs) {
  const int l = static_cast<int>(threadIdx.x);
  if (l < kChunk) {
    double sum = 0.0;
    for (int m = 0; m <= min(l, chunk.count - 1); ++m) {
      sum += static_cast<double>(*o.log_decay.at(chunk.begin + m, chunk.head));
    }
    logs[l] = sum;
  }
  __syncthreads();
}
/// Product of the decays after token m up to token l.
__device__ __forceinline__ float decay_between(const double* logs, int l, int m) {
  return expf(static_cast<float>(logs[l] - logs[m]));
}

/// For decays from a token of the tile at `column` to one of the tile at `row`, which is the same or a later
/// one: sums both tiles' logs, and gives the sum from the one's start to the other's. What lies between is of
/// one sign, so that nothing cancels. All kTileThreads threads call; a barrier after.
__device__ __forceinline__ double sum_between(const SsdHeads& o, int head, int column, int row, int tokens,
                                              double* row_logs, double* column_logs) {
  sum_decays(o, {head, row, min(kTile, tokens - row)}, row_logs);
  sum_decays(o, {head, column, min(kTile, tokens - column)}, column_logs);
  float own = 0.0F;
  for (int t = column + kTile + static_cast<int>(threadIdx.x); t < row; t += kTileThreads) {
    own += *o.log_decay.at(t, head);
  }
  const auto between = static_cast<double>(block_sum<kTileThreads>(own));
  return row > column ? between + column_logs[kTile - 1] : between;
}

}  // namespace tandem::cuda
