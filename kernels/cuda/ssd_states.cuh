// What passes from chunk to chunk: the states of a scan forwards, and their gradients backwards.
#pragma once

#include "kernels/cuda/ssd_chunk.cuh"

namespace tandem::cuda {

inline constexpr int kCarryThreads = 256;
inline constexpr int kCarryChunks = 8;  // loads of a thread that are under way at a time

/// Forwards, chunks add x B^T, decayed to their ends and times the step size; backwards, where x is the
/// outputs' gradient, x C^T decayed from their starts.
enum class Pass { Forward, Backward };

/// Column i of x times the weight of each token.
struct WeightedInputs {
  static constexpr bool kContiguousInDepth = false;
  TileColumns<float> x;
  const float* weights;
  __device__ float operator()(int i, int k) const { return x(i, k) * weights[k]; }
};

/// Block (chunk, head, tile of the state). sums [chunks, H, P, N]: what the chunk's own tokens add. carries
/// [chunks, H]: what is left at one end of the chunk of what comes in at the other.
template <Pass kPass>
__global__ void __launch_bounds__(kTileThreads)
    chunk_sum_kernel(SsdHeads o, int tokens, int state_columns, float* sums, float* carries) {
  TANDEM_SHARED(float, slabs, 2 * kSlabFloats);
  TANDEM_SHARED(double, logs, kChunk);
  TANDEM_SHARED(float, weights, kChunk);
  const Chunk chunk = chunk_of_block(tokens);
  const int p = static_cast<int>(blockIdx.z) / state_columns * kTile;
  const int n = static_cast<int>(blockIdx.z) % state_columns * kTile;
  const int thread = static_cast<int>(threadIdx.x);
  sum_decays(o, chunk, logs);
  if (thread < chunk.count) {
    weights[thread] = kPass == Pass::Forward ? decay_between(logs, chunk.count - 1, thread) *
                                                   o.dt_of(chunk.begin + thread, chunk.head)
                                             : expf(static_cast<float>(logs[thread]));
  }
  __syncthreads();
  const float* x = o.x_of(chunk.begin, chunk.head) + p;
  const float* other =
      (kPass == Pass::Forward ? o.b_of(chunk.begin, chunk.head) : o.c_of(chunk.begin, chunk.head)) + n;
  const std::int64_t stride = kPass == Pass::Forward ? o.b.stride : o.c.stride;
  float sum[kTilePart][kTilePart] = {};
  multiply_tile(WeightedInputs{{x, o.x.stride, o.headdim - p}, weights},
                TileColumns<float>{other, stride, o.dstate - n}, chunk.count, slabs, sum);
  const std::int64_t place = std::int64_t{blockIdx.x} * o.nheads + chunk.head;
  store_tile(sum, sums + (place * o.headdim + p) * o.dstate + n, o.dstate, o.headdim - p, o.dstate - n);
  if (thread == 0 && blockIdx.z == 0) carries[place] = expf(static_cast<float>(logs[chunk.count - 1]));
}

/// A thread per number of the state. sums become what comes into each chunk; `from`, or zeros where it is
/// null, is what comes into the first, `to`, unless null, what leaves the last.
template <Pass kPass>
__global__ void __launch_bounds__(kCarryThreads)
    carry_kernel(int chunks, std::int64_t head_state, std::int64_t numbers, const float* carries, float* sums,
                 const float* from, float* to) {
  const std::int64_t i = std::int64_t{blockIdx.x} * kCarryThreads + threadIdx.x;
  if (i >= numbers) return;
  const std::int64_t head = i / head_state;
  const std::int64_t nheads = numbers / head_state;
  const auto place = [&](int c) { return std::int64_t{kPass == Pass::Forward ? c : chunks - 1 - c}; };
  float s = from == nullptr ? 0.0F : from[i];
  for (int first = 0; first < chunks; first += kCarryChunks) {
    float own[kCarryChunks] = {};
    TANDEM_UNROLL
    for (int c = 0; c < kCarryChunks; ++c) {
      if (first + c < chunks) own[c] = sums[place(first + c) * numbers + i];
    }
    TANDEM_UNROLL
    for (int c = 0; c < kCarryChunks; ++c) {
      if (first + c >= chunks) break;
      sums[place(first + c) * numbers + i] = s;
      s = carries[place(first + c) * nheads + head] * s + own[c];
    }
  }
  if (to != nullptr) to[i] = s;
}

/// Both kernels: `states` [chunks, H, P, N] becomes what comes into each chunk.
template <Pass kPass>
void launch_states(Stream& stream, const SsdHeads& o, std::int64_t tokens, float* states, float* carries,
                   const float* from, float* to) {
  const std::int64_t chunks = ceil_div(tokens, std::int64_t{kChunk});
  const std::int64_t head_state = std::int64_t{o.headdim} * o.dstate;
  const std::int64_t columns = ceil_div(o.dstate, kTile);
  launch(stream, chunk_sum_kernel<kPass>, Grid{chunks, o.nheads, ceil_div(o.headdim, kTile) * columns},
         Block{kTileThreads}, 0, o, tokens, columns, states, carries);
  launch(stream, carry_kernel<kPass>, Grid{ceil_div(o.nheads * head_state, std::int64_t{kCarryThreads})},
         Block{kCarryThreads}, 0, chunks, head_state, o.nheads * head_state, carries, states, from, to);
}

}  // namespace tandem::cuda
