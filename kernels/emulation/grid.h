// Runs a CUDA grid on the host, block after block: every thread is a fiber that runs until a barrier, a warp
// operation or its end. What goes wrong is thrown as EmulationError, with threads and source lines. Left out:
// several blocks at once, memory ordering, alignment faults, speed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <source_location>
#include <stdexcept>

namespace tandem::emulation {

using Location = std::source_location;

struct Dim3 {
  unsigned x = 1, y = 1, z = 1;
};

struct EmulationError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Order in which blocks, and the threads of a block between two barriers, run: 0 forward, 1 reversed, from 2
/// on a seed for shuffling, anew at every barrier. Correct kernels do not depend on it.
void set_schedule(std::uint32_t schedule);

/// Calls kernel() as every thread of the grid, with the built-in variables set. Throws EmulationError when
/// threads wait for each other in vain, a warp operation is wrong, or the block asks for more than a device
/// has.
void run_grid(Dim3 grid, Dim3 block, std::size_t dynamic_shared_bytes, const std::function<void()>& kernel);

// What kernels call, by way of device.h.

void __syncthreads(Location where = Location::current());

/// What a lane brings to a warp operation.
struct WarpCall {
  enum class Kind : std::uint8_t { Sync, Shuffle, Ballot } kind;
  unsigned mask;
  std::uint64_t value;
  int source;
  Location where;
};
/// Waits for all lanes of the mask. Shuffle gives the value of lane `source`, Ballot a bit for each lane's
/// value.
std::uint64_t warp_exchange(const WarpCall& call);
int lane_id();

/// The block's shared array declared at `where`; its bits are those of NaN until written.
void* shared_array(std::size_t bytes, Location where = Location::current());
void* dynamic_shared_array();

}  // namespace tandem::emulation

inline thread_local tandem::emulation::Dim3 threadIdx, blockIdx, blockDim, gridDim;
