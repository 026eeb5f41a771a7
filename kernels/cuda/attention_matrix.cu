#include "kernels/cuda/attention.h"
#include "kernels/cuda/matrix_tiles.cuh"
#include "kernels/cuda/reduce.cuh"
#include "kernels/cuda/rowwise.cuh"

namespace tandem::cuda {
namespace {

constexpr int kRowThreads = 256;

/// Scores on and below the diagonal.
__global__ void __launch_bounds__(kTileThreads)
    score_kernel(HeadList list, Matrix<float> q, Matrix<float> k, int group, int headdim, float scale,
                 int tokens, float* m) {
  TANDEM_SHARED(float, slabs, 2 * kSlabFloats);
  const MatrixTile tile(list, m, tokens);
  float score[kTilePart][kTilePart] = {};
  if (!tile.above()) {
    const float* query = q.at(tile.row, std::int64_t{tile.head} * headdim);
    const float* key = k.at(tile.column, std::int64_t{tile.head / group} * headdim);
    multiply_tile(TileRows<float>{query, q.stride, tokens - tile.row},
                  TileRows<float>{key, k.stride, tokens - tile.column}, headdim, slabs, score);
  }
  tile.write(tile.data, [&](int i, int j) { return score[i][j] * scale; });
}

/// Block (t, head): softmax of the first t + 1 numbers of row t.
__global__ void __launch_bounds__(kRowThreads) softmax_kernel(int tokens, float* m) {
  float* row = m + (std::int64_t{blockIdx.y} * tokens + blockIdx.x) * tokens;
  const int seen = static_cast<int>(blockIdx.x) + 1;
  const int thread = static_cast<int>(threadIdx.x);
  float largest = -INFINITY;
  for (int j = thread; j < seen; j += kRowThreads) largest = fmaxf(largest, row[j]);
  largest = block_max<kRowThreads>(largest);
  float sum = 0.0F;
  for (int j = thread; j < seen; j += kRowThreads) {
    row[j] = expf(row[j] - largest);
    sum += row[j];
  }
  const float factor = 1.0F / block_sum<kRowThreads>(sum);
  for (int j = thread; j < seen; j += kRowThreads) row[j] *= factor;
}

}  // namespace

void attention_matrix(Stream& stream, TensorView q, TensorView k, std::int64_t nheads, std::int64_t nheads_kv,
                      float scale, std::span<const std::int64_t> heads, TensorView m) {
  TANDEM_CHECK(
      q.rank() == 2 && nheads > 0 && nheads_kv > 0 && nheads % nheads_kv == 0 && q.extent(1) % nheads == 0,
      "attention_matrix: q " + q.shape().str() + " for " + std::to_string(nheads) + " heads, " +
          std::to_string(nheads_kv) + " KV heads");
  const std::int64_t tokens = q.extent(0);
  const std::int64_t dim = q.extent(1) / nheads;
  TANDEM_CHECK(
      (k.shape() == Shape{tokens, nheads_kv * dim}) && m.contiguous() &&
          (m.shape() == Shape{std::ssize(heads), tokens, tokens}),
      "attention_matrix: q " + q.shape().str() + ", k " + k.shape().str() + ", m " + m.shape().str());
  for_head_lists(heads, nheads, tokens, [&](const HeadList& list, std::int64_t first, Grid grid) {
    launch(stream, score_kernel, grid, Block{kTileThreads}, 0, list, matrix(q), matrix(k), nheads / nheads_kv,
           dim, scale, tokens, matrices_from(m, first));
    launch(stream, softmax_kernel, Grid{tokens, grid.z}, Block{kRowThreads}, 0, tokens,
           matrices_from(m, first));
  });
}

}  // namespace tandem::cuda
