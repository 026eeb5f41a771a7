// The chunked scan in three kernels: what each chunk adds to the state by itself; the states between chunks;
// outputs.
#include "kernels/cuda/rowwise.cuh"
#include "kernels/cuda/ssd.h"
#include "kernels/cuda/ssd_chunk.cuh"
#include "kernels/cuda/tile.cuh"

namespace tandem::cuda {
namespace {

constexpr int kMixingStride = kTile + 1;
constexpr int kCarryThreads = 256;
constexpr int kCarryChunks = 8;  // loads of a thread that are under way at a time

/// Column i of x times the weight of each token: what is left of it at the chunk's end, times its step size.
struct WeightedInputs {
  static constexpr bool kContiguousInDepth = false;
  TileColumns<float> x;
  const float* weights;
  __device__ float operator()(int i, int k) const { return x(i, k) * weights[k]; }
};

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

__device__ __forceinline__ Chunk chunk_of_block(int tokens) {
  const int begin = static_cast<int>(blockIdx.x) * kChunk;
  return {static_cast<int>(blockIdx.y), begin, min(kChunk, tokens - begin)};
}

/// Block (chunk, head, tile of the state). ends [chunks, H, P, N]: what the chunk's own tokens leave in the
/// state. carries [chunks, H]: what is left of the state before it.
__global__ void __launch_bounds__(kTileThreads)
    chunk_end_kernel(SsdHeads o, int tokens, int state_columns, float* ends, float* carries) {
  TANDEM_SHARED(float, slabs, 2 * kSlabFloats);
  TANDEM_SHARED(double, logs, kChunk);
  TANDEM_SHARED(float, weights, kChunk);
  const Chunk chunk = chunk_of_block(tokens);
  const int p = static_cast<int>(blockIdx.z) / state_columns * kTile;
  const int n = static_cast<int>(blockIdx.z) % state_columns * kTile;
  const int thread = static_cast<int>(threadIdx.x);
  sum_decays(o, chunk, logs);
  if (thread < chunk.count) {
    weights[thread] =
        decay_between(logs, chunk.count - 1, thread) * o.dt_of(chunk.begin + thread, chunk.head);
  }
  __syncthreads();
  const float* x = o.x_of(chunk.begin, chunk.head) + p;
  const float* b = o.b_of(chunk.begin, chunk.head) + n;
  float sum[kTilePart][kTilePart] = {};
  multiply_tile(WeightedInputs{{x, o.x.stride, o.headdim - p}, weights},
                TileColumns<float>{b, o.b.stride, o.dstate - n}, chunk.count, slabs, sum);
  const std::int64_t place = std::int64_t{blockIdx.x} * o.nheads + chunk.head;
  TANDEM_UNROLL
  for (int i = 0; i < kTilePart; ++i) {
    TANDEM_UNROLL
    for (int j = 0; j < kTilePart; ++j) {
      const int row = p + tile_row() + i;
      const int column = n + tile_column() + j;
      if (row < o.headdim && column < o.dstate) {
        ends[(place * o.headdim + row) * o.dstate + column] = sum[i][j];
      }
    }
  }
  if (thread == 0 && blockIdx.z == 0) carries[place] = expf(static_cast<float>(logs[chunk.count - 1]));
}

/// A thread per number of the state. ends become the states before each chunk; state, the one after the last.
__global__ void __launch_bounds__(kCarryThreads)
    carry_kernel(int chunks, std::int64_t head_state, std::int64_t numbers, const float* carries, float* ends,
                 float* state) {
  const std::int64_t i = std::int64_t{blockIdx.x} * kCarryThreads + threadIdx.x;
  if (i >= numbers) return;
  const std::int64_t head = i / head_state;
  const std::int64_t nheads = numbers / head_state;
  float s = state[i];
  for (int first = 0; first < chunks; first += kCarryChunks) {
    float own[kCarryChunks] = {};
    TANDEM_UNROLL
    for (int c = 0; c < kCarryChunks; ++c) {
      if (first + c < chunks) own[c] = ends[(first + c) * numbers + i];
    }
    TANDEM_UNROLL
    for (int c = 0; c < kCarryChunks; ++c) {
      if (first + c >= chunks) break;
      ends[(first + c) * numbers + i] = s;
      s = carries[(first + c) * nheads + head] * s + own[c];
    }
  }
  state[i] = s;
}

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
  const std::int64_t rows = ceil_div(o.headdim, std::int64_t{kTile});
  const std::int64_t columns = ceil_div(o.dstate, std::int64_t{kTile});
  float* ends = scratch.f32();
  float* carries = ends + chunks * state.elements();
  launch(stream, chunk_end_kernel, Grid{chunks, o.nheads, rows * columns}, Block{kTileThreads}, 0, heads,
         tokens, columns, ends, carries);
  launch(stream, carry_kernel, Grid{ceil_div(state.elements(), std::int64_t{kCarryThreads})},
         Block{kCarryThreads}, 0, chunks, o.headdim * o.dstate, state.elements(), carries, ends, state.f32());
  launch(stream, chunk_output_kernel, Grid{chunks, o.nheads, rows}, Block{kTileThreads}, 0, heads, tokens,
         ends, matrix(y));
}

}  // namespace tandem::cuda
