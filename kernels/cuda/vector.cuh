// Loads and stores of up to 128 bits, of floats and of bfloat16 widened to floats.
#pragma once

#include <cstdint>

#include "kernels/base/dtype.h"
#include "kernels/base/tensor_view.h"
#include "kernels/cuda/device.h"

namespace tandem::cuda {

/// Floats of a 128-bit load.
inline constexpr int kVector = 4;

template <int kWidth>
struct alignas(sizeof(float) * kWidth < 16 ? sizeof(float) * kWidth : 16) Floats {
  float at[kWidth];
};
template <int kWidth>
struct alignas(sizeof(BFloat16) * kWidth) BFloats {
  BFloat16 at[kWidth];
};

__device__ __forceinline__ float widen(BFloat16 value) {
  return __uint_as_float(static_cast<unsigned>(value.bits) << 16);
}
/// Rounds to nearest even; NaN stays NaN.
__device__ __forceinline__ BFloat16 narrow(float value) {
  const unsigned bits = __float_as_uint(value);
  if ((bits & 0x7FFFFFFFU) > 0x7F800000U) return {static_cast<std::uint16_t>((bits >> 16) | 0x40U)};
  return {static_cast<std::uint16_t>((bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16)};
}

/// `from` must be a multiple of kWidth elements from an aligned address.
template <int kWidth>
__device__ __forceinline__ Floats<kWidth> load(const float* from) {
  return *reinterpret_cast<const Floats<kWidth>*>(from);
}
template <int kWidth>
__device__ __forceinline__ Floats<kWidth> load(const BFloat16* from) {
  const auto packed = *reinterpret_cast<const BFloats<kWidth>*>(from);
  Floats<kWidth> wide;
  for (int i = 0; i < kWidth; ++i) wide.at[i] = widen(packed.at[i]);
  return wide;
}
template <int kWidth>
__device__ __forceinline__ void store(float* to, const Floats<kWidth>& values) {
  *reinterpret_cast<Floats<kWidth>*>(to) = values;
}
template <int kWidth>
__device__ __forceinline__ void store(BFloat16* to, const Floats<kWidth>& values) {
  BFloats<kWidth> packed;
  for (int i = 0; i < kWidth; ++i) packed.at[i] = narrow(values.at[i]);
  *reinterpret_cast<BFloats<kWidth>*>(to) = packed;
}

/// Whether every row of the matrix, or the vector, can be read and written kVector elements at a time.
inline bool vectorizable(const TensorView& view) {
  const std::int64_t bytes = element_bytes(view.dtype()) * kVector;
  return reinterpret_cast<std::uintptr_t>(view.data()) % static_cast<std::uintptr_t>(bytes) == 0 &&
         view.extent(-1) % kVector == 0 && (view.rank() < 2 || view.stride(0) % kVector == 0);
}
template <typename... Views>
bool vectorizable(const TensorView& first, const Views&... rest) {
  return vectorizable(first) && vectorizable(rest...);
}

}  // namespace tandem::cuda
