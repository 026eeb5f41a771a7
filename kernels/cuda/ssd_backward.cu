// Inside a tile y = M x with M = L o G o dt (decay, content C B^T, step size), so gradients are those of a
// masked attention without softmax; between chunks the gradient of the state is passed on. d_log_decay[k]
// sums, over all pairs m < k <= l, the gradient times the value of what decayed from m to l: per token what
// arrives there less what leaves it, summed over the tokens from k on.
#include "kernels/cuda/ssd_backward.h"

#include "kernels/cuda/columnwise.cuh"
#include "kernels/cuda/reduce.cuh"
#include "kernels/cuda/ssd_mixing_backward.cuh"
#include "kernels/cuda/ssd_states.cuh"

namespace tandem::cuda {
namespace {

/// Rows times a weight of each.
struct WeightedRows {
  static constexpr bool kContiguousInDepth = true;
  TileRows<float> rows;
  const float* weights;
  __device__ float operator()(int i, int k) const { return rows(i, k) * weights[i]; }
};

/// Block (chunk, head, tile of the head's dimensions). d_states: gradients of the states after each chunk.
__global__ void __launch_bounds__(kTileThreads)
    input_gradient_kernel(SsdHeads o, Matrix<float> d_y, int tokens, Mixing mixing, const float* d_states,
                          Matrix<float> d_x) {
  TANDEM_SHARED(float, slabs, 2 * kSlabFloats);
  TANDEM_SHARED(double, logs, kChunk);
  TANDEM_SHARED(float, weights, kChunk);
  const Chunk chunk = chunk_of_block(tokens);
  const int p = static_cast<int>(blockIdx.z) * kTile;
  const int column = chunk.head * o.headdim + p;
  const int thread = static_cast<int>(threadIdx.x);
  sum_decays(o, chunk, logs);
  if (thread < kChunk) {
    weights[thread] = thread < chunk.count ? decay_between(logs, chunk.count - 1, thread) *
                                                 o.dt_of(chunk.begin + thread, chunk.head)
                                           : 0.0F;
  }
  __syncthreads();
  float sum[kTilePart][kTilePart] = {};
  const float* given = d_y.at(chunk.begin, column);
  multiply_tile(
      TileColumns<float>{mixing.at(chunk.head, chunk.begin, chunk.begin), mixing.width, chunk.count},
      TileColumns<float>{given, d_y.stride, o.headdim - p}, chunk.count, slabs, sum);
  const std::int64_t place = (std::int64_t{blockIdx.x} * o.nheads + chunk.head) * o.headdim + p;
  multiply_tile(WeightedRows{{o.b_of(chunk.begin, chunk.head), o.b.stride, chunk.count}, weights},
                TileRows<float>{d_states + place * o.dstate, o.dstate, o.headdim - p}, o.dstate, slabs, sum);
  const float skip = o.skip[chunk.head];
  TANDEM_UNROLL
  for (int i = 0; i < kTilePart; ++i) {
    TANDEM_UNROLL
    for (int j = 0; j < kTilePart; ++j) {
      const int l = tile_row() + i;
      const int c = tile_column() + j;
      if (l < chunk.count && p + c < o.headdim) sum[i][j] += skip * given[l * d_y.stride + c];
    }
  }
  store_tile(sum, d_x.at(chunk.begin, column), d_x.stride, chunk.count, o.headdim - p);
}

/// Block (chunk, head): through [chunks, H], what flows from before the chunk to after it.
__global__ void __launch_bounds__(kTileThreads)
    through_kernel(int nheads, std::int64_t head_state, const float* carries, const float* states,
                   const float* d_states, float* through) {
  const std::int64_t place = std::int64_t{blockIdx.x} * nheads + blockIdx.y;
  float sum = 0.0F;
  for (std::int64_t i = threadIdx.x; i < head_state; i += kTileThreads) {
    sum += states[place * head_state + i] * d_states[place * head_state + i];
  }
  sum = block_sum<kTileThreads>(sum);
  if (threadIdx.x == 0) through[place] = carries[place] * sum;
}

/// Per token and head, from all tiles: flow [H, T], what arrives less what leaves within a tile; leaving [H,
/// T], towards later chunks; d_dt.
struct TokenFlows {
  SsdHeads o;
  Flows flows;
  const float *b_dots, *c_dots;  // or null
  int dot_tiles;
  float *flow, *leaving;
  Matrix<float> d_dt;

  template <int kWidth>
  __device__ void apply(std::int64_t row, std::int64_t c) const {
    const int token = static_cast<int>(row);
    const int head = static_cast<int>(c);
    const int own = flows.tiles == 1 ? 0 : token / kTile;
    float sum = 0.0F;
    float step = 0.0F;
    for (int i = 0; i <= own; ++i) sum += flows.arriving[flows.at(i * kTile, head, token)];
    for (int i = own; i < flows.tiles; ++i) {
      sum -= flows.leaving[flows.at(i * kTile, head, token)];
      step += flows.d_step[flows.at(i * kTile, head, token)];
    }
    float agreement = 0.0F;
    for (int i = 0; c_dots != nullptr && i < dot_tiles; ++i) {
      const std::int64_t at = (std::int64_t{i} * o.nheads + head) * flows.tokens + token;
      sum += c_dots[at];
      agreement += b_dots[at];
    }
    const std::int64_t place = std::int64_t{head} * flows.tokens + token;
    flow[place] = sum;
    leaving[place] = agreement * o.dt_of(token, head);
    if (d_dt.data != nullptr) *d_dt.at(token, head) = step + agreement;
  }
};

struct DecayGradient {
  const float *flow, *leaving;
  const float* through;  // null: all is one tile
  int tokens, nheads;
  Matrix<float> d_log_decay;

  template <int kWidth>
  __device__ void apply(std::int64_t row, std::int64_t head) const {
    const std::int64_t begin = through == nullptr ? 0 : row / kChunk * kChunk;
    const std::int64_t end = through == nullptr ? tokens : min(begin + kChunk, std::int64_t{tokens});
    double sum = 0.0;
    for (std::int64_t l = row; l < end; ++l) sum += static_cast<double>(flow[head * tokens + l]);
    if (through != nullptr) {
      sum += static_cast<double>(through[row / kChunk * nheads + head]);
      for (std::int64_t m = begin; m < row; ++m) sum += static_cast<double>(leaving[head * tokens + m]);
    }
    *d_log_decay.at(row, head) = static_cast<float>(sum);
  }
};

/// Head h of `to` = sum over the `share` heads of `from` that read it.
struct SumHeads {
  Matrix<float> from, to;
  std::int64_t width, share;
  template <int kWidth>
  __device__ void apply(std::int64_t row, std::int64_t c) const {
    const float* first = from.at(row, c / width * share * width + c % width);
    float sum = 0.0F;
    for (std::int64_t i = 0; i < share; ++i) sum += first[i * width];
    *to.at(row, c) = sum;
  }
};

/// Where all that passes between the kernels lies. Without memory it only counts.
class Memory {
 public:
  explicit Memory(float* memory) : memory_(memory) {}
  float* take(std::int64_t floats) {
    float* taken = memory_ == nullptr ? nullptr : memory_ + used_;
    used_ += floats;
    return taken;
  }
  std::int64_t used() const { return used_; }

 private:
  float* memory_;
  std::int64_t used_ = 0;
};

/// The gradient of a source of heads: written by head, then added up where heads share it.
struct HeadGradient {
  TensorView sum;
  std::int64_t width, share;
  Matrix<float> by_head;

  HeadGradient(Memory& memory, const SsdOperands& o, const TensorView& gradient, std::int64_t heads,
               std::int64_t dimensions)
      : sum(gradient), width(dimensions), share(o.nheads / heads) {
    const std::int64_t row = o.nheads * dimensions;
    by_head =
        share == 1 ? matrix_or_null(gradient) : Matrix<float>{memory.take(o.log_decay.extent(0) * row), row};
  }
  void add_up(Stream& stream) const {
    if (share == 1) return;
    launch_rowwise(stream, sum.extent(0), sum.extent(1), false, SumHeads{by_head, matrix(sum), width, share});
  }
};

/// What both passes share.
struct Buffers {
  int tokens;
  std::int64_t tiles, nheads, dot_tiles;
  HeadGradient d_b, d_c;
  Mixing d_content;
  Flows flows;
  float *traces, *flow, *leaving;

  Buffers(Memory& memory, const SsdOperands& o, const SsdGradients& g, bool whole)
      : tokens(static_cast<int>(o.log_decay.extent(0))),
        tiles(ceil_div(std::int64_t{tokens}, std::int64_t{kTile})),
        nheads(o.nheads),
        dot_tiles(ceil_div(o.dstate, std::int64_t{kTile})),
        d_b(memory, o, g.b, o.b_heads, o.dstate),
        d_c(memory, o, g.c, o.c_heads, o.dstate),
        d_content(mixing(memory, whole)) {
    const std::int64_t per_token = nheads * tokens;
    const std::int64_t flow_tiles = whole ? tiles : 1;
    flows = {memory.take(flow_tiles * per_token),
             memory.take(flow_tiles * per_token),
             memory.take(flow_tiles * per_token),
             static_cast<int>(flow_tiles),
             static_cast<int>(nheads),
             tokens};
    traces = memory.take(tiles * nheads);
    flow = memory.take(per_token);
    leaving = memory.take(per_token);
  }
  Mixing mixing(Memory& memory, bool whole) const {
    const int width = whole ? tokens : std::min(tokens, kTile);
    return {memory.take(nheads * tokens * width), tokens, width};
  }
  Grid source_grid() const { return {tiles, nheads, dot_tiles}; }

  /// Everything after the kernels that write by tile. The dots, and what flows through chunks, or null.
  void finish(Stream& stream, const SsdHeads& heads, const SsdGradients& g, const float* b_dots,
              const float* c_dots, const float* through) const {
    d_b.add_up(stream);
    d_c.add_up(stream);
    launch_totals<1>(stream, tiles, nheads, traces, {{{g.skip.f32()}}});
    launch_rowwise(stream, tokens, nheads, false,
                   TokenFlows{heads, flows, b_dots, c_dots, static_cast<int>(dot_tiles), flow, leaving,
                              matrix_or_null(g.dt)});
    launch_rowwise(
        stream, tokens, nheads, false,
        DecayGradient{flow, leaving, through, tokens, static_cast<int>(nheads), matrix(g.log_decay)});
  }
};

/// What only the scan has.
struct ScanBuffers : Buffers {
  HeadGradient d_x;
  Mixing matrices;
  float *states, *d_states, *carries, *through, *b_dots, *c_dots;

  ScanBuffers(Memory& memory, const SsdOperands& o, const SsdGradients& g)
      : Buffers(memory, o, g, false),
        d_x(memory, o, g.x, o.x_heads, o.headdim),
        matrices(mixing(memory, false)),
        states(memory.take(tiles * nheads * o.headdim * o.dstate)),
        d_states(memory.take(tiles * nheads * o.headdim * o.dstate)),
        carries(memory.take(tiles * nheads)),
        through(memory.take(tiles * nheads)),
        b_dots(memory.take(dot_tiles * nheads * tokens)),
        c_dots(memory.take(dot_tiles * nheads * tokens)) {}
};

void check_gradients(const SsdOperands& o, const SsdGradients& g, const char* op) {
  TANDEM_CHECK((g.x.empty() || g.x.shape() == o.x.shape()) && g.b.shape() == o.b.shape() &&
                   g.c.shape() == o.c.shape() && g.log_decay.shape() == o.log_decay.shape() &&
                   (g.dt.empty() || g.dt.shape() == o.log_decay.shape()) && g.skip.shape() == o.skip.shape(),
               std::string(op) + ": gradients x " + g.x.shape().str() + ", b " + g.b.shape().str() + ", c " +
                   g.c.shape().str() + ", log_decay " + g.log_decay.shape().str() + ", dt " +
                   g.dt.shape().str() + ", skip " + g.skip.shape().str());
}

float* data_or_null(const TensorView& view) {
  return view.empty() ? nullptr : view.f32();
}

}  // namespace

std::int64_t ssd_scan_backward_scratch(const SsdOperands& o) {
  Memory memory(nullptr);
  ScanBuffers(memory, o, {});
  return memory.used();
}

std::int64_t ssd_matrix_backward_scratch(const SsdOperands& o) {
  Memory memory(nullptr);
  Buffers(memory, o, {}, true);
  return memory.used();
}

void ssd_scan_backward(Stream& stream, const SsdOperands& o, TensorView initial_state, TensorView d_y,
                       TensorView d_state, const SsdGradients& g, TensorView scratch) {
  check_ssd_operands(o, "ssd_scan_backward");
  check_gradients(o, g, "ssd_scan_backward");
  const std::int64_t tokens = o.x.extent(0);
  const auto is_state = [&](const TensorView& s) {
    return s.empty() || (s.shape() == Shape({o.nheads, o.headdim, o.dstate}) && s.contiguous());
  };
  TANDEM_CHECK(is_state(initial_state) && is_state(d_state) && g.x.shape() == o.x.shape() &&
                   d_y.shape() == Shape({tokens, o.nheads * o.headdim}),
               "ssd_scan_backward: initial_state " + initial_state.shape().str() + ", d_y " +
                   d_y.shape().str() + ", d_state " + d_state.shape().str());
  if (tokens == 0) return;
  check_scratch(scratch, ssd_scan_backward_scratch(o), "ssd_scan_backward");
  Memory memory(scratch.f32());
  const ScanBuffers to(memory, o, g);
  const SsdHeads heads = ssd_heads(o);
  SsdHeads outputs = heads;  // the recurrence of the states' gradients
  outputs.x = matrix(d_y);
  outputs.x_share = 1;
  launch_states<Pass::Forward>(stream, heads, tokens, to.states, to.carries, data_or_null(initial_state),
                               nullptr);
  launch_states<Pass::Backward>(stream, outputs, tokens, to.d_states, to.carries, data_or_null(d_state),
                                data_or_null(d_state));
  launch(stream, mixing_kernel<OutputGradient>, Grid{to.tiles, o.nheads}, Block{kTileThreads}, 0, heads,
         OutputGradient{heads, matrix(d_y)}, tokens, to.d_content, to.matrices, to.flows, to.traces);
  launch(stream, input_gradient_kernel, Grid{to.tiles, o.nheads, ceil_div(o.headdim, std::int64_t{kTile})},
         Block{kTileThreads}, 0, heads, matrix(d_y), tokens, to.matrices, to.d_states, to.d_x.by_head);
  launch(stream, source_gradient_kernel<Source::B>, to.source_grid(), Block{kTileThreads}, 0, heads, tokens,
         to.d_content, StateTerm{heads.x, heads.x_share, to.d_states, to.b_dots}, to.d_b.by_head);
  launch(stream, source_gradient_kernel<Source::C>, to.source_grid(), Block{kTileThreads}, 0, heads, tokens,
         to.d_content, StateTerm{matrix(d_y), 1, to.states, to.c_dots}, to.d_c.by_head);
  launch(stream, through_kernel, Grid{to.tiles, o.nheads}, Block{kTileThreads}, 0, o.nheads,
         o.headdim * o.dstate, to.carries, to.states, to.d_states, to.through);
  to.d_x.add_up(stream);
  to.finish(stream, heads, g, to.b_dots, to.c_dots, to.through);
}

void ssd_matrix_backward(Stream& stream, const SsdOperands& o, TensorView d_m, const SsdGradients& g,
                         TensorView scratch) {
  check_ssd_operands(o, "ssd_matrix_backward");
  check_gradients(o, g, "ssd_matrix_backward");
  const std::int64_t tokens = o.x.extent(0);
  TANDEM_CHECK(d_m.contiguous() && d_m.shape() == Shape({o.nheads, tokens, tokens}),
               "ssd_matrix_backward: d_m " + d_m.shape().str());
  if (tokens == 0) return;
  check_scratch(scratch, ssd_matrix_backward_scratch(o), "ssd_matrix_backward");
  Memory memory(scratch.f32());
  const Buffers to(memory, o, g, true);
  const SsdHeads heads = ssd_heads(o);
  const StateTerm none = {{nullptr, 0}, 1, nullptr, nullptr};
  launch(stream, mixing_kernel<GivenGradient>, Grid{to.tiles, o.nheads, to.tiles}, Block{kTileThreads}, 0,
         heads, GivenGradient{d_m.f32()}, tokens, to.d_content, Mixing{nullptr, to.tokens, to.tokens},
         to.flows, to.traces);
  launch(stream, source_gradient_kernel<Source::B>, to.source_grid(), Block{kTileThreads}, 0, heads, tokens,
         to.d_content, none, to.d_b.by_head);
  launch(stream, source_gradient_kernel<Source::C>, to.source_grid(), Block{kTileThreads}, 0, heads, tokens,
         to.d_content, none, to.d_c.by_head);
  to.finish(stream, heads, g, nullptr, nullptr, nullptr);
}

}  // namespace tandem::cuda
