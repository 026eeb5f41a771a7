#include "kernels/cuda/matrix_tiles.cuh"
#include "kernels/cuda/reduce.cuh"
#include "kernels/cuda/rowwise.cuh"
#include "kernels/cuda/selective_channels.cuh"
#include "kernels/cuda/selective_scan.h"

namespace tandem::cuda {
namespace {

/// sums[i] = sum of a channel's step sizes over tokens begin .. begin + i, of kTile tokens at most, in
/// double. The first kTile threads from first_thread on do it.
__device__ __forceinline__ void sum_steps(const SelectiveChannels& o, int channel, int begin, int tokens,
                                          int first_thread, double* sums) {
  const int i = static_cast<int>(threadIdx.x) - first_thread;
  if (i < 0 || i >= kTile) return;
  double sum = 0.0;
  for (int t = begin; t <= min(begin + i, tokens - 1); ++t)
    sum += static_cast<double>(*o.delta.at(t, channel));
  sums[i] = sum;
}

/// Adds a channel's mixing to the calling thread's numbers: steps[i][j] is the sum of step sizes after the
/// column's token up to the row's. Numbers above the diagonal or outside the matrix become anything.
__device__ __forceinline__ void add_channel(const SelectiveChannels& o, int channel, const MatrixTile& tile,
                                            const float (&steps)[kTilePart][kTilePart],
                                            float (&mixing)[kTilePart][kTilePart]) {
  const auto token = [&](int first, int i) { return min(first + i, tile.tokens - 1); };
  const int row = tile.row + tile_row();
  const int column = tile.column + tile_column();
  const float* a = o.a.at(channel, 0);
  const float* queries = o.c_of(0, channel);
  const float* keys = o.b_of(0, channel);
  float weight[kTilePart];
  TANDEM_UNROLL
  for (int j = 0; j < kTilePart; ++j) weight[j] = *o.delta.at(token(column, j), channel);
  for (int n = 0; n < o.dstate; ++n) {
    float key[kTilePart];
    TANDEM_UNROLL
    for (int j = 0; j < kTilePart; ++j) key[j] = weight[j] * keys[token(column, j) * o.b.stride + n];
    TANDEM_UNROLL
    for (int i = 0; i < kTilePart; ++i) {
      const float query = queries[token(row, i) * o.c.stride + n];
      TANDEM_UNROLL
      for (int j = 0; j < kTilePart; ++j) mixing[i][j] += query * expf(a[n] * steps[i][j]) * key[j];
    }
  }
}

__global__ void __launch_bounds__(kTileThreads)
    selective_matrix_kernel(HeadList list, SelectiveChannels o, int width, int tokens, float* matrices) {
  TANDEM_SHARED(double, row_sums, kTile);
  TANDEM_SHARED(double, column_sums, kTile);
  const MatrixTile tile(list, matrices, tokens);
  float mixing[kTilePart][kTilePart] = {};
  for (int e = tile.above() ? width : 0; e < width; ++e) {
    const int channel = tile.head * width + e;
    sum_steps(o, channel, tile.row, tokens, 0, row_sums);
    sum_steps(o, channel, tile.column, tokens, kTile, column_sums);
    float own = 0.0F;
    for (int t = tile.column + kTile + static_cast<int>(threadIdx.x); t < tile.row; t += kTileThreads) {
      own += *o.delta.at(t, channel);
    }
    double between = static_cast<double>(block_sum<kTileThreads>(own));
    if (tile.row > tile.column) between += column_sums[kTile - 1];
    float steps[kTilePart][kTilePart];
    TANDEM_UNROLL
    for (int i = 0; i < kTilePart; ++i) {
      TANDEM_UNROLL
      for (int j = 0; j < kTilePart; ++j) {
        steps[i][j] = static_cast<float>(row_sums[tile_row() + i] + between - column_sums[tile_column() + j]);
      }
    }
    add_channel(o, channel, tile, steps, mixing);
    __syncthreads();
  }
  const float factor = 1.0F / static_cast<float>(width);
  tile.write(tile.data, [&](int i, int j) { return mixing[i][j] * factor; });
}

}  // namespace

void selective_matrix(Stream& stream, const SelectiveOperands& o, std::span<const std::int64_t> heads,
                      std::int64_t nheads, TensorView m) {
  check_selective_operands(o, "selective_matrix");
  const std::int64_t tokens = o.x.extent(0);
  TANDEM_CHECK(nheads > 0 && o.channels % nheads == 0 && m.contiguous() &&
                   m.shape() == Shape({std::ssize(heads), tokens, tokens}),
               "selective_matrix: " + std::to_string(nheads) + " heads, m " + m.shape().str());
  for_head_lists(heads, nheads, tokens, [&](const HeadList& list, std::int64_t first, Grid grid) {
    launch(stream, selective_matrix_kernel, grid, Block{kTileThreads}, 0, list, selective_channels(o),
           o.channels / nheads, tokens, matrices_from(m, first));
  });
}

}  // namespace tandem::cuda
