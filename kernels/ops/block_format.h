// How weight files store numbers: single floats, or blocks of small integers that share scales
// (models.md 8.2).
#pragma once

#include <cstddef>
#include <cstdint>

namespace tandem {

// NOLINTBEGIN(readability-identifier-naming): the names are GGUF's
enum class BlockFormat : std::uint8_t { F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K, Q6_K };
// NOLINTEND(readability-identifier-naming)

struct BlockLayout {
  const char* name;
  std::int64_t elements;  // of one block; blocks run along a row
  std::int64_t bytes;
};
const BlockLayout& block_layout(BlockFormat format);

/// Bytes of `elements` numbers, a multiple of a block's.
inline std::int64_t block_bytes(BlockFormat format, std::int64_t elements) {
  const BlockLayout& layout = block_layout(format);
  return elements / layout.elements * layout.bytes;
}

/// values[i] = element i of the blocks, rounded as the reference does; `blocks` need not be aligned.
/// `elements`: a multiple of a block's.
void dequantize(BlockFormat format, const std::byte* blocks, std::int64_t elements, float* values);

/// Whether all scales of the blocks are finite numbers; true for formats without blocks.
bool has_finite_scales(BlockFormat format, const std::byte* blocks, std::int64_t elements);

/// Formats whose blocks hold more than one element.
inline bool is_quantized(BlockFormat format) {
  return block_layout(format).elements > 1;
}

/// A matrix as a weight file stores it: borrowed rows of blocks.
struct BlockRows {
  BlockFormat format = BlockFormat::F32;
  std::int64_t rows = 0;
  std::int64_t columns = 0;  // a multiple of a block's elements
  const std::byte* data = nullptr;
  /// Above 0: the rows are heads of so many, each stored with the rows of a rotary pair side by side, while
  /// row() counts them half a head apart.
  std::int64_t paired_headdim = 0;

  std::int64_t row_bytes() const { return block_bytes(format, columns); }
  /// Where row i is stored.
  std::int64_t stored(std::int64_t i) const {
    if (paired_headdim == 0) return i;
    const std::int64_t within = i % paired_headdim;
    const std::int64_t half = paired_headdim / 2;
    return i - within + 2 * (within % half) + within / half;
  }
  const std::byte* row(std::int64_t i) const { return data + stored(i) * row_bytes(); }
};

}  // namespace tandem
