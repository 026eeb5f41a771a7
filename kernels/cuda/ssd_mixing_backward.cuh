// Gradients through a tile of the mixing matrix: that of the matrix itself, what flows to and from its
// tokens, and those of b and c.
#pragma once

#include "kernels/cuda/reduce.cuh"
#include "kernels/cuda/ssd_chunk.cuh"

namespace tandem::cuda {

inline constexpr int kRowThreads = kTile / kTilePart;  // that share a tile's row: neighbours in a warp

/// A matrix per head of which a scan has the chunks on the diagonal [H, T, 64], and the matrices' own pass
/// all [H, T, T]. Row l holds the columns from first_column(l) on.
struct Mixing {
  float* data;
  int tokens, width;

  __device__ bool whole() const { return width == tokens; }
  __device__ int first_column(int row) const { return whole() ? 0 : row / kChunk * kChunk; }
  __device__ float* at(int head, int row, int column) const {
    return data + (std::int64_t{head} * tokens + row) * width + column - first_column(row);
  }
};

/// Sums over a tile's columns, or rows, for each of its rows, or columns: [tiles, H, T]. A scan's tiles are
/// alone in their rows and columns: one is enough.
struct Flows {
  float *arriving, *leaving, *d_step;
  int tiles, nheads, tokens;

  /// Of `token` and the tile that begins at token `other`.
  __device__ std::int64_t at(int other, int head, int token) const {
    const int tile = tiles == 1 ? 0 : other / kTile;
    return (std::int64_t{tile} * nheads + head) * tokens + token;
  }
};

/// sums[j] = what all threads have for column j, in order: each thread has kTilePart of a row's. A barrier
/// before and after. slab: kTile * kRowThreads floats.
__device__ __forceinline__ void sum_columns(const float (&parts)[kTilePart], float* slab, float* sums,
                                            int columns) {
  TANDEM_UNROLL
  for (int j = 0; j < kTilePart; ++j) slab[tile_row() / kTilePart * kTile + tile_column() + j] = parts[j];
  __syncthreads();
  const int thread = static_cast<int>(threadIdx.x);
  if (thread < columns) {
    float sum = 0.0F;
    for (int i = 0; i < kRowThreads; ++i) sum += slab[i * kTile + thread];
    sums[thread] = sum;
  }
  __syncthreads();
}

/// The gradient of a tile of a mixing matrix: that of a scan from the outputs', or as it is given.
struct OutputGradient {
  SsdHeads o;
  Matrix<float> d_y;
  __device__ void load(int head, int row, int column, int tokens, float* slabs,
                       float (&d_m)[kTilePart][kTilePart]) const {
    multiply_tile(TileRows<float>{d_y.at(row, head * o.headdim), d_y.stride, tokens - row},
                  TileRows<float>{o.x_of(column, head), o.x.stride, tokens - column}, o.headdim, slabs, d_m);
  }
};
struct GivenGradient {
  const float* matrices;  // [H, T, T]
  __device__ void load(int head, int row, int column, int tokens, float* /*slabs*/,
                       float (&d_m)[kTilePart][kTilePart]) const {
    TANDEM_UNROLL
    for (int i = 0; i < kTilePart; ++i) {
      TANDEM_UNROLL
      for (int j = 0; j < kTilePart; ++j) {
        const int l = row + tile_row() + i;
        const int m = column + tile_column() + j;
        if (m <= l && l < tokens) d_m[i][j] = matrices[(std::int64_t{head} * tokens + l) * tokens + m];
      }
    }
  }
};

/// Block (tile of columns, head, tile of rows; of a scan, one in place of both tiles). Gives d_content and,
/// unless its data is null, the mixing matrix; the flows; and the trace of d_m [tiles, H] by diagonal tiles.
template <typename Gradient>
__global__ void __launch_bounds__(kTileThreads)
    mixing_kernel(SsdHeads o, Gradient gradient, int tokens, Mixing d_content, Mixing mixing, Flows flows,
                  float* traces) {
  TANDEM_SHARED(float, slabs, 2 * kSlabFloats);
  TANDEM_SHARED(double, row_logs, kChunk);
  TANDEM_SHARED(double, column_logs, kChunk);
  const int head = static_cast<int>(blockIdx.y);
  const int column = static_cast<int>(blockIdx.x) * kTile;
  const int row = flows.tiles == 1 ? column : static_cast<int>(blockIdx.z) * kTile;
  if (column > row) return;
  const double between = sum_between(o, head, column, row, tokens, row_logs, column_logs);
  float content[kTilePart][kTilePart] = {};
  float d_m[kTilePart][kTilePart] = {};
  multiply_tile(TileRows<float>{o.c_of(row, head), o.c.stride, tokens - row},
                TileRows<float>{o.b_of(column, head), o.b.stride, tokens - column}, o.dstate, slabs, content);
  gradient.load(head, row, column, tokens, slabs, d_m);
  float leaving[kTilePart] = {};
  float d_step[kTilePart] = {};
  float trace = 0.0F;
  TANDEM_UNROLL
  for (int i = 0; i < kTilePart; ++i) {
    const int l = row + tile_row() + i;
    float arriving = 0.0F;
    TANDEM_UNROLL
    for (int j = 0; j < kTilePart; ++j) {
      const int m = column + tile_column() + j;
      const bool seen = m <= l && l < tokens;
      const float decay =
          seen ? expf(static_cast<float>(row_logs[tile_row() + i] + between - column_logs[tile_column() + j]))
               : 0.0F;
      const float step = seen ? o.dt_of(m, head) : 0.0F;
      const float through = seen ? d_m[i][j] * decay : 0.0F;
      const float flow = through * step * content[i][j];
      arriving += flow;
      leaving[j] += flow;
      d_step[j] += through * content[i][j];
      if (m == l && seen) trace += d_m[i][j];
      if (l >= tokens || m >= tokens) continue;
      *d_content.at(head, l, m) = through * step;
      if (mixing.data != nullptr) *mixing.at(head, l, m) = decay * content[i][j] * step;
    }
    arriving = neighbours_sum(arriving, kRowThreads);
    if (tile_column() == 0 && l < tokens) flows.arriving[flows.at(column, head, l)] = arriving;
  }
  const int columns = min(kTile, tokens - column);
  sum_columns(leaving, slabs, flows.leaving + flows.at(row, head, column), columns);
  sum_columns(d_step, slabs, flows.d_step + flows.at(row, head, column), columns);
  trace = block_sum<kTileThreads>(trace);
  if (row == column && threadIdx.x == 0) traces[std::int64_t{blockIdx.x} * o.nheads + head] = trace;
}

enum class Source { B, C };

/// Of b, the tokens' inputs with the gradient of the state after their chunk; of c, their outputs' gradients
/// with the state before it [chunks, H, P, N]. Without `states` there is none.
struct StateTerm {
  Matrix<float> rows;
  int share;  // heads that read one head of the rows
  const float* states;
  float* dots;  // [tiles of N, H, T]: of each token's b or c with its part, decayed
};

/// Block (tile of tokens, head, tile of N): the head's part of the gradient of b or c [T, H*N].
template <Source kSource>
__global__ void __launch_bounds__(kTileThreads)
    source_gradient_kernel(SsdHeads o, int tokens, Mixing d_content, StateTerm term, Matrix<float> gradient) {
  TANDEM_SHARED(float, slabs, 2 * kSlabFloats);
  TANDEM_SHARED(double, logs, kChunk);
  const Chunk chunk = chunk_of_block(tokens);
  const int n = static_cast<int>(blockIdx.z) * kTile;
  float sum[kTilePart][kTilePart] = {};
  if (kSource == Source::C) {
    const int first = d_content.first_column(chunk.begin);
    multiply_tile(TileRows<float>{d_content.at(chunk.head, chunk.begin, first), d_content.width, chunk.count},
                  TileColumns<float>{o.b_of(first, chunk.head) + n, o.b.stride, o.dstate - n},
                  chunk.begin + chunk.count - first, slabs, sum);
  } else {
    const int last = d_content.whole() ? tokens : chunk.begin + chunk.count;
    multiply_tile(
        TileColumns<float>{d_content.at(chunk.head, chunk.begin, chunk.begin), d_content.width, chunk.count},
        TileColumns<float>{o.c_of(chunk.begin, chunk.head) + n, o.c.stride, o.dstate - n}, last - chunk.begin,
        slabs, sum);
  }
  if (term.states != nullptr) {
    const std::int64_t place = std::int64_t{blockIdx.x} * o.nheads + chunk.head;
    float part[kTilePart][kTilePart] = {};
    multiply_tile(TileRows<float>{term.rows.at(chunk.begin, chunk.head / term.share * o.headdim),
                                  term.rows.stride, chunk.count},
                  TileColumns<float>{term.states + place * o.headdim * o.dstate + n, o.dstate, o.dstate - n},
                  o.headdim, slabs, part);
    sum_decays(o, chunk, logs);
    TANDEM_UNROLL
    for (int i = 0; i < kTilePart; ++i) {
      const int l = min(tile_row() + i, chunk.count - 1);
      const int token = chunk.begin + l;
      const float* own = (kSource == Source::C ? o.c_of(token, chunk.head) : o.b_of(token, chunk.head)) + n;
      const float decay =
          kSource == Source::C ? expf(static_cast<float>(logs[l])) : decay_between(logs, chunk.count - 1, l);
      const float weight = kSource == Source::C ? decay : decay * o.dt_of(token, chunk.head);
      float dot = 0.0F;
      TANDEM_UNROLL
      for (int j = 0; j < kTilePart; ++j) {
        if (n + tile_column() + j < o.dstate) dot += own[tile_column() + j] * part[i][j];
        sum[i][j] += weight * part[i][j];
      }
      dot = neighbours_sum(dot, kRowThreads);
      if (tile_column() == 0 && tile_row() + i < chunk.count) {
        term.dots[(std::int64_t{blockIdx.z} * o.nheads + chunk.head) * tokens + token] = decay * dot;
      }
    }
  }
  store_tile(sum, gradient.at(chunk.begin, chunk.head * o.dstate + n), gradient.stride, chunk.count,
             o.dstate - n);
}

}  // namespace tandem::cuda
