// CUDA_CHECK, and launch(): the only way in which kernels start. For .cu files.
#pragma once

#include <cstdint>

#include "kernels/base/check.h"
#include "kernels/cuda/device.h"
#include "kernels/cuda/stream.h"

/// Throws CudaError unless the call succeeds.
#define CUDA_CHECK(call) ::tandem::cuda::check_call((call), #call, __FILE__, __LINE__)

namespace tandem::cuda {

void check_call(cudaError_t error, const char* call, const char* file, int line);

/// Blocks in each dimension; a grid without blocks does nothing.
struct Grid {
  std::int64_t x = 1;
  std::int64_t y = 1;
  std::int64_t z = 1;
};
/// Threads in each dimension.
struct Block {
  int x = 1;
  int y = 1;
  int z = 1;
};

template <typename Integer>
__host__ __device__ constexpr Integer ceil_div(Integer a, Integer b) {
  return (a + b - 1) / b;
}

/// Shared memory that a launch may have without asking; all our architectures give kMaxSharedBytes when
/// asked.
inline constexpr std::int64_t kPlainSharedBytes = 48 * 1024;
inline constexpr std::int64_t kMaxSharedBytes = 99 * 1024;

/// Puts kernel(arguments...) into the stream. `shared_bytes` is dynamic shared memory. Debug builds wait for
/// its end.
template <typename... Parameters, typename... Arguments>
void launch(Stream& stream, void (*kernel)(Parameters...), Grid grid, Block block, std::int64_t shared_bytes,
            Arguments... arguments) {
  constexpr std::int64_t kMaxX = 2147483647;
  constexpr std::int64_t kMaxYZ = 65535;
  TANDEM_CHECK(grid.x <= kMaxX && grid.y <= kMaxYZ && grid.z <= kMaxYZ && shared_bytes <= kMaxSharedBytes,
               "grid " + std::to_string(grid.x) + " x " + std::to_string(grid.y) + " x " +
                   std::to_string(grid.z) + ", " + std::to_string(shared_bytes) + " bytes of shared memory");
  if (grid.x <= 0 || grid.y <= 0 || grid.z <= 0) return;
  const auto extent = [](std::int64_t n) { return static_cast<unsigned>(n); };
#ifdef __CUDACC__
  if (shared_bytes > kPlainSharedBytes) {
    CUDA_CHECK(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                    static_cast<int>(shared_bytes)));
  }
  kernel<<<dim3(extent(grid.x), extent(grid.y), extent(grid.z)),
           dim3(extent(block.x), extent(block.y), extent(block.z)), static_cast<std::size_t>(shared_bytes),
           stream.handle()>>>(static_cast<Parameters>(arguments)...);
  CUDA_CHECK(cudaGetLastError());
#ifndef NDEBUG
  cudaStreamCaptureStatus recording = cudaStreamCaptureStatusNone;
  CUDA_CHECK(cudaStreamIsCapturing(stream.handle(), &recording));
  if (recording == cudaStreamCaptureStatusNone) stream.synchronize();
#endif
#else
  (void)stream;
  emulation::run_grid(
      {extent(grid.x), extent(grid.y), extent(grid.z)}, {extent(block.x), extent(block.y), extent(block.z)},
      static_cast<std::size_t>(shared_bytes), [&] { kernel(static_cast<Parameters>(arguments)...); });
#endif
}

}  // namespace tandem::cuda
