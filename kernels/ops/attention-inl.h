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

#include <hwy/cache_control.h>

#include "kernels/ops/attention_head.h"
#include "kernels/ops/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tandem::HWY_NAMESPACE {

constexpr std::size_t kTileKeys = 64;  // of a block of many rows
constexpr std::size_t kFewKeys = 32;   // of a few rows
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
  const std::size_t lanes = block.lanes;
  const std::size_t step = hn::Lanes(d);
  FloatVec sum[kKeys][kVectors];
  for (auto& of_key : sum) {
    for (auto& v : of_key) v = hn::Zero(d);
  }
  for (std::size_t x = 0; x < block.dim; ++x) {
    FloatVec query[kVectors];
    for (std::size_t v = 0; v < kVectors; ++v)
      query[v] = hn::Load(d, block.query + x * lanes + v * step);
    for (std::size_t j = 0; j < kKeys; ++j) {
      const FloatVec key = hn::Set(d, keys[j * stride + x]);
      for (std::size_t v = 0; v < kVectors; ++v) sum[j][v] = hn::MulAdd(key, query[v], sum[j][v]);
    }
  }
  for (std::size_t j = 0; j < kKeys; ++j) {
    for (std::size_t v = 0; v < kVectors; ++v) hn::Store(sum[j][v], d, scores + j * lanes + v * step);
  }
}

// output[x][lane] += sum_j scores[j][lane] * values[j][x], for kDims channels x from `first`
template <std::size_t kVectors, std::size_t kDims>
HWY_INLINE void add_values(RowBlock& block, const float* values, std::size_t stride, std::size_t keys,
                           std::size_t first) {
  const FloatTag d;
  const std::size_t lanes = block.lanes;
  const std::size_t step = hn::Lanes(d);
  float* output = block.output + first * lanes;
  FloatVec sum[kDims][kVectors];
  for (std::size_t x = 0; x < kDims; ++x) {
    for (std::size_t v = 0; v < kVectors; ++v) sum[x][v] = hn::Load(d, output + x * lanes + v * step);
  }
  for (std::size_t j = 0; j < keys; ++j) {
    FloatVec weight[kVectors];
    for (std::size_t v = 0; v < kVectors; ++v) {
      weight[v] = hn::Load(d, block.scores + j * lanes + v * step);
    }
    for (std::size_t x = 0; x < kDims; ++x) {
      const FloatVec value = hn::Set(d, values[j * stride + first + x]);
      for (std::size_t v = 0; v < kVectors; ++v) sum[x][v] = hn::MulAdd(value, weight[v], sum[x][v]);
    }
  }
  for (std::size_t x = 0; x < kDims; ++x) {
    for (std::size_t v = 0; v < kVectors; ++v) hn::Store(sum[x][v], d, output + x * lanes + v * step);
  }
}

// Turns the tile's scores into exponentials relative to the largest so far, rescaling what came before.
HWY_NOINLINE void exponentiate(RowBlock& block, std::size_t keys) {
  const FloatTag d;
  const std::size_t step = hn::Lanes(d);
  const std::size_t lanes = block.lanes;
  for (std::size_t lane = 0; lane < lanes; lane += step) {
    const FloatVec before = hn::Load(d, block.largest + lane);
    FloatVec largest = before;
    for (std::size_t j = 0; j < keys; ++j) {
      largest = hn::Max(largest, hn::Load(d, block.scores + j * lanes + lane));
    }
    const FloatVec shrink = exp_nonpositive(d, hn::Sub(before, largest));
    FloatVec sum = hn::Mul(hn::Load(d, block.sum + lane), shrink);
    for (std::size_t j = 0; j < keys; ++j) {
      float* score = block.scores + j * lanes + lane;
      const FloatVec weight = exp_nonpositive(d, hn::Sub(hn::Load(d, score), largest));
      hn::Store(weight, d, score);
      sum = hn::Add(sum, weight);
    }
    hn::Store(largest, d, block.largest + lane);
    hn::Store(sum, d, block.sum + lane);
    if (hn::AllTrue(d, hn::Eq(shrink, hn::Set(d, 1.0F)))) continue;
    for (std::size_t x = 0; x < block.dim; ++x) {
      float* output = block.output + x * lanes + lane;
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

// The loops of one tile are functions of their own, so that each has the registers to itself.
template <std::size_t kVectors>
HWY_NOINLINE void score_tile(RowBlock& block, const Segment& tile) {
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
}

template <std::size_t kVectors>
HWY_NOINLINE void add_tile(RowBlock& block, const Segment& tile) {
  constexpr std::size_t kDims = kVectors == 4 ? 4 : 8;
  std::size_t x = 0;
  for (; x + kDims <= block.dim; x += kDims) {
    add_values<kVectors, kDims>(block, tile.values, tile.value_stride, tile.length, x);
  }
  for (; x < block.dim; ++x) add_values<kVectors, 1>(block, tile.values, tile.value_stride, tile.length, x);
}

template <std::size_t kVectors>
void attend_tile(RowBlock& block, const Segment& tile, std::size_t first_key, std::size_t first_position) {
  score_tile<kVectors>(block, tile);
  if (first_key + tile.length > first_position + 1) {
    mask_future(block, tile.length, first_key, first_position);
  }
  exponentiate(block, tile.length);
  add_tile<kVectors>(block, tile);
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

// scores[r][j] = scale * (row r . key j) for kRows rows and all keys of the tile. Four keys at a time, so
// that their lanes can be summed together; a tile's last keys repeat its very last one.
template <std::size_t kRows>
HWY_INLINE void score_few(const Row* rows, std::size_t dim, float scale, const Segment& tile,
                          float scores[kRows][kFewKeys]) {
  const FloatTag d;
  const std::size_t step = hn::Lanes(d);
  for (std::size_t j = 0; j < tile.length; j += 4) {
    const float* keys[4];
    for (std::size_t i = 0; i < 4; ++i)
      keys[i] = tile.keys + std::min(j + i, tile.length - 1) * tile.key_stride;
    FloatVec sum[kRows][4];
    for (auto& of_row : sum) {
      for (auto& v : of_row) v = hn::Zero(d);
    }
    const auto add_products = [&](std::size_t x, const auto& load) HWY_ATTR {
      FloatVec key[4];
      for (std::size_t i = 0; i < 4; ++i) key[i] = load(keys[i] + x);
      for (std::size_t r = 0; r < kRows; ++r) {
        const FloatVec query = load(rows[r].query + x);
        for (std::size_t i = 0; i < 4; ++i) sum[r][i] = hn::MulAdd(query, key[i], sum[r][i]);
      }
    };
    std::size_t x = 0;
    for (; x + step <= dim; x += step) {
      add_products(x, [&](const float* from) HWY_ATTR { return hn::LoadU(d, from); });
    }
    if (x < dim) add_products(x, [&](const float* from) HWY_ATTR { return load_n(d, from, dim - x); });
    for (std::size_t r = 0; r < kRows; ++r) {
      store_sums(d, sum[r][0], sum[r][1], sum[r][2], sum[r][3], scores[r] + j);
    }
  }
  for (std::size_t r = 0; r < kRows; ++r) {
    for (std::size_t j = 0; j < kFewKeys; j += step) {
      hn::Store(hn::Mul(hn::Load(d, scores[r] + j), hn::Set(d, scale)), d, scores[r] + j);
    }
  }
}

// Turns `keys` scores of one row into exponentials relative to its largest so far; returns what shrinks the
// row's output so far.
HWY_INLINE float exponentiate(Row& row, float* scores, std::size_t keys) {
  const FloatTag d;
  const std::size_t step = hn::Lanes(d);
  std::fill(scores + keys, scores + kFewKeys, -std::numeric_limits<float>::infinity());
  FloatVec top = hn::Set(d, row.largest);
  for (std::size_t j = 0; j < kFewKeys; j += step) top = hn::Max(top, hn::Load(d, scores + j));
  const FloatVec largest = hn::MaxOfLanes(d, top);
  FloatVec sum = hn::Zero(d);
  for (std::size_t j = 0; j < kFewKeys; j += step) {
    const FloatVec weight = exp_nonpositive(d, hn::Sub(hn::Load(d, scores + j), largest));
    hn::Store(weight, d, scores + j);
    sum = hn::Add(sum, weight);
  }
  const float shrink = hn::GetLane(exp_nonpositive(d, hn::Sub(hn::Set(d, row.largest), largest)));
  row.largest = hn::GetLane(largest);
  row.sum = row.sum * shrink + hn::GetLane(hn::SumOfLanes(d, sum));
  return shrink;
}

// output[r] = shrink[r] * output[r] + sum_j scores[r][j] * value j, for kRows rows and kVectors vectors of
// channels from x; `load` and `store` take a pointer. Even and odd keys are summed apart to halve the chains
// of dependent additions.
template <std::size_t kRows, std::size_t kVectors, typename Load, typename Store>
HWY_INLINE void add_few(const Row* rows, const float* shrink, const Segment& tile,
                        const float scores[kRows][kFewKeys], std::size_t x, const Load& load,
                        const Store& store) {
  const FloatTag d;
  const std::size_t step = hn::Lanes(d);
  FloatVec even[kRows][kVectors];
  FloatVec odd[kRows][kVectors];
  for (std::size_t r = 0; r < kRows; ++r) {
    for (std::size_t v = 0; v < kVectors; ++v) {
      even[r][v] = hn::Mul(hn::Set(d, shrink[r]), load(rows[r].output + x + v * step));
      odd[r][v] = hn::Zero(d);
    }
  }
  const auto add = [&](std::size_t j, FloatVec(&sum)[kRows][kVectors]) HWY_ATTR {
    FloatVec value[kVectors];
    for (std::size_t v = 0; v < kVectors; ++v)
      value[v] = load(tile.values + j * tile.value_stride + x + v * step);
    for (std::size_t r = 0; r < kRows; ++r) {
      const FloatVec weight = hn::Set(d, scores[r][j]);
      for (std::size_t v = 0; v < kVectors; ++v) sum[r][v] = hn::MulAdd(weight, value[v], sum[r][v]);
    }
  };
  std::size_t j = 0;
  for (; j + 2 <= tile.length; j += 2) {
    add(j, even);
    add(j + 1, odd);
  }
  if (j < tile.length) add(j, even);
  for (std::size_t r = 0; r < kRows; ++r) {
    for (std::size_t v = 0; v < kVectors; ++v) {
      store(hn::Add(even[r][v], odd[r][v]), rows[r].output + x + v * step);
    }
  }
}

template <std::size_t kRows>
HWY_NOINLINE void attend_few_tile(Row* rows, std::size_t dim, float scale, const Segment& tile) {
  const FloatTag d;
  const std::size_t step = hn::Lanes(d);
  HWY_ALIGN float scores[kRows][kFewKeys];
  float shrink[kRows];
  score_few<kRows>(rows, dim, scale, tile, scores);
  for (std::size_t r = 0; r < kRows; ++r) shrink[r] = exponentiate(rows[r], scores[r], tile.length);
  const auto load = [&](const float* from) HWY_ATTR { return hn::LoadU(d, from); };
  const auto store = [&](FloatVec v, float* to) HWY_ATTR { hn::StoreU(v, d, to); };
  std::size_t x = 0;
  for (; x + 2 * step <= dim; x += 2 * step) add_few<kRows, 2>(rows, shrink, tile, scores, x, load, store);
  for (; x < dim; x += step) {
    const std::size_t n = std::min(step, dim - x);
    add_few<kRows, 1>(
        rows, shrink, tile, scores, x, [&](const float* from) HWY_ATTR { return load_n(d, from, n); },
        [&](FloatVec v, float* to) HWY_ATTR { store_n(v, d, to, n); });
  }
}

// Asks for the first tile of a segment that will be read soon.
HWY_INLINE void prefetch_tile(const Segment& segment, std::size_t dim) {
  constexpr std::size_t kLineFloats = 16;
  const std::size_t keys = std::min(kFewKeys, segment.length);
  for (std::size_t j = 0; j < keys; ++j) {
    for (std::size_t x = 0; x < dim; x += kLineFloats) {
      hwy::Prefetch(segment.keys + j * segment.key_stride + x);
      hwy::Prefetch(segment.values + j * segment.value_stride + x);
    }
  }
}

// Attends a few rows, which share keys and values, to the segment. A tile's keys and values come from memory
// once, asked for while the tile before is worked on, and serve every row from the cache; `next` is the
// segment that will be attended to after this one.
HWY_INLINE void attend_few(Row* rows, std::size_t count, std::size_t dim, float scale, const Segment& segment,
                           const Segment& next) {
  for (std::size_t j = 0; j < segment.length; j += kFewKeys) {
    const Segment rest = segment.part(j, segment.length - j);
    const Segment tile = segment.part(j, std::min(kFewKeys, rest.length));
    prefetch_tile(rest.length > kFewKeys ? rest.part(kFewKeys, rest.length - kFewKeys) : next, dim);
    std::size_t r = 0;
    for (; r + 4 <= count; r += 4) attend_few_tile<4>(rows + r, dim, scale, tile);
    for (; r + 2 <= count; r += 2) attend_few_tile<2>(rows + r, dim, scale, tile);
    for (; r < count; ++r) attend_few_tile<1>(rows + r, dim, scale, tile);
  }
}

}  // namespace tandem::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
