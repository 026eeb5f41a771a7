// Sums and maxima over a warp and a block, in a fixed order, so that they do not depend on how threads are
// scheduled.
#pragma once

#include "kernels/cuda/device.h"

namespace tandem::cuda {

/// Over each `lanes` neighbours, a power of two up to 32, for all of them; all 32 must call.
__device__ __forceinline__ float neighbours_sum(float value, int lanes) {
  for (int apart = lanes / 2; apart > 0; apart /= 2) value += __shfl_xor_sync(kAllLanes, value, apart);
  return value;
}
/// Over all lanes, for all lanes; all 32 must call.
__device__ __forceinline__ float warp_sum(float value) {
  return neighbours_sum(value, kWarp);
}
__device__ __forceinline__ float neighbours_max(float value, int lanes) {
  for (int apart = lanes / 2; apart > 0; apart /= 2) {
    value = fmaxf(value, __shfl_xor_sync(kAllLanes, value, apart));
  }
  return value;
}

/// Over a block of kThreads x 1 x 1, for all its threads; all must call. Two barriers.
template <int kThreads>
__device__ __forceinline__ float block_sum(float value) {
  static_assert(kThreads % kWarp == 0);
  constexpr int kWarps = kThreads / kWarp;
  TANDEM_SHARED(float, partial, kWarps);
  value = warp_sum(value);
  if (threadIdx.x % kWarp == 0) partial[threadIdx.x / kWarp] = value;
  __syncthreads();
  float sum = 0.0F;
  for (int i = 0; i < kWarps; ++i) sum += partial[i];
  __syncthreads();
  return sum;
}
template <int kThreads>
__device__ __forceinline__ float block_max(float value) {
  static_assert(kThreads % kWarp == 0);
  constexpr int kWarps = kThreads / kWarp;
  TANDEM_SHARED(float, partial, kWarps);
  value = neighbours_max(value, kWarp);
  if (threadIdx.x % kWarp == 0) partial[threadIdx.x / kWarp] = value;
  __syncthreads();
  float largest = partial[0];
  for (int i = 1; i < kWarps; ++i) largest = fmaxf(largest, partial[i]);
  __syncthreads();
  return largest;
}

}  // namespace tandem::cuda
