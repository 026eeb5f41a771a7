// With P = softmax(scale Q K^T): dV = P^T dO, dP = dO V^T, dS = scale P o (dP - rowsum(P o dP)), dQ = dS K,
// dK = dS^T Q.
#include "kernels/cuda/attention_backward.h"

#include "kernels/cuda/attention_tile.cuh"
#include "kernels/cuda/columnwise.cuh"

namespace tandem::cuda {
namespace {

constexpr int kRowThreads = kTile / kTilePart;  // that share a tile's row: neighbours in a warp

/// Per head and row [H, T]: log of the sum of the exponentials, and rowsum(P o dP).
struct RowSums {
  float* log_sum;
  float* mean;
};

struct Attention {
  Matrix<float> q, k, v, d_out;
  int tokens, group, headdim;
  float scale;

  __device__ int column(int head) const { return head * headdim; }
  __device__ int kv_column(int head) const { return head / group * headdim; }

  /// Scores and dP of rows from `row` and keys from `key`, the calling thread's numbers.
  __device__ void multiply(int head, int row, int key, float* slabs, float (&score)[kTilePart][kTilePart],
                           float (&d_p)[kTilePart][kTilePart]) const {
    const int rows = tokens - row;
    const int keys = tokens - key;
    multiply_tile(TileRows<float>{q.at(row, column(head)), q.stride, rows},
                  TileRows<float>{k.at(key, kv_column(head)), k.stride, keys}, headdim, slabs, score);
    multiply_tile(TileRows<float>{d_out.at(row, column(head)), d_out.stride, rows},
                  TileRows<float>{v.at(key, kv_column(head)), v.stride, keys}, headdim, slabs, d_p);
  }
  __device__ bool seen(int row, int key) const { return key <= row && row < tokens; }
};

/// Block (tile of rows, head).
__global__ void __launch_bounds__(kTileThreads) row_sums_kernel(Attention o, RowSums sums) {
  TANDEM_SHARED(float, slabs, 2 * kSlabFloats);
  const int row = static_cast<int>(gridDim.x - 1 - blockIdx.x) * kTile;
  const int head = static_cast<int>(blockIdx.y);
  float largest[kTilePart];
  float sum[kTilePart] = {};
  float product[kTilePart] = {};  // of the exponentials and dP
  for (float& value : largest) value = -INFINITY;
  for (int key = 0; key < min(row + kTile, o.tokens); key += kTile) {
    float score[kTilePart][kTilePart] = {};
    float d_p[kTilePart][kTilePart] = {};
    o.multiply(head, row, key, slabs, score, d_p);
    TANDEM_UNROLL
    for (int i = 0; i < kTilePart; ++i) {
      float top = largest[i];
      TANDEM_UNROLL
      for (int j = 0; j < kTilePart; ++j) {
        const bool seen = o.seen(row + tile_row() + i, key + tile_column() + j);
        score[i][j] = seen ? score[i][j] * o.scale : -INFINITY;
        top = fmaxf(top, score[i][j]);
      }
      top = neighbours_max(top, kRowThreads);
      const float shrink = relative_exp(largest[i], top);
      sum[i] *= shrink;
      product[i] *= shrink;
      largest[i] = top;
      TANDEM_UNROLL
      for (int j = 0; j < kTilePart; ++j) {
        const float weight = relative_exp(score[i][j], top);
        sum[i] += weight;
        product[i] += weight * d_p[i][j];
      }
    }
  }
  TANDEM_UNROLL
  for (int i = 0; i < kTilePart; ++i) {
    const float total = neighbours_sum(sum[i], kRowThreads);
    const float mean = neighbours_sum(product[i], kRowThreads) / total;
    const int own = row + tile_row() + i;
    if (tile_column() != 0 || own >= o.tokens) continue;
    const std::int64_t place = std::int64_t{head} * o.tokens + own;
    sums.log_sum[place] = largest[i] + logf(total);
    sums.mean[place] = mean;
  }
}

/// Writes dS, and P unless it is null, of rows from `row` and keys from `key` to shared memory. A barrier.
__device__ __forceinline__ void load_gradients(const Attention& o, const RowSums& sums, int head, int row,
                                               int key, float* slabs, float* d_scores, float* p) {
  float score[kTilePart][kTilePart] = {};
  float d_p[kTilePart][kTilePart] = {};
  o.multiply(head, row, key, slabs, score, d_p);
  TANDEM_UNROLL
  for (int i = 0; i < kTilePart; ++i) {
    const int own = row + tile_row() + i;
    const std::int64_t place = std::int64_t{head} * o.tokens + own;
    const float log_sum = own < o.tokens ? sums.log_sum[place] : 0.0F;
    const float mean = own < o.tokens ? sums.mean[place] : 0.0F;
    TANDEM_UNROLL
    for (int j = 0; j < kTilePart; ++j) {
      const int at = (tile_row() + i) * kScoreStride + tile_column() + j;
      const bool seen = o.seen(own, key + tile_column() + j);
      const float weight = seen ? expf(score[i][j] * o.scale - log_sum) : 0.0F;
      d_scores[at] = o.scale * weight * (d_p[i][j] - mean);
      if (p != nullptr) p[at] = weight;
    }
  }
  __syncthreads();
}

/// The transpose of what lies in shared memory.
struct TransposedScores {
  static constexpr bool kContiguousInDepth = false;
  const float* scores;
  __device__ float operator()(int i, int k) const { return scores[k * kScoreStride + i]; }
};

/// Block (tile of rows, head, tile of dimensions).
__global__ void __launch_bounds__(kTileThreads)
    query_gradient_kernel(Attention o, RowSums sums, Matrix<float> d_q) {
  TANDEM_SHARED(float, slabs, 2 * kSlabFloats);
  TANDEM_SHARED(float, d_scores, kTile* kScoreStride);
  const int row = static_cast<int>(gridDim.x - 1 - blockIdx.x) * kTile;
  const int head = static_cast<int>(blockIdx.y);
  const int first = static_cast<int>(blockIdx.z) * kTile;
  float sum[kTilePart][kTilePart] = {};
  for (int key = 0; key < min(row + kTile, o.tokens); key += kTile) {
    load_gradients(o, sums, head, row, key, slabs, d_scores, nullptr);
    multiply_tile(TileScores{d_scores},
                  TileColumns<float>{o.k.at(key, o.kv_column(head) + first), o.k.stride, o.headdim - first},
                  min(kTile, o.tokens - key), slabs, sum);
  }
  store_tile(sum, d_q.at(row, o.column(head) + first), d_q.stride, o.tokens - row, o.headdim - first);
}

/// Block (tile of keys, KV head, tile of dimensions).
__global__ void __launch_bounds__(kTileThreads)
    key_gradient_kernel(Attention o, RowSums sums, Matrix<float> d_k, Matrix<float> d_v) {
  TANDEM_SHARED(float, slabs, 2 * kSlabFloats);
  TANDEM_SHARED(float, d_scores, kTile* kScoreStride);
  TANDEM_SHARED(float, p, kTile* kScoreStride);
  const int key = static_cast<int>(blockIdx.x) * kTile;
  const int first = static_cast<int>(blockIdx.z) * kTile;
  float to_k[kTilePart][kTilePart] = {};
  float to_v[kTilePart][kTilePart] = {};
  for (int shared = 0; shared < o.group; ++shared) {
    const int head = static_cast<int>(blockIdx.y) * o.group + shared;
    for (int row = key; row < o.tokens; row += kTile) {
      const int rows = min(kTile, o.tokens - row);
      const auto columns = [&](const Matrix<float>& from) {
        return TileColumns<float>{from.at(row, o.column(head) + first), from.stride, o.headdim - first};
      };
      load_gradients(o, sums, head, row, key, slabs, d_scores, p);
      multiply_tile(TransposedScores{d_scores}, columns(o.q), rows, slabs, to_k);
      multiply_tile(TransposedScores{p}, columns(o.d_out), rows, slabs, to_v);
    }
  }
  const int column = static_cast<int>(blockIdx.y) * o.headdim + first;
  store_tile(to_k, d_k.at(key, column), d_k.stride, o.tokens - key, o.headdim - first);
  store_tile(to_v, d_v.at(key, column), d_v.stride, o.tokens - key, o.headdim - first);
}

}  // namespace

std::int64_t causal_attention_backward_scratch(TensorView q, std::int64_t nheads) {
  return 2 * nheads * q.extent(0);
}

void causal_attention_backward(Stream& stream, TensorView q, TensorView k, TensorView v, TensorView d_out,
                               std::int64_t nheads, std::int64_t nheads_kv, float scale, TensorView d_q,
                               TensorView d_k, TensorView d_v, TensorView scratch) {
  TANDEM_CHECK(q.rank() == 2 && nheads > 0 && nheads_kv > 0 && nheads % nheads_kv == 0 &&
                   q.extent(1) % nheads == 0 && d_out.shape() == q.shape() && d_q.shape() == q.shape() &&
                   (k.shape() == Shape{q.extent(0), q.extent(1) / nheads * nheads_kv}) &&
                   v.shape() == k.shape() && d_k.shape() == k.shape() && d_v.shape() == k.shape(),
               "causal_attention_backward: q " + q.shape().str() + ", k " + k.shape().str() + ", v " +
                   v.shape().str() + ", d_out " + d_out.shape().str() + " for " + std::to_string(nheads) +
                   " heads, " + std::to_string(nheads_kv) + " KV heads");
  check_scratch(scratch, causal_attention_backward_scratch(q, nheads), "causal_attention_backward");
  const std::int64_t tokens = q.extent(0);
  const std::int64_t dim = q.extent(1) / nheads;
  const Attention attention = {matrix(q),
                               matrix(k),
                               matrix(v),
                               matrix(d_out),
                               static_cast<int>(tokens),
                               static_cast<int>(nheads / nheads_kv),
                               static_cast<int>(dim),
                               scale};
  const RowSums sums = {scratch.f32(), scratch.f32() + nheads * tokens};
  const std::int64_t tiles = ceil_div(tokens, std::int64_t{kTile});
  const std::int64_t columns = ceil_div(dim, std::int64_t{kTile});
  launch(stream, row_sums_kernel, Grid{tiles, nheads}, Block{kTileThreads}, 0, attention, sums);
  launch(stream, query_gradient_kernel, Grid{tiles, nheads, columns}, Block{kTileThreads}, 0, attention, sums,
         matrix(d_q));
  launch(stream, key_gradient_kernel, Grid{tiles, nheads_kv, columns}, Block{kTileThreads}, 0, attention,
         sums, matrix(d_k), matrix(d_v));
}

}  // namespace tandem::cuda
