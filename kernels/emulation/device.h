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
  T* const name = static_cast<T*>(    \
      ::tandem::emulation::shared_array(sizeof(T) * (count), ::tandem::emulation::Location::current()))
/// T name[], of the size given at the launch.
#define TANDEM_DYNAMIC_SHARED(T, name) \
  T* const name = static_cast<T*>(::tandem::emulation::dynamic_shared_array())

using std::isnan;
using std::max;
using std::min;

inline void __syncthreads(tandem::emulation::Location where = tandem::emulation::Location::current()) {
  tandem::emulation::block_barrier(where);
}
inline void __syncwarp(unsigned mask = 0xFFFFFFFFU,
                       tandem::emulation::Location where = tandem::emulation::Location::current()) {
  tandem::emulation::warp_exchange(tandem::emulation::WarpOperation::Sync, mask, 0, 0, where);
}
inline unsigned __ballot_sync(unsigned mask, bool predicate,
                              tandem::emulation::Location where = tandem::emulation::Location::current()) {
  return static_cast<unsigned>(tandem::emulation::warp_exchange(tandem::emulation::WarpOperation::Ballot,
                                                                mask, predicate ? 1 : 0, 0, where));
}

namespace tandem::emulation {
/// The value of lane `source`, which is the lane itself where it falls outside its group of `width` lanes.
template <typename T>
T shuffle(unsigned mask, T value, int source, bool inside, Location where) {
  static_assert(sizeof(T) <= sizeof(std::uint64_t));
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  bits = warp_exchange(WarpOperation::Shuffle, mask, bits, inside ? source : lane_id(), where);
  std::memcpy(&value, &bits, sizeof value);
  return value;
}
}  // namespace tandem::emulation

template <typename T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32,
              tandem::emulation::Location where = tandem::emulation::Location::current()) {
  const int group = tandem::emulation::lane_id() / width * width;
  return tandem::emulation::shuffle(mask, value, group + source % width, true, where);
}
template <typename T>
T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = 32,
                  tandem::emulation::Location where = tandem::emulation::Location::current()) {
  const int lane = tandem::emulation::lane_id();
  return tandem::emulation::shuffle(mask, value, lane ^ lanes, (lane ^ lanes) / width <= lane / width, where);
}
template <typename T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32,
                 tandem::emulation::Location where = tandem::emulation::Location::current()) {
  const int lane = tandem::emulation::lane_id();
  const int source = lane - static_cast<int>(delta);
  return tandem::emulation::shuffle(mask, value, source, source >= lane / width * width, where);
}
template <typename T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32,
                   tandem::emulation::Location where = tandem::emulation::Location::current()) {
  const int lane = tandem::emulation::lane_id();
  const int source = lane + static_cast<int>(delta);
  return tandem::emulation::shuffle(mask, value, source, source / width == lane / width, where);
}

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
