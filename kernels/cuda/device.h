// What kernels include: CUDA under nvcc, its emulation under any other compiler. Kernels use what both have.
#pragma once

#ifdef __CUDACC__
#include <cuda_runtime.h>

#define TANDEM_SHARED(T, name, count) __shared__ alignas(16) T name[count]
#define TANDEM_DYNAMIC_SHARED(T, name)                            \
  extern __shared__ __align__(16) unsigned char dynamic_shared[]; \
  T* const name = reinterpret_cast<T*>(dynamic_shared)
#define TANDEM_UNROLL _Pragma("unroll")
#else
#include "kernels/emulation/device.h"
#define TANDEM_UNROLL
#endif

namespace tandem::cuda {

inline constexpr int kWarp = 32;
inline constexpr unsigned kAllLanes = 0xFFFFFFFFU;

}  // namespace tandem::cuda
