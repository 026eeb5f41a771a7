// What the decode kernel needs to know of one KV head; private to the attention op.
#pragma once

#include <cstddef>

#include "kernels/ops/attention.h"

namespace tandem {

inline constexpr std::size_t kMaxHeadDim = 256;
inline constexpr std::size_t kMaxGroup = 64;  // query heads per KV head

/// One KV head and the `group` query heads that share it. Pointers are to the first completion's row, at the
/// head's first channel; prefix rows are `dim` apart.
struct DecodeHead {
  std::size_t index = 0;
  std::size_t group = 0;
  std::size_t dim = 0;
  float scale = 1.0F;
  const float* q = nullptr;
  std::size_t q_stride = 0;
  float* out = nullptr;
  std::size_t out_stride = 0;
  const float* prefix_keys = nullptr;
  const float* prefix_values = nullptr;
  std::size_t prefix_length = 0;
  const SlotCaches* own = nullptr;
};

}  // namespace tandem
