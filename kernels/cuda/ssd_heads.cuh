// SsdOperands as kernels take them: every head's slices of the operands.
#pragma once

#include "kernels/cuda/rowwise.cuh"
#include "kernels/ops/ssd_heads.h"

namespace tandem::cuda {

struct SsdHeads {
  int nheads, headdim, dstate;
  int x_share, b_share, c_share;  // heads that read one head of x, b, c
  Matrix<float> x, b, c, log_decay, dt;
  const float* skip;

  __device__ const float* x_of(std::int64_t token, int head) const {
    return x.at(token, head / x_share * headdim);
  }
  __device__ const float* b_of(std::int64_t token, int head) const {
    return b.at(token, head / b_share * dstate);
  }
  __device__ const float* c_of(std::int64_t token, int head) const {
    return c.at(token, head / c_share * dstate);
  }
  __device__ float dt_of(std::int64_t token, int head) const {
    return dt.data == nullptr ? 1.0F : *dt.at(token, head);
  }
};

inline SsdHeads ssd_heads(const SsdOperands& o) {
  const auto share = [&](std::int64_t heads) { return static_cast<int>(o.nheads / heads); };
  return {static_cast<int>(o.nheads),
          static_cast<int>(o.headdim),
          static_cast<int>(o.dstate),
          share(o.x_heads),
          share(o.b_heads),
          share(o.c_heads),
          matrix(o.x),
          matrix(o.b),
          matrix(o.c),
          matrix(o.log_decay),
          matrix_or_null(o.dt),
          o.skip.f32()};
}

}  // namespace tandem::cuda
