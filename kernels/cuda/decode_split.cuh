// What the kernels of one decode step share: how keys are split among blocks, and where the parts go.
#pragma once

#include <cstdint>

#include "kernels/cuda/rowwise.cuh"

namespace tandem::cuda {

/// Query rows of a KV head are numbered: row = completion * group + query head of the group.
template <typename Element>
struct DecodeStep {
  int batch, group, nheads_kv, headdim;
  float scale;
  Matrix<float> q;
  const Element* prefix_keys;  // [K, P, D]
  const Element* prefix_values;
  int prefix_length;
  const Element* keys;  // [slots, K, capacity, D]
  const Element* values;
  std::int64_t capacity;
  const std::int32_t* slots;
  const std::int32_t* positions;
  std::int64_t first;

  // Each split_keys keys are one part, the prefix's parts before a slot's own.
  int split_keys, prefix_parts, own_parts;
  float* sums;     // [B, H, parts, D], each relative to its part's largest score
  float* largest;  // [B, H, parts]
  float* weight;   // [B, H, parts]: sum of the exponentials

  __device__ const float* query(int head, int row) const {
    return q.at(row / group, (head * group + row % group) * std::int64_t{headdim});
  }
  __device__ int own_length(int completion) const {
    return static_cast<int>(positions[completion] - first) + 1;
  }
  /// Index of a part of a query row in largest and weight; times headdim, in sums.
  __device__ std::int64_t part_of(int head, int row, int part) const {
    const std::int64_t query_head =
        std::int64_t{row / group} * nheads_kv * group + head * group + row % group;
    return query_head * (prefix_parts + own_parts) + part;
  }
};

}  // namespace tandem::cuda
