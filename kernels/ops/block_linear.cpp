#include "kernels/ops/block_linear.h"

#include <cstring>

#include "kernels/base/parallel.h"
#include "kernels/ops/six_bits.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/ops/block_linear.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace tandem::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// No wider than the sixteen elements that share a scale.
using Tag = hn::CappedTag<float, 16>;
using Vec = hn::Vec<Tag>;
using IntTag = hn::RebindToSigned<Tag>;
using IntVec = hn::Vec<IntTag>;
using Byte = std::uint8_t;

constexpr std::size_t kSumColumns = 32;  // one sum of x for so many columns

HWY_INLINE float half_at(const Byte* from) {
  const hn::FixedTag<float, 1> d;
  const hn::Rebind<hwy::float16_t, decltype(d)> dh;
  return hn::GetLane(hn::PromoteTo(d, hn::LoadU(dh, reinterpret_cast<const hwy::float16_t*>(from))));
}

/// Two numbers that lie side by side.
struct Pair {
  float first;
  float second;
};
HWY_INLINE Pair halves_at(const Byte* from) {
#if HWY_TARGET == HWY_SCALAR
  return {half_at(from), half_at(from + 2)};
#else
  const hn::FixedTag<float, 2> d;
  const hn::Rebind<hwy::float16_t, decltype(d)> dh;
  const auto both = hn::PromoteTo(d, hn::LoadU(dh, reinterpret_cast<const hwy::float16_t*>(from)));
  return {hn::GetLane(both), hn::ExtractLane(both, 1)};
#endif
}

HWY_INLINE IntVec bytes_at(const Byte* from) {
  const hn::Rebind<Byte, IntTag> db;
  return hn::PromoteTo(IntTag(), hn::LoadU(db, from));
}

/// sum += q * x
HWY_INLINE void add_product(IntVec q, const float* x, Vec& sum) {
  const Tag d;
  sum = hn::MulAdd(hn::ConvertTo(d, q), hn::LoadU(d, x), sum);
}

/// 32 elements of four bits, or five, under one scale: value = scale * q + offset.
template <bool kFifthBit, bool kLeast>
struct SmallBlock {
  static constexpr std::size_t kElements = 32;
  static constexpr std::size_t kHigh = kLeast ? 4 : 2;
  static constexpr std::size_t kPacked = kHigh + (kFifthBit ? 4 : 0);
  static constexpr std::size_t kBytes = kPacked + 16;

  static HWY_INLINE Pair scales(const Byte* block) {
    if constexpr (kLeast) return halves_at(block);
    const float scale = half_at(block);
    return {scale, scale * (kFifthBit ? -16.0F : -8.0F)};
  }

  static HWY_INLINE void add(const Byte* block, const float* x, const float* sums, Vec& total, float& rest) {
    const Tag d;
    const IntTag di;
    const IntVec ones = hn::Set(di, 1);
    std::int32_t high = 0;
    if constexpr (kFifthBit) std::memcpy(&high, block + kHigh, sizeof high);
    const auto fifth_bits = [&](std::size_t first) HWY_ATTR {
      const auto bits = hn::Shr(hn::Set(di, high), hn::Iota(di, static_cast<std::int32_t>(first)));
      return hn::ShiftLeft<4>(hn::And(bits, ones));
    };
    Vec sum = hn::Zero(d);
    for (std::size_t i = 0; i < 16; i += hn::Lanes(d)) {
      const IntVec packed = bytes_at(block + kPacked + i);
      IntVec low = hn::And(packed, hn::Set(di, 15));
      IntVec up = hn::ShiftRight<4>(packed);
      if constexpr (kFifthBit) {
        low = hn::Or(low, fifth_bits(i));
        up = hn::Or(up, fifth_bits(i + 16));
      }
      add_product(low, x + i, sum);
      add_product(up, x + 16 + i, sum);
    }
    const auto [scale, offset] = scales(block);
    total = hn::MulAdd(hn::Set(d, scale), sum, total);
    rest += offset * sums[0];
  }
};

struct ByteBlock {
  static constexpr std::size_t kElements = 32;
  static constexpr std::size_t kBytes = 34;

  static HWY_INLINE void add(const Byte* block, const float* x, const float* /*sums*/, Vec& total,
                             float& /*rest*/) {
    const Tag d;
    const hn::Rebind<std::int8_t, IntTag> db;
    Vec sum = hn::Zero(d);
    for (std::size_t i = 0; i < 32; i += hn::Lanes(d)) {
      const auto bytes = hn::LoadU(db, reinterpret_cast<const std::int8_t*>(block) + 2 + i);
      add_product(hn::PromoteTo(IntTag(), bytes), x + i, sum);
    }
    total = hn::MulAdd(hn::Set(d, half_at(block)), sum, total);
  }
};

/// Q4_K and, with a fifth bit, Q5_K: four times two sub-blocks of 32 in the halves of 32 bytes.
template <bool kFifthBit>
struct SuperBlock {
  static constexpr std::size_t kElements = 256;
  static constexpr std::size_t kHigh = 16;
  static constexpr std::size_t kPacked = kHigh + (kFifthBit ? 32 : 0);
  static constexpr std::size_t kBytes = kPacked + 128;

  static HWY_INLINE void add(const Byte* block, const float* x, const float* sums, Vec& total, float& rest) {
    const Tag d;
    const IntTag di;
    const auto [scale, least] = halves_at(block);
    for (int pair = 0; pair < 4; ++pair, x += 64, sums += 2) {
      const Byte* packed = block + kPacked + 32 * pair;
      Vec low_sum = hn::Zero(d);
      Vec up_sum = hn::Zero(d);
      for (std::size_t i = 0; i < 32; i += hn::Lanes(d)) {
        const IntVec both = bytes_at(packed + i);
        IntVec low = hn::And(both, hn::Set(di, 15));
        IntVec up = hn::ShiftRight<4>(both);
        if constexpr (kFifthBit) {
          const IntVec bits = hn::ShiftRightSame(bytes_at(block + kHigh + i), 2 * pair);
          low = hn::Or(low, hn::ShiftLeft<4>(hn::And(bits, hn::Set(di, 1))));
          up = hn::Or(up, hn::ShiftLeft<3>(hn::And(bits, hn::Set(di, 2))));
        }
        add_product(low, x + i, low_sum);
        add_product(up, x + 32 + i, up_sum);
      }
      const SixBits first = six_bits(block + 4, 2 * pair);
      const SixBits second = six_bits(block + 4, 2 * pair + 1);
      total = hn::MulAdd(hn::Set(d, scale * static_cast<float>(first.scale)), low_sum, total);
      total = hn::MulAdd(hn::Set(d, scale * static_cast<float>(second.scale)), up_sum, total);
      rest -=
          least * (static_cast<float>(first.least) * sums[0] + static_cast<float>(second.least) * sums[1]);
    }
  }
};

struct SixBitBlock {
  static constexpr std::size_t kElements = 256;
  static constexpr std::size_t kBytes = 210;

  static HWY_INLINE void add(const Byte* block, const float* x, const float* /*sums*/, Vec& total,
                             float& /*rest*/) {
    const Tag d;
    const IntTag di;
    const float scale = half_at(block + 208);
    for (int group = 0; group < 16; ++group, x += 16) {  // of 16 elements
      const int half = group / 8;
      const int quarter = group % 8 / 2;
      const Byte* low = block + 64 * half + quarter % 2 * 32 + group % 2 * 16;
      const Byte* high = block + 128 + 32 * half + group % 2 * 16;
      Vec sum = hn::Zero(d);
      for (std::size_t i = 0; i < 16; i += hn::Lanes(d)) {
        const IntVec four = hn::And(hn::ShiftRightSame(bytes_at(low + i), quarter / 2 * 4), hn::Set(di, 15));
        const IntVec two = hn::And(hn::ShiftRightSame(bytes_at(high + i), 2 * quarter), hn::Set(di, 3));
        add_product(hn::Sub(hn::Or(four, hn::ShiftLeft<4>(two)), hn::Set(di, 32)), x + i, sum);
      }
      const auto sub_scale = static_cast<std::int8_t>(block[192 + group]);
      total = hn::MulAdd(hn::Set(d, scale * static_cast<float>(sub_scale)), sum, total);
    }
  }
};

/// One row of W times x. Two totals, so that an addition need not wait for the one before it.
template <class Block>
HWY_INLINE float dot_row(const Byte* row, const float* x, const float* sums, std::size_t blocks) {
  constexpr std::size_t kSums = Block::kElements / kSumColumns;
  const Tag d;
  Vec totals[2] = {hn::Zero(d), hn::Zero(d)};
  float rests[2] = {0, 0};
  std::size_t i = 0;
  for (; i + 2 <= blocks; i += 2, row += 2 * Block::kBytes, x += 2 * Block::kElements, sums += 2 * kSums) {
    Block::add(row, x, sums, totals[0], rests[0]);
    Block::add(row + Block::kBytes, x + Block::kElements, sums + kSums, totals[1], rests[1]);
  }
  if (i < blocks) Block::add(row, x, sums, totals[0], rests[0]);
  return hn::GetLane(hn::SumOfLanes(d, hn::Add(totals[0], totals[1]))) + (rests[0] + rests[1]);
}

template <class Block>
HWY_INLINE void dot_rows(const BlockRows& w, std::int64_t begin, std::int64_t end, const float* x,
                         const float* sums, float* y, bool accumulate) {
  const auto blocks = static_cast<std::size_t>(w.columns) / Block::kElements;
  const auto* data = reinterpret_cast<const Byte*>(w.data);
  const std::int64_t row_bytes = w.row_bytes();
  for (std::int64_t i = begin; i < end; ++i) {
    const float product = dot_row<Block>(data + w.stored(i) * row_bytes, x, sums, blocks);
    y[i] = accumulate ? y[i] + product : product;
  }
}

/// y[i] = or += row i times x, for rows [begin, end).
void multiply_rows(const BlockRows& w, std::int64_t begin, std::int64_t end, const float* x,
                   const float* sums, float* y, bool accumulate) {
  switch (w.format) {
    case BlockFormat::Q4_0:
      return dot_rows<SmallBlock<false, false>>(w, begin, end, x, sums, y, accumulate);
    case BlockFormat::Q4_1:
      return dot_rows<SmallBlock<false, true>>(w, begin, end, x, sums, y, accumulate);
    case BlockFormat::Q5_0:
      return dot_rows<SmallBlock<true, false>>(w, begin, end, x, sums, y, accumulate);
    case BlockFormat::Q5_1:
      return dot_rows<SmallBlock<true, true>>(w, begin, end, x, sums, y, accumulate);
    case BlockFormat::Q8_0:
      return dot_rows<ByteBlock>(w, begin, end, x, sums, y, accumulate);
    case BlockFormat::Q4_K:
      return dot_rows<SuperBlock<false>>(w, begin, end, x, sums, y, accumulate);
    case BlockFormat::Q5_K:
      return dot_rows<SuperBlock<true>>(w, begin, end, x, sums, y, accumulate);
    case BlockFormat::Q6_K:
      return dot_rows<SixBitBlock>(w, begin, end, x, sums, y, accumulate);
    case BlockFormat::F32:
    case BlockFormat::F16:
    case BlockFormat::BF16:
      break;
  }
  TANDEM_CHECK(false, std::string("block_linear: ") + block_layout(w.format).name);
}

/// sums[i] = sum of x over 32 columns
void column_sums(const float* x, std::size_t columns, float* sums) {
  const Tag d;
  for (std::size_t i = 0; i < columns; i += kSumColumns) {
    Vec sum = hn::Zero(d);
    for (std::size_t j = 0; j < kSumColumns; j += hn::Lanes(d)) sum = hn::Add(sum, hn::LoadU(d, x + i + j));
    *sums++ = hn::GetLane(hn::SumOfLanes(d, sum));
  }
}

}  // namespace tandem::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tandem {
HWY_EXPORT(multiply_rows);
HWY_EXPORT(column_sums);

void block_linear(Context& context, TensorView x, std::span<const BlockRows> parts, TensorView y,
                  bool accumulate) {
  constexpr double kBytesPerNs = 20;
  std::int64_t rows = 0;
  for (const BlockRows& part : parts) {
    TANDEM_CHECK(is_quantized(part.format) && part.columns == x.extent(1),
                 "block_linear: " + std::to_string(part.columns) + " columns for x " + x.shape().str());
    rows += part.rows;
  }
  TANDEM_CHECK(x.rank() == 2 && x.extent(0) == 1 && (y.shape() == Shape{1, rows}),
               "block_linear: x " + x.shape().str() + ", y " + y.shape().str());
  const ScratchScope scope(context);
  const std::int64_t columns = x.extent(1);
  float* sums = context.scratch((columns + 31) / 32);
  HWY_DYNAMIC_DISPATCH(column_sums)(x.f32(), static_cast<std::size_t>(columns), sums);
  float* out = y.f32();
  for (const BlockRows& part : parts) {
    parallel_over(context, part.rows, static_cast<double>(part.row_bytes()) / kBytesPerNs,
                  [&](std::int64_t begin, std::int64_t end) {
                    HWY_DYNAMIC_DISPATCH(multiply_rows)(part, begin, end, x.f32(), sums, out, accumulate);
                  });
    out += part.rows;
  }
}

}  // namespace tandem
#endif
