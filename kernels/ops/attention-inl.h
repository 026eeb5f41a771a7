// Fused softmax attention over a segment of keys and values, in two shapes: a block of many query rows, whose
// lanes run over the rows, and a few rows of one sequence, whose lanes run over the head's channels. Both
// keep, per row, the largest score so far, the sum of exponentials relative to it, and the unnormalised
// output, so that segments (shared prefix, then private suffix) combine under one softmax.
#if defined(TANDEM_KERNELS_OPS_ATTENTION_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TANDEM_KERNELS_OPS_ATTENTION_INL_H_
#undef TANDEM_KERNELS_OPS_ATTENTION_INL_H_
#else
#define TANDEM_KERNELS_OPS_ATTENTION_INL_H_
#endif

#include <limits>

#include "kernels/ops/attention_head.h"
#include "kernels/ops/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tandem::HWY_NAMESPACE {

constexpr std::size_t kTileKeys = 32;
constexpr std::size_t kMaxBlockVectors = 4;
constexpr std::size_t kMaxRows = kMaxBlockVectors * hn::MaxLanes(FloatTag());

// Query rows, transposed: element [x][lane].
struct RowBlock {
  std::size_t dim = 0;
  std::size_t lanes = 0;  // of kVectors vectors; rows beyond those in use are zero
  HWY_ALIGN float query[kMaxHeadDim * kMaxRows];
  HWY_ALIGN float output[kMaxHeadDim * kMaxRows];
  HWY_ALIGN float largest[kMaxRows];
  HWY_ALIGN float sum[kMaxRows];
  HWY_ALIGN float scores[kTileKeys * kMaxRows];
};

struct Segment {
  const float* keys = nullptr;
  std::size_t key_stride = 0;
  const float* values = nullptr;
  std::size_t value_stride = 0;
  std::size_t length = 0;

  Segment part(std::size_t begin, std::size_t count) const {
    return {keys + begin * key_stride, key_stride, values + begin * value_stride, value_stride, count};
  }
};

// scores[j][lane] = keys[j] . query[lane]
template <std::size_t kVectors, std::size_t kKeys>
HWY_INLINE void score_keys(const RowBlock& block, const float* keys, std::size_t stride, float* scores) {
  const FloatTag d;
  const std::size_t step = hn::Lanes(d);
  FloatVec sum[kKeys][kVectors];
  for (auto& of_key : sum) {
    for (auto& v : of_key) v = hn::Zero(d);
  }
  for (std::size_t x = 0; x < block.dim; ++x) {
    FloatVec query[kVectors];
    for (std::size_t v = 0; v < kVectors; ++v)
      query[v] = hn::Load(d, block.query + x * block.lanes + v * step);
    for (std::size_t j = 0; j < kKeys; ++j) {
      const FloatVec key = hn::Set(d, keys[j * stride + x]);
      for (std::size_t v = 0; v < kVectors; ++v) sum[j][v] = hn::MulAdd(key, query[v], sum[j][v]);
    }
  }
  for (std::size_t j = 0; j < kKeys; ++j) {
    for (std::size_t v = 0; v < kVectors; ++v) hn::Store(sum[j][v], d, scores + j * block.lanes + v * step);
  }
}

// output[x][lane] += sum_j scores[j][lane] * values[j][x], for kDims channels x from `first`
template <std::size_t kVectors, std::size_t kDims>
HWY_INLINE void add_values(RowBlock& block, const float* values, std::size_t stride, std::size_t keys,
                           std::size_t first) {
  const FloatTag d;
  const std::size_t step = hn::Lanes(d);
  float* output = block.output + first * block.lanes;
  FloatVec sum[kDims][kVectors];
  for (std::size_t x = 0; x < kDims; ++x) {
    for (std::size_t v = 0; v < kVectors; ++v) sum[x][v] = hn::Load(d, output + x * block.lanes + v * step);
  }
  for (std::size_t j = 0; j < keys; ++j) {
    FloatVec weight[kVectors];
    for (std::size_t v = 0; v < kVectors; ++v) {
      weight[v] = hn::Load(d, block.scores + j * block.lanes + v * step);
    }
    for (std::size_t x = 0; x < kDims; ++x) {
      const FloatVec value = hn::Set(d, values[j * stride + first + x]);
      for (std::size_t v = 0; v < kVectors; ++v) sum[x][v] = hn::MulAdd(value, weight[v], sum[x][v]);
    }
  }
  for (std::size_t x = 0; x < kDims; ++x) {
    for (std::size_t v = 0; v < kVectors; ++v) hn::Store(sum[x][v], d, output + x * block.lanes + v * step);
  }
}

// Turns the tile's scores into exponentials relative to the largest so far, rescaling what came before.
HWY_INLINE void exponentiate(RowBlock& block, std::size_t keys) {
  const FloatTag d;
  const std::size_t step = hn::Lanes(d);
  for (std::size_t lane = 0; lane < block.lanes; lane += step) {
    const FloatVec before = hn::Load(d, block.largest + lane);
    FloatVec largest = before;
    for (std::size_t j = 0; j < keys; ++j) {
      largest = hn::Max(largest, hn::Load(d, block.scores + j * block.lanes + lane));
    }
    const FloatVec shrink = exp(d, hn::Sub(before, largest));
    FloatVec sum = hn::Mul(hn::Load(d, block.sum + lane), shrink);
    for (std::size_t j = 0; j < keys; ++j) {
      float* score = block.scores + j * block.lanes + lane;
      const FloatVec weight = exp(d, hn::Sub(hn::Load(d, score), largest));
      hn::Store(weight, d, score);
      sum = hn::Add(sum, weight);
    }
    hn::Store(largest, d, block.largest + lane);
    hn::Store(sum, d, block.sum + lane);
    if (hn::AllTrue(d, hn::Eq(shrink, hn::Set(d, 1.0F)))) continue;
    for (std::size_t x = 0; x < block.dim; ++x) {
      float* output = block.output + x * block.lanes + lane;
      hn::Store(hn::Mul(hn::Load(d, output), shrink), d, output);
    }
  }
}

// Row `lane` sees key `first_key + j` only if that is at most first_position + lane.
HWY_INLINE void mask_future(RowBlock& block, std::size_t keys, std::size_t first_key,
                            std::size_t first_position) {
  const float hidden = -std::numeric_limits<float>::infinity();
  for (std::size_t j = 0; j < keys; ++j) {
    for (std::size_t lane = 0; lane < block.lanes && first_position + lane < first_key + j; ++lane) {
      block.scores[j * block.lanes + lane] = hidden;
    }
  }
}

template <std::size_t kVectors>
HWY_INLINE void attend_tile(RowBlock& block, const Segment& tile, std::size_t first_key,
                            std::size_t first_position) {
  constexpr std::size_t kKeys = kVectors == 4 ? 4 : 8;
  std::size_t j = 0;
  for (; j + kKeys <= tile.length; j += kKeys) {
    score_keys<kVectors, kKeys>(block, tile.keys + j * tile.key_stride, tile.key_stride,
                                block.scores + j * block.lanes);
  }
  for (; j < tile.length; ++j) {
    score_keys<kVectors, 1>(block, tile.keys + j * tile.key_stride, tile.key_stride,
                            block.scores + j * block.lanes);
  }
  if (first_key + tile.length > first_position + 1) {
    mask_future(block, tile.length, first_key, first_position);
  }
  exponentiate(block, tile.length);
  std::size_t x = 0;
  for (; x + kKeys <= block.dim; x += kKeys) {
    add_values<kVectors, kKeys>(block, tile.values, tile.value_stride, tile.length, x);
  }
  for (; x < block.dim; ++x) add_values<kVectors, 1>(block, tile.values, tile.value_stride, tile.length, x);
}

// Positions far enough that every row sees every key.
constexpr std::size_t kSeesAll = std::size_t{1} << 48;

// Attends all rows of the block to the segment; row `lane` has position first_position + lane, key j position
// j.
HWY_INLINE void attend_rows(RowBlock& block, const Segment& segment, std::size_t first_position) {
  const std::size_t vectors = block.lanes / hn::Lanes(FloatTag());
  for (std::size_t j = 0; j < segment.length; j += kTileKeys) {
    const Segment tile = segment.part(j, std::min(kTileKeys, segment.length - j));
    switch (vectors) {
      case 1:
        attend_tile<1>(block, tile, j, first_position);
        break;
      case 2:
        attend_tile<2>(block, tile, j, first_position);
        break;
      default:
        attend_tile<4>(block, tile, j, first_position);
        break;
    }
  }
}

// Sets the block to `rows` empty rows: 1, 2 or 4 vectors of lanes.
HWY_INLINE void reset(RowBlock& block, std::size_t dim, std::size_t rows) {
  const std::size_t step = hn::Lanes(FloatTag());
  block.dim = dim;
  block.lanes = rows <= step ? step : rows <= 2 * step ? 2 * step : 4 * step;
  std::fill_n(block.query, dim * block.lanes, 0.0F);
  std::fill_n(block.output, dim * block.lanes, 0.0F);
  std::fill_n(block.largest, block.lanes, -std::numeric_limits<float>::infinity());
  std::fill_n(block.sum, block.lanes, 0.0F);
}

HWY_INLINE void set_query(RowBlock& block, std::size_t lane, const float* query, float scale) {
  for (std::size_t x = 0; x < block.dim; ++x) block.query[x * block.lanes + lane] = query[x] * scale;
}

// output row [dim], times `factor`
HWY_INLINE void get_output(const RowBlock& block, std::size_t lane, float factor, float* output) {
  for (std::size_t x = 0; x < block.dim; ++x) output[x] = block.output[x * block.lanes + lane] * factor;
}

// One query row on its way over segments.
struct Row {
  const float* query = nullptr;  // [dim], not scaled
  float* output = nullptr;       // [dim], unnormalised
  float largest = -std::numeric_limits<float>::infinity();
  float sum = 0.0F;
};

// Attends a few rows, which share keys and values, to the segment. A tile's keys and values come from memory
// once and serve every row from the cache.
HWY_INLINE void attend_few(Row* rows, std::size_t count, std::size_t dim, float scale,
                           const Segment& segment) {
  const FloatTag d;
  HWY_ALIGN float scores[kTileKeys];
  for (std::size_t first = 0; first < segment.length; first += kTileKeys) {
    const std::size_t keys = std::min(kTileKeys, segment.length - first);
    const Segment tile = segment.part(first, keys);
    for (std::size_t r = 0; r < count; ++r) {
      Row& row = rows[r];
      float largest = row.largest;
      for (std::size_t j = 0; j < keys; ++j) {
        scores[j] = scale * dot(d, row.query, tile.keys + j * tile.key_stride, dim);
        largest = std::max(largest, scores[j]);
      }
      const float shrink = hn::GetLane(exp(d, hn::Set(d, row.largest - largest)));
      float sum = 0.0F;
      for_vectors(d, keys, [&](std::size_t j, std::size_t n) HWY_ATTR {
        const FloatVec weight = exp(d, hn::Sub(load_n(d, scores + j, n), hn::Set(d, largest)));
        store_n(weight, d, scores + j, n);
      });
      for (std::size_t j = 0; j < keys; ++j) sum += scores[j];
      row.sum = row.sum * shrink + sum;
      row.largest = largest;
      for (std::size_t x = 0; x < dim; ++x) row.output[x] *= shrink;
      for (std::size_t j = 0; j < keys; ++j)
        axpy(d, scores[j], tile.values + j * tile.value_stride, row.output, dim);
    }
  }
}

}  // namespace tandem::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
