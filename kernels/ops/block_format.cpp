#include "kernels/ops/block_format.h"

#include <array>
#include <bit>
#include <cstring>

#include "kernels/base/check.h"
#include "kernels/base/dtype.h"
#include "kernels/ops/six_bits.h"

namespace tandem {
namespace {

static_assert(std::endian::native == std::endian::little, "blocks are read as they lie in the file");

constexpr std::array<BlockLayout, 11> kLayouts = {{{"F32", 1, 4},
                                                   {"F16", 1, 2},
                                                   {"BF16", 1, 2},
                                                   {"Q4_0", 32, 18},
                                                   {"Q4_1", 32, 20},
                                                   {"Q5_0", 32, 22},
                                                   {"Q5_1", 32, 24},
                                                   {"Q8_0", 32, 34},
                                                   {"Q4_K", 256, 144},
                                                   {"Q5_K", 256, 176},
                                                   {"Q6_K", 256, 210}}};

template <typename Word>
Word load(const std::byte* from) {
  Word word;
  std::memcpy(&word, from, sizeof word);
  return word;
}

float half_at(const std::byte* from) {
  return half_to_float(load<std::uint16_t>(from));
}

int at(const std::byte* bytes, int i) {
  return std::to_integer<int>(bytes[i]);
}

// Element i of 32 nibbles: the low ones first, then the high ones.
int nibble(const std::byte* packed, int i) {
  return i < 16 ? at(packed, i) & 15 : at(packed, i - 16) >> 4;
}

// Blocks of 32 with nibbles, for Q5 with a fifth bit from `high`; value = scale * (q - offset) + least.
template <bool kFifthBit, bool kLeast>
void small_block(const std::byte* block, float* values) {
  const float scale = half_at(block);
  block += 2;
  const float least = kLeast ? half_at(block) : 0.0F;
  block += kLeast ? 2 : 0;
  const std::uint32_t high = kFifthBit ? load<std::uint32_t>(block) : 0;
  block += kFifthBit ? 4 : 0;
  constexpr int kOffset = kLeast ? 0 : (kFifthBit ? 16 : 8);
  for (int i = 0; i < 32; ++i) {
    const int q = nibble(block, i) | static_cast<int>((high >> i & 1U) << 4);
    values[i] = scale * static_cast<float>(q - kOffset) + least;
  }
}

void byte_block(const std::byte* block, float* values) {
  const float scale = half_at(block);
  for (int i = 0; i < 32; ++i)
    values[i] = scale * static_cast<float>(static_cast<std::int8_t>(at(block, 2 + i)));
}

// Q4_K and, with a fifth bit, Q5_K: eight sub-blocks of 32.
template <bool kFifthBit>
void super_block(const std::byte* block, float* values) {
  const float scale = half_at(block);
  const float least = half_at(block + 2);
  const std::byte* high = block + 16;
  const std::byte* packed = high + (kFifthBit ? 32 : 0);
  for (int j = 0; j < 8; ++j) {
    const SixBits bits = six_bits(reinterpret_cast<const std::uint8_t*>(block + 4), j);
    const float sub_scale = scale * static_cast<float>(bits.scale);
    const float sub_least = least * static_cast<float>(bits.least);
    for (int l = 0; l < 32; ++l) {
      const int byte = at(packed, j / 2 * 32 + l);
      int q = j % 2 == 0 ? byte & 15 : byte >> 4;
      if constexpr (kFifthBit) q |= (at(high, l) >> j & 1) << 4;
      values[32 * j + l] = sub_scale * static_cast<float>(q) - sub_least;
    }
  }
}

void six_bit_block(const std::byte* block, float* values) {
  const std::byte* low = block;
  const std::byte* high = block + 128;
  const std::byte* scales = block + 192;
  const float scale = half_at(block + 208);
  for (int group = 0; group < 16; ++group) {  // 16 elements under one scale
    const int c = group / 8;
    const int k = group % 8 / 2;
    const float sub_scale = scale * static_cast<float>(static_cast<std::int8_t>(at(scales, group)));
    for (int i = 0; i < 16; ++i) {
      const int l = group % 2 * 16 + i;
      const int byte = at(low, 64 * c + l + (k & 1) * 32);
      const int q = (k < 2 ? byte & 15 : byte >> 4) | (at(high, 32 * c + l) >> 2 * k & 3) << 4;
      values[16 * group + i] = sub_scale * static_cast<float>(q - 32);
    }
  }
}

template <void (*kBlock)(const std::byte*, float*)>
void each_block(const BlockLayout& layout, const std::byte* blocks, std::int64_t elements, float* values) {
  for (std::int64_t i = 0; i < elements; i += layout.elements, blocks += layout.bytes)
    kBlock(blocks, values + i);
}

template <typename Convert>
void each_half(const std::byte* words, std::int64_t elements, float* values, Convert convert) {
  for (std::int64_t i = 0; i < elements; ++i) values[i] = convert(load<std::uint16_t>(words + 2 * i));
}

}  // namespace

const BlockLayout& block_layout(BlockFormat format) {
  return kLayouts[static_cast<std::size_t>(format)];
}

bool has_finite_scales(BlockFormat format, const std::byte* blocks, std::int64_t elements) {
  if (!is_quantized(format)) return true;
  const bool last = format == BlockFormat::Q6_K;
  const bool two = format == BlockFormat::Q4_1 || format == BlockFormat::Q5_1 ||
                   format == BlockFormat::Q4_K || format == BlockFormat::Q5_K;
  const BlockLayout& layout = block_layout(format);
  const std::byte* first = blocks + (last ? layout.bytes - 2 : 0);
  const std::int64_t second = two ? 2 : 0;  // from the first
  const auto infinite = [](std::uint16_t half) { return (half & 0x7C00U) == 0x7C00U; };
  bool found = false;
  for (std::int64_t i = 0; i < elements; i += layout.elements, first += layout.bytes)
    found = found || infinite(load<std::uint16_t>(first)) || infinite(load<std::uint16_t>(first + second));
  return !found;
}

void dequantize(BlockFormat format, const std::byte* blocks, std::int64_t elements, float* values) {
  const BlockLayout& layout = block_layout(format);
  TANDEM_CHECK(elements % layout.elements == 0, "dequantize: whole blocks only");
  switch (format) {
    case BlockFormat::F32:
      if (elements > 0) std::memcpy(values, blocks, static_cast<std::size_t>(elements) * sizeof(float));
      return;
    case BlockFormat::F16:
      return each_half(blocks, elements, values, half_to_float);
    case BlockFormat::BF16:
      return each_half(blocks, elements, values, [](std::uint16_t word) { return to_float(BFloat16{word}); });
    case BlockFormat::Q4_0:
      return each_block<small_block<false, false>>(layout, blocks, elements, values);
    case BlockFormat::Q4_1:
      return each_block<small_block<false, true>>(layout, blocks, elements, values);
    case BlockFormat::Q5_0:
      return each_block<small_block<true, false>>(layout, blocks, elements, values);
    case BlockFormat::Q5_1:
      return each_block<small_block<true, true>>(layout, blocks, elements, values);
    case BlockFormat::Q8_0:
      return each_block<byte_block>(layout, blocks, elements, values);
    case BlockFormat::Q4_K:
      return each_block<super_block<false>>(layout, blocks, elements, values);
    case BlockFormat::Q5_K:
      return each_block<super_block<true>>(layout, blocks, elements, values);
    case BlockFormat::Q6_K:
      return each_block<six_bit_block>(layout, blocks, elements, values);
  }
}

}  // namespace tandem
