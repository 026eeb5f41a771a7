// Softmax attention of kTile query rows to any number of keys, a tile of keys at a time, by one block. The
// running maximum and sum of each row are kept, so that no matrix of scores is ever whole. f32.
#pragma once

#include "kernels/cuda/reduce.cuh"
#include "kernels/cuda/tile.cuh"

namespace tandem::cuda {

inline constexpr int kScoreStride = kTile + 1;

/// Shared memory of an attention tile.
struct AttentionTile {
  float* slabs;    // 2 * kSlabFloats
  float* scores;   // kTile x kScoreStride
  float* largest;  // of each row, so far
  float* sum;      // of each row's exponentials, so far
  float* shrink;   // what this tile of keys made of the exponentials before it
};
inline constexpr int kAttentionTileFloats = 2 * kSlabFloats + kTile * kScoreStride + 3 * kTile;

__device__ __forceinline__ AttentionTile attention_tile(float* memory) {
  float* scores = memory + 2 * kSlabFloats;
  float* rows = scores + kTile * kScoreStride;
  return {memory, scores, rows, rows + kTile, rows + 2 * kTile};
}

/// The exponentials of a tile of keys as an operand.
struct TileScores {
  static constexpr bool kContiguousInDepth = true;
  const float* scores;
  __device__ float operator()(int i, int k) const { return scores[i * kScoreStride + k]; }
};

/// exp(x - largest); 0 for what is not there, -inf, also where nothing has been seen yet. NaN stays NaN.
__device__ __forceinline__ float relative_exp(float x, float largest) {
  return x == -INFINITY ? 0.0F : expf(x - largest);
}

/// Turns scores into exponentials relative to each row's largest so far. Four neighbours share a row.
__device__ __forceinline__ void exponentiate(const AttentionTile& tile) {
  constexpr int kSharers = kTileThreads / kTile;
  const int row = static_cast<int>(threadIdx.x) / kSharers;
  const int first = static_cast<int>(threadIdx.x) % kSharers;
  float* scores = tile.scores + row * kScoreStride;
  float largest = -INFINITY;
  for (int j = first; j < kTile; j += kSharers) largest = fmaxf(largest, scores[j]);
  const float before = tile.largest[row];
  largest = fmaxf(before, neighbours_max(largest, kSharers));
  float sum = 0.0F;
  for (int j = first; j < kTile; j += kSharers) {
    scores[j] = relative_exp(scores[j], largest);
    sum += scores[j];
  }
  sum = neighbours_sum(sum, kSharers);
  if (first != 0) return;
  const float shrink = relative_exp(before, largest);
  tile.shrink[row] = shrink;
  tile.sum[row] = tile.sum[row] * shrink + sum;
  tile.largest[row] = largest;
}

/// Attends to keys [begin, end): out[c] are the sums, not yet divided by tile.sum, of columns c * kTile and
/// on. keys(j) and values(j, c) are operands for the keys from j and, of values, the columns from c * kTile;
/// visible(row, key) says whether a row sees a key below `end`.
template <int kColumns, typename Queries, typename Keys, typename Values, typename Visible>
__device__ __forceinline__ void attend_tile(const AttentionTile& tile, const Queries& queries,
                                            const Keys& keys, const Values& values, const Visible& visible,
                                            int headdim, int begin, int end,
                                            float (&out)[kColumns][kTilePart][kTilePart]) {
  if (threadIdx.x < kTile) {
    tile.largest[threadIdx.x] = -INFINITY;
    tile.sum[threadIdx.x] = 0.0F;
  }
  for (int first = begin; first < end; first += kTile) {
    float score[kTilePart][kTilePart] = {};
    multiply_tile(queries, keys(first), headdim, tile.slabs, score);
    TANDEM_UNROLL
    for (int i = 0; i < kTilePart; ++i) {
      TANDEM_UNROLL
      for (int j = 0; j < kTilePart; ++j) {
        const int key = tile_column() + j;
        const bool seen = first + key < end && visible(tile_row() + i, first + key);
        tile.scores[(tile_row() + i) * kScoreStride + key] = seen ? score[i][j] : -INFINITY;
      }
    }
    __syncthreads();
    exponentiate(tile);
    __syncthreads();
    const int count = min(kTile, end - first);
    TANDEM_UNROLL
    for (int c = 0; c < kColumns; ++c) {
      TANDEM_UNROLL
      for (int i = 0; i < kTilePart; ++i) {
        TANDEM_UNROLL
        for (int j = 0; j < kTilePart; ++j) out[c][i][j] *= tile.shrink[tile_row() + i];
      }
      multiply_tile(TileScores{tile.scores}, values(first, c), count, tile.slabs, out[c]);
    }
  }
}

}  // namespace tandem::cuda
