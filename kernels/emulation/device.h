// The part of CUDA C++ that our kernels use, as host C++: built-in variables, barriers, warp operations,
// atomics, vector types. Included by kernels/cuda/device.h alone, when the compiler is not nvcc.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "kernels/emulation/grid.h"
#include "kernels/emulation/runtime.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)

/// T name[count], one for the block. Nothing is in it until it is written.
#define TANDEM_SHARED(T, name, count) \
  T* const name = static_cast<T*>(::tandem::emulation::shared_array(sizeof(T) * (count)))
/// T name[], of the size given at the launch.
#define TANDEM_DYNAMIC_SHARED(T, name) \
  T* const name = static_cast<T*>(::tandem::emulation::dynamic_shared_array())

using std::isnan;
using std::max;
using std::min;

namespace tandem::emulation::functions {

using emulation::__syncthreads;

inline void __syncwarp(unsigned mask = 0xFFFFFFFFU, Location where = Location::current()) {
  warp_exchange({WarpCall::Kind::Sync, mask, 0, 0, where});
}
inline unsigned __ballot_sync(unsigned mask, bool predicate, Location where = Location::current()) {
  return static_cast<unsigned>(warp_exchange({WarpCall::Kind::Ballot, mask, predicate ? 1U : 0U, 0, where}));
}

/// The value of lane `source`; a lane's own where that is outside its group of `width` lanes.
template <typename T>
T shuffle(unsigned mask, T value, int source, int width, Location where) {
  static_assert(sizeof(T) <= sizeof(std::uint64_t));
  if (source < 0 || source / width != lane_id() / width) source = lane_id();
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  bits = warp_exchange({WarpCall::Kind::Shuffle, mask, bits, source, where});
  std::memcpy(&value, &bits, sizeof value);
  return value;
}
template <typename T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32, Location where = Location::current()) {
  return shuffle(mask, value, lane_id() / width * width + source % width, width, where);
}
template <typename T>
T __shfl_xor_sync(unsigned mask, T value, int lanes, Location where = Location::current()) {
  return shuffle(mask, value, lane_id() ^ lanes, 32, where);
}
template <typename T>
T __shfl_up_sync(unsigned mask, T value, int delta, int width = 32, Location where = Location::current()) {
  return shuffle(mask, value, lane_id() - delta, width, where);
}
template <typename T>
T __shfl_down_sync(unsigned mask, T value, int delta, int width = 32, Location where = Location::current()) {
  return shuffle(mask, value, lane_id() + delta, width, where);
}

}  // namespace tandem::emulation::functions

using namespace tandem::emulation::functions;

/// Threads change only at the operations above, so that nothing comes between.
template <typename T>
T atomicAdd(T* address, T value) {
  const T before = *address;
  *address = before + value;
  return before;
}

inline float __uint_as_float(unsigned bits) {
  return std::bit_cast<float>(bits);
}
inline unsigned __float_as_uint(float value) {
  return std::bit_cast<unsigned>(value);
}
