// The few functions of the CUDA runtime that the engine calls, on the host: memory is the heap's, and what a
// stream is told to do is over when the call returns.
#pragma once

#include <cstddef>
#include <cstring>
#include <new>

enum cudaError_t { cudaSuccess, cudaErrorMemoryAllocation, cudaErrorNoDevice, cudaErrorInsufficientDriver };
inline const char* cudaGetErrorName(cudaError_t error) {
  return error == cudaSuccess ? "cudaSuccess" : "cudaErrorMemoryAllocation";
}
inline const char* cudaGetErrorString(cudaError_t error) {
  return error == cudaSuccess ? "no error" : "out of memory";
}

using cudaStream_t = struct CUstream_st*;
using cudaEvent_t = struct CUevent_st*;
enum cudaMemcpyKind { cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice };
inline constexpr unsigned cudaStreamNonBlocking = 1;
inline constexpr unsigned cudaEventDisableTiming = 2;

/// Heap blocks, so that the address sanitizer sees what goes past their ends.
inline cudaError_t cudaMalloc(void** memory, std::size_t bytes) {
  *memory = bytes == 0 ? nullptr : ::operator new(bytes, std::nothrow);
  return *memory == nullptr && bytes != 0 ? cudaErrorMemoryAllocation : cudaSuccess;
}
inline cudaError_t cudaFree(void* memory) {
  ::operator delete(memory);
  return cudaSuccess;
}
inline constexpr auto cudaMallocHost = cudaMalloc;
inline constexpr auto cudaFreeHost = cudaFree;

inline cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind,
                                   cudaStream_t) {
  if (bytes != 0) std::memmove(to, from, bytes);
  return cudaSuccess;
}
inline cudaError_t cudaMemsetAsync(void* memory, int byte, std::size_t bytes, cudaStream_t) {
  if (bytes != 0) std::memset(memory, byte, bytes);
  return cudaSuccess;
}

/// One device, which is the host.
struct cudaDeviceProp {
  char name[256];
  std::size_t totalGlobalMem;
  int major, minor, l2CacheSize;
};
inline cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int /*device*/) {
  *properties = {"emulated on the host", std::size_t{1} << 30, 9, 0, 1 << 16};
  return cudaSuccess;
}
inline cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
  *free = *total = std::size_t{1} << 30;
  return cudaSuccess;
}

namespace tandem::emulation {
/// What makes something, or asks for a number; and that for which there is nothing to do.
template <auto kValue>
inline constexpr auto kGives = [](auto* result, auto... /*unused*/) {
  *result = kValue;
  return cudaSuccess;
};
inline constexpr auto kDone = [](auto... /*unused*/) { return cudaSuccess; };
}  // namespace tandem::emulation

inline constexpr auto cudaGetDeviceCount = tandem::emulation::kGives<1>;
inline constexpr auto cudaDriverGetVersion = tandem::emulation::kGives<0>;
inline constexpr auto cudaRuntimeGetVersion = tandem::emulation::kGives<0>;
inline constexpr auto cudaStreamCreateWithFlags = tandem::emulation::kGives<nullptr>;
inline constexpr auto cudaEventCreateWithFlags = tandem::emulation::kGives<nullptr>;

inline constexpr auto cudaGetLastError = tandem::emulation::kDone;
inline constexpr auto cudaSetDevice = tandem::emulation::kDone;
inline constexpr auto cudaDeviceSynchronize = tandem::emulation::kDone;
inline constexpr auto cudaStreamSynchronize = tandem::emulation::kDone;
inline constexpr auto cudaStreamDestroy = tandem::emulation::kDone;
inline constexpr auto cudaEventRecord = tandem::emulation::kDone;
inline constexpr auto cudaEventSynchronize = tandem::emulation::kDone;
inline constexpr auto cudaEventDestroy = tandem::emulation::kDone;
