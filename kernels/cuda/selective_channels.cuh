// SelectiveOperands as kernels take them.
#pragma once

#include "kernels/cuda/rowwise.cuh"
#include "kernels/ops/selective_operands.h"

namespace tandem::cuda {

struct SelectiveChannels {
  int channels, dstate;
  int b_share, c_share;  // channels that read one group of b, c
  Matrix<float> x, delta, b, c, a;
  const float* skip;

  __device__ const float* b_of(std::int64_t token, int channel) const {
    return b.at(token, channel / b_share * dstate);
  }
  __device__ const float* c_of(std::int64_t token, int channel) const {
    return c.at(token, channel / c_share * dstate);
  }
};

inline SelectiveChannels selective_channels(const SelectiveOperands& o) {
  return {static_cast<int>(o.channels),
          static_cast<int>(o.dstate),
          static_cast<int>(o.channels / o.b_groups),
          static_cast<int>(o.channels / o.c_groups),
          matrix(o.x),
          matrix(o.delta),
          matrix(o.b),
          matrix(o.c),
          matrix(o.a),
          o.skip.f32()};
}

}  // namespace tandem::cuda
