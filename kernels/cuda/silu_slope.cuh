// silu with its derivative, for backward passes.
#pragma once

#include "kernels/cuda/device.h"

namespace tandem::cuda {

__device__ __forceinline__ float sigmoid(float x) {
  return 1.0F / (1.0F + expf(-x));
}

struct SiluSlope {
  float value, slope;
};
__device__ __forceinline__ SiluSlope silu_slope(float x) {
  const float s = sigmoid(x);
  return {x * s, s * (1.0F + x * (1.0F - s))};
}

}  // namespace tandem::cuda
