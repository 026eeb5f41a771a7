#include "kernels/cuda/matrix_tiles.cuh"
#include "kernels/cuda/ssd.h"
#include "kernels/cuda/ssd_chunk.cuh"

namespace tandem::cuda {
namespace {

/// Tiles of the three matrices.
__global__ void __launch_bounds__(kTileThreads)
    ssd_matrix_kernel(HeadList list, SsdHeads o, int tokens, float* decay, float* content, float* m) {
  TANDEM_SHARED(float, slabs, 2 * kSlabFloats);
  TANDEM_SHARED(double, row_logs, kChunk);
  TANDEM_SHARED(double, column_logs, kChunk);
  const MatrixTile tile(list, m, tokens);
  float product[kTilePart][kTilePart] = {};
  double between = 0.0;
  if (!tile.above()) {
    between = sum_between(o, tile.head, tile.column, tile.row, tokens, row_logs, column_logs);
    multiply_tile(TileRows<float>{o.c_of(tile.row, tile.head), o.c.stride, tokens - tile.row},
                  TileRows<float>{o.b_of(tile.column, tile.head), o.b.stride, tokens - tile.column}, o.dstate,
                  slabs, product);
  }
  const auto decay_at = [&](int i, int j) {
    return expf(static_cast<float>(row_logs[tile_row() + i] + between - column_logs[tile_column() + j]));
  };
  const auto content_at = [&](int i, int j) {
    return product[i][j] * o.dt_of(tile.column + tile_column() + j, tile.head);
  };
  tile.write(MatrixTile::of_block(decay, tokens), decay_at);
  tile.write(MatrixTile::of_block(content, tokens), content_at);
  tile.write(tile.data, [&](int i, int j) { return decay_at(i, j) * content_at(i, j); });
}

struct AddDiagonals {
  const float* values;
  float* m;
  std::int64_t tokens;
  template <int kWidth>
  __device__ void apply(std::int64_t head, std::int64_t t) const {
    m[(head * tokens + t) * tokens + t] += values[head];
  }
};

}  // namespace

void ssd_matrix(Stream& stream, const SsdOperands& o, std::span<const std::int64_t> heads, TensorView decay,
                TensorView content, TensorView m) {
  check_ssd_operands(o, "ssd_matrix");
  const std::int64_t tokens = o.x.extent(0);
  const Shape shape = {std::ssize(heads), tokens, tokens};
  for (const TensorView& out : {decay, content, m}) {
    TANDEM_CHECK(out.data() == nullptr || (out.shape() == shape && out.contiguous()),
                 "ssd_matrix: output " + out.shape().str() + ", wanted " + shape.str());
  }
  for_head_lists(heads, o.nheads, tokens, [&](const HeadList& list, std::int64_t first, Grid grid) {
    launch(stream, ssd_matrix_kernel, grid, Block{kTileThreads}, 0, list, ssd_heads(o), tokens,
           matrices_from(decay, first), matrices_from(content, first), matrices_from(m, first));
  });
}

void add_diagonals(Stream& stream, TensorView values, TensorView m) {
  TANDEM_CHECK(
      m.rank() == 3 && m.extent(1) == m.extent(2) && m.contiguous() && values.shape() == Shape{m.extent(0)},
      "add_diagonals: values " + values.shape().str() + ", m " + m.shape().str());
  launch_rowwise(stream, m.extent(0), m.extent(1), false, AddDiagonals{values.f32(), m.f32(), m.extent(1)});
}

}  // namespace tandem::cuda
