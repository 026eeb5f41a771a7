// The scales inside a block of Q4_K or Q5_K.
#pragma once

#include <cstdint>

namespace tandem {

/// Six-bit scale and minimum of one of eight sub-blocks.
struct SixBits {
  int scale;
  int least;
};

/// Those of sub-block j, from the block's 12 bytes of scales (models.md 8.2).
inline SixBits six_bits(const std::uint8_t* s, int j) {
  if (j < 4) return {s[j] & 63, s[j + 4] & 63};
  return {(s[j + 4] & 15) | s[j - 4] >> 6 << 4, s[j + 4] >> 4 | s[j] >> 6 << 4};
}

}  // namespace tandem
