#include <algorithm>

#include "kernels/cuda/attention.h"
#include "kernels/cuda/attention_tile.cuh"
#include "kernels/cuda/decode_split.cuh"

namespace tandem::cuda {
namespace {

constexpr int kThreads = 128;
constexpr int kWarps = kThreads / kWarp;
constexpr int kCombineThreads = 256;

/// Some query rows that attend to a stretch of keys; per thread, what it has seen. kRows rows, kPart
/// dimensions of each.
template <int kRows, int kPart>
struct FewRows {
  Floats<kPart> query[kRows];
  Floats<kPart> sum[kRows];
  float largest[kRows];
  float weight[kRows];

  /// Takes in what another saw of the same rows.
  __device__ void merge(int r, const Floats<kPart>& other_sum, float other_largest, float other_weight) {
    const float both = fmaxf(largest[r], other_largest);
    const float own_scale = relative_exp(largest[r], both);
    const float other_scale = relative_exp(other_largest, both);
    TANDEM_UNROLL
    for (int x = 0; x < kPart; ++x) sum[r].at[x] = sum[r].at[x] * own_scale + other_sum.at[x] * other_scale;
    weight[r] = weight[r] * own_scale + other_weight * other_scale;
    largest[r] = both;
  }
};

/// Attends to keys [begin, end) of `dim` numbers; `lanes` neighbours share a key, kKeys of which are under
/// way at a time.
template <int kRows, int kPart, int kKeys, typename Element>
__device__ __forceinline__ void attend_few(FewRows<kRows, kPart>& rows, const Element* keys,
                                           const Element* values, int begin, int end, int dim, int lanes) {
  const int x = static_cast<int>(threadIdx.x) % lanes * kPart;
  const int first = begin + static_cast<int>(threadIdx.x) / lanes;
  const int together = kThreads / lanes;
  for (int base = 0; begin + base < end; base += together * kKeys) {
    Floats<kPart> key[kKeys] = {};
    Floats<kPart> value[kKeys] = {};
    TANDEM_UNROLL
    for (int u = 0; u < kKeys; ++u) {
      const int j = first + base + u * together;
      if (j >= end || x >= dim) continue;
      key[u] = load<kPart>(keys + std::int64_t{j} * dim + x);
      value[u] = load<kPart>(values + std::int64_t{j} * dim + x);
    }
    TANDEM_UNROLL
    for (int r = 0; r < kRows; ++r) {
      float score[kKeys];
      float largest = rows.largest[r];
      TANDEM_UNROLL
      for (int u = 0; u < kKeys; ++u) {
        float product = 0.0F;
        TANDEM_UNROLL
        for (int i = 0; i < kPart; ++i) product += rows.query[r].at[i] * key[u].at[i];
        product = neighbours_sum(product, lanes);
        score[u] = first + base + u * together < end ? product : -INFINITY;
        largest = fmaxf(largest, score[u]);
      }
      const float shrink = relative_exp(rows.largest[r], largest);
      rows.largest[r] = largest;
      rows.weight[r] *= shrink;
      TANDEM_UNROLL
      for (int i = 0; i < kPart; ++i) rows.sum[r].at[i] *= shrink;
      TANDEM_UNROLL
      for (int u = 0; u < kKeys; ++u) {
        const float factor = relative_exp(score[u], largest);
        rows.weight[r] += factor;
        TANDEM_UNROLL
        for (int i = 0; i < kPart; ++i) rows.sum[r].at[i] += factor * value[u].at[i];
      }
    }
  }
}

/// One KV head's part of the keys, for the query rows from first_row on.
struct FewItem {
  int head, part, first_row, count;
  int begin, end;  // of the prefix's keys, or of a slot's
  int completion;  // -1: the prefix
};

template <int kRows, typename Element>
__device__ FewItem item_of_block(const DecodeStep<Element>& step, int prefix_items) {
  const int block = static_cast<int>(blockIdx.x);
  const int head = static_cast<int>(blockIdx.y);
  if (block < prefix_items) {
    const int part = block % step.prefix_parts;
    const int row = block / step.prefix_parts * kRows;
    const int begin = part * step.split_keys;
    return {head,  part,
            row,   min(kRows, step.batch * step.group - row),
            begin, min(begin + step.split_keys, step.prefix_length),
            -1};
  }
  const int item = block - prefix_items;
  const int part = item % step.own_parts;
  const int tiles = ceil_div(step.group, kRows);
  const int tile = item / step.own_parts % tiles;
  const int completion = item / step.own_parts / tiles;
  const int begin = part * step.split_keys;
  return {head,
          step.prefix_parts + part,
          completion * step.group + tile * kRows,
          min(kRows, step.group - tile * kRows),
          begin,
          min(begin + step.split_keys, step.own_length(completion)),
          completion};
}

/// The warp's rows from all its keys, then the block's from all its warps, into their places.
template <int kRows, int kPart, typename Element>
__device__ __forceinline__ void write_parts(FewRows<kRows, kPart>& rows, const DecodeStep<Element>& step,
                                            const FewItem& item, int lanes) {
  TANDEM_SHARED(float, sums, kWarps* kRows* kPart* kWarp);
  TANDEM_SHARED(float, largest, kWarps* kRows);
  TANDEM_SHARED(float, weight, kWarps* kRows);
  const int width = lanes * kPart;
  const int warp = static_cast<int>(threadIdx.x) / kWarp;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  TANDEM_UNROLL
  for (int r = 0; r < kRows; ++r) {
    for (int apart = lanes; apart < kWarp; apart *= 2) {
      Floats<kPart> sum;
      TANDEM_UNROLL
      for (int x = 0; x < kPart; ++x) sum.at[x] = __shfl_xor_sync(kAllLanes, rows.sum[r].at[x], apart);
      rows.merge(r, sum, __shfl_xor_sync(kAllLanes, rows.largest[r], apart),
                 __shfl_xor_sync(kAllLanes, rows.weight[r], apart));
    }
    if (lane < lanes) store<kPart>(sums + (warp * kRows + r) * width + lane * kPart, rows.sum[r]);
    if (lane == 0) {
      largest[warp * kRows + r] = rows.largest[r];
      weight[warp * kRows + r] = rows.weight[r];
    }
  }
  __syncthreads();
  for (int i = static_cast<int>(threadIdx.x); i < item.count * width; i += kThreads) {
    const int r = i / width;
    const int x = i % width;
    if (x >= step.headdim) continue;
    float top = largest[r];
    for (int w = 1; w < kWarps; ++w) top = fmaxf(top, largest[w * kRows + r]);
    float sum = 0.0F;
    float total = 0.0F;
    for (int w = 0; w < kWarps; ++w) {
      const float scale = relative_exp(largest[w * kRows + r], top);
      sum += scale * sums[(w * kRows + r) * width + x];
      total += scale * weight[w * kRows + r];
    }
    const std::int64_t place = step.part_of(item.head, item.first_row + r, item.part);
    step.sums[place * step.headdim + x] = sum;
    if (x != 0) continue;
    step.largest[place] = top;
    step.weight[place] = total;
  }
}

/// lanes * kPart covers the head dimension.
template <int kRows, int kPart, typename Element>
__global__ void __launch_bounds__(kThreads)
    few_rows_kernel(DecodeStep<Element> step, int prefix_items, int lanes) {
  constexpr int kKeys = kRows * kPart > 16 ? 2 : 4;
  const FewItem item = item_of_block<kRows>(step, prefix_items);
  if (item.begin >= item.end) return;
  const int x = static_cast<int>(threadIdx.x) % lanes * kPart;
  FewRows<kRows, kPart> rows;
  TANDEM_UNROLL
  for (int r = 0; r < kRows; ++r) {
    rows.query[r] = {};
    rows.sum[r] = {};
    rows.largest[r] = -INFINITY;
    rows.weight[r] = 0.0F;
    if (r < item.count && x < step.headdim) {
      rows.query[r] = load<kPart>(step.query(item.head, item.first_row + r) + x);
    }
    TANDEM_UNROLL
    for (int i = 0; i < kPart; ++i) rows.query[r].at[i] *= step.scale;
  }
  const bool own = item.completion >= 0;
  const std::int64_t head =
      own ? std::int64_t{step.slots[item.completion]} * step.nheads_kv + item.head : item.head;
  const std::int64_t offset = head * (own ? step.capacity : step.prefix_length) * step.headdim;
  attend_few<kRows, kPart, kKeys>(rows, (own ? step.keys : step.prefix_keys) + offset,
                                  (own ? step.values : step.prefix_values) + offset, item.begin, item.end,
                                  step.headdim, lanes);
  write_parts(rows, step, item, lanes);
}

/// Query rows of all completions, scaled.
template <typename Element>
struct PrefixQueries {
  static constexpr bool kContiguousInDepth = true;
  const DecodeStep<Element>& step;
  int head, first_row;
  __device__ float operator()(int i, int k) const {
    const int row = first_row + i;
    return row < step.batch * step.group ? step.query(head, row)[k] * step.scale : 0.0F;
  }
};

/// Block (x, y, z): kTile query rows, a part of the prefix, a KV head.
template <int kColumns, typename Element>
__global__ void __launch_bounds__(kTileThreads) prefix_kernel(DecodeStep<Element> step) {
  TANDEM_SHARED(float, memory, kAttentionTileFloats);
  const AttentionTile tile = attention_tile(memory);
  const int head = static_cast<int>(blockIdx.z);
  const int part = static_cast<int>(blockIdx.y);
  const int first_row = static_cast<int>(blockIdx.x) * kTile;
  const int dim = step.headdim;
  const int begin = part * step.split_keys;
  const int end = min(begin + step.split_keys, step.prefix_length);
  const std::int64_t offset = std::int64_t{head} * step.prefix_length * dim;
  const auto keys = [&](int j) {
    return TileRows<Element>{step.prefix_keys + offset + std::int64_t{j} * dim, dim, end - j};
  };
  const auto values = [&](int j, int c) {
    return TileColumns<Element>{step.prefix_values + offset + std::int64_t{j} * dim + c * kTile, dim,
                                dim - c * kTile};
  };
  float out[kColumns][kTilePart][kTilePart] = {};
  attend_tile(
      tile, PrefixQueries<Element>{step, head, first_row}, keys, values, [](int, int) { return true; }, dim,
      begin, end, out);
  TANDEM_UNROLL
  for (int i = 0; i < kTilePart; ++i) {
    const int row = first_row + tile_row() + i;
    if (row >= step.batch * step.group) continue;
    const std::int64_t place = step.part_of(head, row, part);
    TANDEM_UNROLL
    for (int c = 0; c < kColumns; ++c) {
      TANDEM_UNROLL
      for (int j = 0; j < kTilePart; ++j) {
        const int x = c * kTile + tile_column() + j;
        if (x < dim) step.sums[place * dim + x] = out[c][i][j];
      }
    }
    if (tile_column() != 0) continue;
    step.largest[place] = tile.largest[tile_row() + i];
    step.weight[place] = tile.sum[tile_row() + i];
  }
}

/// One query head of one completion: its parts under one softmax. `width` threads side by side, a power of
/// two at least the head dimension, take the parts in turns with the other threads.
template <typename Element>
__global__ void __launch_bounds__(kCombineThreads)
    combine_kernel(DecodeStep<Element> step, Matrix<float> out, int width) {
  TANDEM_SHARED(float, sums, kCombineThreads);
  const int nheads = step.nheads_kv * step.group;
  const int completion = static_cast<int>(blockIdx.x) / nheads;
  const int head = static_cast<int>(blockIdx.x) % nheads;
  const int parts = step.prefix_parts + ceil_div(step.own_length(completion), step.split_keys);
  const std::int64_t place = std::int64_t{blockIdx.x} * (step.prefix_parts + step.own_parts);
  const int thread = static_cast<int>(threadIdx.x);
  float top = -INFINITY;
  for (int p = thread; p < parts; p += kCombineThreads) top = fmaxf(top, step.largest[place + p]);
  top = block_max<kCombineThreads>(top);
  float total = 0.0F;
  for (int p = thread; p < parts; p += kCombineThreads) {
    total += relative_exp(step.largest[place + p], top) * step.weight[place + p];
  }
  total = block_sum<kCombineThreads>(total);
  const int x = thread % width;
  float sum = 0.0F;
  for (int p = thread / width; p < parts && x < step.headdim; p += kCombineThreads / width) {
    sum += relative_exp(step.largest[place + p], top) * step.sums[(place + p) * step.headdim + x];
  }
  sums[thread] = sum;
  __syncthreads();
  if (thread >= step.headdim) return;
  for (int t = thread + width; t < kCombineThreads; t += width) sum += sums[t];
  *out.at(completion, std::int64_t{head} * step.headdim + x) = sum / total;
}

/// How the keys of a step are split.
struct Plan {
  std::int64_t split_keys, prefix_parts, own_parts;
  bool tiled_prefix;
};

Plan plan_of(std::int64_t batch, std::int64_t nheads, std::int64_t nheads_kv, std::int64_t prefix_length,
             std::int64_t capacity) {
  constexpr std::int64_t kFewRowsAtMost = 16;  // more query rows share the prefix by tiles
  constexpr std::int64_t kBlocksWanted = 528;  // four for each processor of an H100
  constexpr std::int64_t kPartsAtMost = 256;
  Plan plan = {kTile, 0, 0, batch * (nheads / nheads_kv) > kFewRowsAtMost};
  for (;; plan.split_keys *= 2) {
    plan.prefix_parts = ceil_div(prefix_length, plan.split_keys);
    plan.own_parts = ceil_div(capacity, plan.split_keys);
    const std::int64_t parts = plan.prefix_parts + plan.own_parts;
    const std::int64_t next_blocks = nheads_kv * (plan.prefix_parts + batch * plan.own_parts) / 2;
    if (parts <= kPartsAtMost && (next_blocks < kBlocksWanted || parts <= 2)) return plan;
  }
}

std::int64_t scratch_floats(const Plan& plan, std::int64_t batch, std::int64_t nheads, std::int64_t headdim) {
  return batch * nheads * (plan.prefix_parts + plan.own_parts) * (headdim + 2);
}

template <int kRows, int kPart, typename Element>
void launch_few(Stream& stream, const DecodeStep<Element>& step, bool with_prefix) {
  const auto wanted = std::bit_ceil(static_cast<unsigned>(ceil_div(step.headdim, kPart)));
  const std::int64_t prefix_items =
      with_prefix ? std::int64_t{ceil_div(step.batch * step.group, kRows)} * step.prefix_parts : 0;
  const std::int64_t own_items = std::int64_t{step.batch} * ceil_div(step.group, kRows) * step.own_parts;
  launch(stream, few_rows_kernel<kRows, kPart, Element>, Grid{prefix_items + own_items, step.nheads_kv},
         Block{kThreads}, 0, step, prefix_items, wanted);
}

template <int kPart, typename Element>
void launch_rows(Stream& stream, const DecodeStep<Element>& step, bool with_prefix) {
  const int rows = with_prefix ? step.batch * step.group : step.group;
  const auto run = rows == 1   ? launch_few<1, kPart, Element>
                   : rows <= 4 ? launch_few<4, kPart, Element>
                               : launch_few<8, kPart, Element>;
  run(stream, step, with_prefix);
}

template <typename Element>
void launch_step(Stream& stream, DecodeStep<Element> step, bool tiled_prefix, TensorView out) {
  const int columns = ceil_div(step.headdim, kTile);
  if (tiled_prefix) {
    const auto kernel = columns == 1   ? prefix_kernel<1, Element>
                        : columns == 2 ? prefix_kernel<2, Element>
                                       : prefix_kernel<4, Element>;
    launch(stream, kernel, Grid{ceil_div(step.batch * step.group, kTile), step.prefix_parts, step.nheads_kv},
           Block{kTileThreads}, 0, step);
  }
  const bool eight = step.headdim > 128 || (sizeof(Element) == 2 && step.headdim % 8 == 0);
  const auto run = eight ? launch_rows<8, Element> : launch_rows<4, Element>;
  run(stream, step, !tiled_prefix);
  const auto width = std::bit_ceil(static_cast<unsigned>(step.headdim));
  launch(stream, combine_kernel<Element>, Grid{std::int64_t{step.batch} * step.nheads_kv * step.group},
         Block{kCombineThreads}, 0, step, matrix(out), width);
}

template <typename Element>
void attend(Stream& stream, TensorView q, const SharedPrefix& prefix, const SlotCaches& own,
            std::int64_t nheads_kv, std::int64_t group, float scale, const Plan& plan, float* scratch,
            TensorView out) {
  const std::int64_t batch = q.extent(0);
  const std::int64_t parts = batch * nheads_kv * group * (plan.prefix_parts + plan.own_parts);
  DecodeStep<Element> step;
  step.batch = static_cast<int>(batch);
  step.group = static_cast<int>(group);
  step.nheads_kv = static_cast<int>(nheads_kv);
  step.headdim = static_cast<int>(own.keys.extent(3));
  step.scale = scale;
  step.q = matrix(q);
  step.prefix_keys = static_cast<const Element*>(prefix.keys.data());
  step.prefix_values = static_cast<const Element*>(prefix.values.data());
  step.prefix_length = prefix.keys.empty() ? 0 : static_cast<int>(prefix.keys.extent(1));
  step.keys = static_cast<const Element*>(own.keys.data());
  step.values = static_cast<const Element*>(own.values.data());
  step.capacity = own.keys.extent(2);
  step.slots = own.slot_ids.data();
  step.positions = own.positions.data();
  step.first = own.first;
  step.split_keys = static_cast<int>(plan.split_keys);
  step.prefix_parts = static_cast<int>(plan.prefix_parts);
  step.own_parts = static_cast<int>(plan.own_parts);
  step.sums = scratch;
  step.largest = scratch + parts * step.headdim;
  step.weight = step.largest + parts;
  launch_step(stream, step, plan.tiled_prefix && plan.prefix_parts > 0, out);
}

}  // namespace

std::int64_t decode_attention_scratch(std::int64_t batch, std::int64_t nheads, std::int64_t nheads_kv,
                                      std::int64_t headdim, std::int64_t prefix_length,
                                      std::int64_t capacity) {
  return scratch_floats(plan_of(batch, nheads, nheads_kv, prefix_length, capacity), batch, nheads, headdim);
}

void decode_attention(Stream& stream, TensorView q, const SharedPrefix& prefix, const SlotCaches& own,
                      std::int64_t nheads, std::int64_t nheads_kv, float scale, TensorView scratch,
                      TensorView out) {
  TANDEM_CHECK(
      q.rank() == 2 && nheads > 0 && nheads_kv > 0 && nheads % nheads_kv == 0 && q.extent(1) % nheads == 0,
      "decode_attention: q " + q.shape().str() + " for " + std::to_string(nheads) + " heads, " +
          std::to_string(nheads_kv) + " KV heads");
  const std::int64_t batch = q.extent(0);
  const std::int64_t dim = q.extent(1) / nheads;
  const std::int64_t length = prefix.keys.empty() ? 0 : prefix.keys.extent(1);
  const DType type = own.keys.dtype();
  const auto fits = [&](const TensorView& cache, const TensorView& shared) {
    return cache.rank() == 4 && cache.contiguous() && cache.extent(1) == nheads_kv &&
           cache.extent(3) == dim && cache.dtype() == type &&
           (length == 0 || (shared.shape() == Shape{nheads_kv, length, dim} && shared.dtype() == type));
  };
  TANDEM_CHECK(attention_supports(dim) && vectorizable(q) && out.shape() == q.shape() &&
                   std::ssize(own.slot_ids) == batch && std::ssize(own.positions) == batch &&
                   fits(own.keys, prefix.keys) && fits(own.values, prefix.values) &&
                   own.values.shape() == own.keys.shape() && (type == DType::F32 || type == DType::BF16),
               "decode_attention: q " + q.shape().str() + ", prefix " + prefix.keys.shape().str() + " and " +
                   prefix.values.shape().str() + ", caches " + own.keys.shape().str() + " and " +
                   own.values.shape().str() + " " + dtype_name(type) + " for " +
                   std::to_string(own.slot_ids.size()) + " slots, out " + out.shape().str());
  const Plan plan = plan_of(batch, nheads, nheads_kv, length, own.keys.extent(2));
  TANDEM_CHECK(scratch.elements() >= scratch_floats(plan, batch, nheads, dim),
               "decode_attention: scratch of " + scratch.shape().str());
  if (batch == 0) return;
  const auto run = type == DType::F32 ? attend<float> : attend<BFloat16>;
  run(stream, q, prefix, own, nheads_kv, nheads / nheads_kv, scale, plan, scratch.f32(), out);
}

}  // namespace tandem::cuda
