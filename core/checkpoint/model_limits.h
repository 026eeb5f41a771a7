// The largest sizes that a configuration may name: far above any model of these families, and such that every
// product of two of them stays within 64 bits.
#pragma once

#include <cstdint>

namespace tandem {

inline constexpr std::int64_t kMaxVocab = 1 << 24;
inline constexpr std::int64_t kMaxWidth = 1 << 20;
inline constexpr std::int64_t kMaxLayers = 4096;
inline constexpr std::int64_t kMaxContext = std::int64_t{1} << 40;

}  // namespace tandem
