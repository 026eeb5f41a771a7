// Decays between the tokens of one chunk.
#pragma once

#include "kernels/cuda/ssd_heads.cuh"
#include "kernels/cuda/tile.cuh"

namespace tandem::cuda {

inline constexpr int kChunk = kTile;

/// One head's tokens begin .. begin + count - 1, kChunk of them at most.
struct Chunk {
  int head, begin, count;
};

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

}  // namespace tandem::cuda
