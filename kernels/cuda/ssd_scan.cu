// The chunked scan in three kernels: what each chunk adds to the state by itself; the states between chunks;
// outputs.
#include "kernels/cuda/rowwise.cuh"
#include "kernels/cuda/ssd.h"
#include "kernels/cuda/ssd_states.cuh"

namespace tandem::cuda {
namespace {

constexpr int kMixingStride = kTile + 1;

/// Row l of c times the decay from the chunk's start.
struct DecayedQueries {
  static constexpr bool kContiguousInDepth = true;
  TileRows<float> c;
  const double* logs;
  __device__ float operator()(int i, int k) const { return c(i, k) * expf(static_cast<float>(logs[i])); }
};

/// The mixing matrix of a chunk, in shared memory.
struct Mixing {
  static constexpr bool kContiguousInDepth = true;
  const float* mixing;
  __device__ float operator()(int i, int k) const { return mixing[i * kMixingStride + k]; }
};

/// Block (chunk, head, tile of the head's dimensions). starts: the states before each chunk.
__global__ void __launch_bounds__(kTileThreads)
    chunk_output_kernel(SsdHeads o, int tokens, const float* starts, Matrix<float> y) {
  TANDEM_SHARED(float, slabs, 2 * kSlabFloats);
  TANDEM_SHARED(double, logs, kChunk);
  TANDEM_SHARED(float, mixing, kChunk* kMixingStride);
  const Chunk chunk = chunk_of_block(tokens);
  const int p = static_cast<int>(blockIdx.z) * kTile;
  sum_decays(o, chunk, logs);
  const TileRows<float> c = {o.c_of(chunk.begin, chunk.head), o.c.stride, chunk.count};
  float content[kTilePart][kTilePart] = {};
  multiply_tile(c, TileRows<float>{o.b_of(chunk.begin, chunk.head), o.b.stride, chunk.count}, o.dstate, slabs,
                content);
  TANDEM_UNROLL
  for (int i = 0; i < kTilePart; ++i) {
    TANDEM_UNROLL
    for (int j = 0; j < kTilePart; ++j) {
      const int l = tile_row() + i;
      const int m = tile_column() + j;
      const bool seen = m <= l && l < chunk.count;
      mixing[l * kMixingStride + m] =
          seen ? content[i][j] * decay_between(logs, l, m) * o.dt_of(chunk.begin + m, chunk.head) : 0.0F;
    }
  }
  __syncthreads();
  const float* x = o.x_of(chunk.begin, chunk.head) + p;
  float sum[kTilePart][kTilePart] = {};
  multiply_tile(Mixing{mixing}, TileColumns<float>{x, o.x.stride, o.headdim - p}, chunk.count, slabs, sum);
  const std::int64_t place = (std::int64_t{blockIdx.x} * o.nheads + chunk.head) * o.headdim + p;
  multiply_tile(DecayedQueries{c, logs}, TileRows<float>{starts + place * o.dstate, o.dstate, o.headdim - p},
                o.dstate, slabs, sum);
  const float skip = o.skip[chunk.head];
  TANDEM_UNROLL
  for (int i = 0; i < kTilePart; ++i) {
    TANDEM_UNROLL
    for (int j = 0; j < kTilePart; ++j) {
      const int l = tile_row() + i;
      const int column = tile_column() + j;
      if (l >= chunk.count || p + column >= o.headdim) continue;
      *y.at(chunk.begin + l, chunk.head * o.headdim + p + column) =
          sum[i][j] + skip * x[l * o.x.stride + column];
    }
  }
}

}  // namespace

std::int64_t ssd_scan_scratch(const SsdOperands& o) {
  const std::int64_t chunks = ceil_div(o.x.extent(0), std::int64_t{kChunk});
  return chunks * o.nheads * (o.headdim * o.dstate + 1);
}

void ssd_scan(Stream& stream, const SsdOperands& o, TensorView state, TensorView scratch, TensorView y) {
  check_ssd_operands(o, "ssd_scan");
  const std::int64_t tokens = o.x.extent(0);
  TANDEM_CHECK(state.contiguous() && state.shape() == Shape({o.nheads, o.headdim, o.dstate}) &&
                   y.shape() == Shape({tokens, o.nheads * o.headdim}) &&
                   scratch.elements() >= ssd_scan_scratch(o),
               "ssd_scan: state " + state.shape().str() + ", scratch " + scratch.shape().str() + ", y " +
                   y.shape().str());
  if (tokens == 0) return;
  const SsdHeads heads = ssd_heads(o);
  const std::int64_t chunks = ceil_div(tokens, std::int64_t{kChunk});
  float* starts = scratch.f32();
  float* carries = starts + chunks * state.elements();
  launch_states<Pass::Forward>(stream, heads, tokens, starts, carries, state.f32(), state.f32());
  launch(stream, chunk_output_kernel, Grid{chunks, o.nheads, ceil_div(o.headdim, std::int64_t{kTile})},
         Block{kTileThreads}, 0, heads, tokens, starts, matrix(y));
}

}  // namespace tandem::cuda
