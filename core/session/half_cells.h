// Matrices as sessions store them: half precision.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "core/tensor/tensor.h"

namespace tandem {

/// float16 bits of `count` numbers; beyond +-65504 they become infinite.
inline std::vector<std::uint16_t> to_half(const float* values, std::int64_t count) {
  std::vector<std::uint16_t> half(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < half.size(); ++i) half[i] = float_to_half(values[i]);
  return half;
}

/// Fills as many elements as there are of both.
inline void from_half(const std::vector<std::uint16_t>& half, const Tensor& values) {
  const std::size_t count = std::min(half.size(), static_cast<std::size_t>(values.elements()));
  for (std::size_t i = 0; i < count; ++i) values.f32()[i] = half_to_float(half[i]);
}

}  // namespace tandem
