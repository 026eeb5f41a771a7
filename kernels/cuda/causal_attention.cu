#include "kernels/cuda/attention.h"
#include "kernels/cuda/attention_tile.cuh"
#include "kernels/cuda/rowwise.cuh"

namespace tandem::cuda {
namespace {

/// Query rows of one head, scaled.
struct ScaledRows {
  static constexpr bool kContiguousInDepth = true;
  TileRows<float> rows;
  float scale;
  __device__ float operator()(int i, int k) const { return rows(i, k) * scale; }
};

/// Block (x, y): kTile tokens, the last first because they see the most; a query head.
template <int kColumns>
__global__ void __launch_bounds__(kTileThreads)
    causal_attention_kernel(Matrix<float> q, Matrix<float> k, Matrix<float> v, int tokens, int group,
                            int headdim, float scale, Matrix<float> out) {
  TANDEM_SHARED(float, memory, kAttentionTileFloats);
  const AttentionTile tile = attention_tile(memory);
  const int first = static_cast<int>(gridDim.x - 1 - blockIdx.x) * kTile;
  const int last = min(first + kTile, tokens);
  const int head = static_cast<int>(blockIdx.y);
  const int column = head * headdim;
  const int kv_column = head / group * headdim;
  const ScaledRows queries = {{q.at(first, column), q.stride, last - first}, scale};
  const auto keys = [&](int j) { return TileRows<float>{k.at(j, kv_column), k.stride, last - j}; };
  const auto values = [&](int j, int c) {
    return TileColumns<float>{v.at(j, kv_column + c * kTile), v.stride, headdim - c * kTile};
  };
  const auto visible = [&](int row, int key) { return key <= first + row; };
  float sum[kColumns][kTilePart][kTilePart] = {};
  attend_tile(tile, queries, keys, values, visible, headdim, 0, last, sum);
  TANDEM_UNROLL
  for (int i = 0; i < kTilePart; ++i) {
    const int row = tile_row() + i;
    if (first + row >= last) continue;
    const float factor = 1.0F / tile.sum[row];
    TANDEM_UNROLL
    for (int c = 0; c < kColumns; ++c) {
      TANDEM_UNROLL
      for (int j = 0; j < kTilePart; ++j) {
        const int x = c * kTile + tile_column() + j;
        if (x < headdim) *out.at(first + row, column + x) = sum[c][i][j] * factor;
      }
    }
  }
}

}  // namespace

void causal_attention(Stream& stream, TensorView q, TensorView k, TensorView v, std::int64_t nheads,
                      std::int64_t nheads_kv, float scale, TensorView out) {
  TANDEM_CHECK(
      q.rank() == 2 && nheads > 0 && nheads_kv > 0 && nheads % nheads_kv == 0 && q.extent(1) % nheads == 0,
      "causal_attention: q " + q.shape().str() + " for " + std::to_string(nheads) + " heads, " +
          std::to_string(nheads_kv) + " KV heads");
  const std::int64_t dim = q.extent(1) / nheads;
  const Shape kv_shape = {q.extent(0), nheads_kv * dim};
  TANDEM_CHECK(
      attention_supports(dim) && k.shape() == kv_shape && v.shape() == kv_shape && out.shape() == q.shape(),
      "causal_attention: q " + q.shape().str() + ", k " + k.shape().str() + ", v " + v.shape().str() +
          ", out " + out.shape().str());
  const std::int64_t columns = ceil_div(dim, std::int64_t{kTile});
  const auto kernel = columns == 1   ? causal_attention_kernel<1>
                      : columns == 2 ? causal_attention_kernel<2>
                                     : causal_attention_kernel<4>;
  launch(stream, kernel, Grid{ceil_div(q.extent(0), std::int64_t{kTile}), nheads}, Block{kTileThreads}, 0,
         matrix(q), matrix(k), matrix(v), q.extent(0), nheads / nheads_kv, dim, scale, matrix(out));
}

}  // namespace tandem::cuda
