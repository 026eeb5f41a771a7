#include "kernels/emulation/grid.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <deque>
#include <memory>
#include <numeric>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "kernels/emulation/fiber.h"

namespace tandem::emulation {
namespace {

constexpr unsigned kWarp = 32;
constexpr unsigned kMaxThreads = 1024;
constexpr std::size_t kMaxStaticShared = 48 * 1024;
constexpr std::size_t kMaxShared = 99 * 1024;  // of one block on sm_89, the least of our architectures
constexpr int kNanByte = 0xFF;

std::size_t count(const Dim3& extent) {
  return std::size_t{extent.x} * extent.y * extent.z;
}
Dim3 index(std::size_t number, const Dim3& extent) {
  const auto i = static_cast<unsigned>(number);
  return {i % extent.x, i / extent.x % extent.y, i / extent.x / extent.y};
}

enum class State : std::uint8_t { Ready, AtBarrier, InWarp, Exited };

struct Thread {
  State state = State::Ready;
  WarpCall call = {};  // the last one; of a barrier only where
  std::uint64_t result = 0;
};

/// Heap blocks of their own, so that the address sanitizer sees what goes past their ends.
using SharedArray = std::unique_ptr<std::byte[]>;
SharedArray unwritten(std::size_t bytes) {
  SharedArray array(new std::byte[bytes]);
  std::memset(array.get(), kNanByte, bytes);
  return array;
}

/// The block that runs on this thread of the host.
struct Block {
  std::deque<Fiber> fibers;  // of the threads, kept from block to block
  std::vector<Thread> threads;
  std::size_t running = 0;  // number of the thread
  const std::function<void()>* kernel = nullptr;
  std::vector<std::pair<Location, SharedArray>> shared;
  std::size_t shared_bytes = 0;
  SharedArray dynamic;
  std::optional<std::string> failure;
};
thread_local std::optional<Block> block;

std::atomic<std::uint32_t> schedule = 0;

/// The order of `size` things, another one for every salt if they are shuffled.
std::vector<std::size_t> order(std::size_t size, std::size_t salt) {
  std::vector<std::size_t> numbers(size);
  std::iota(numbers.begin(), numbers.end(), std::size_t{0});
  if (schedule == 1) std::ranges::reverse(numbers);
  if (schedule > 1) std::ranges::shuffle(numbers, std::minstd_rand(schedule * 7919 + salt));
  return numbers;
}

bool same(const Location& a, const Location& b) {
  return a.line() == b.line() && std::strcmp(a.file_name(), b.file_name()) == 0;
}
std::string line_of(const Location& where) {
  const std::string file = where.file_name();
  return file.substr(file.find_last_of('/') + 1) + ":" + std::to_string(where.line());
}
std::string coordinates(const Dim3& i) {
  return "(" + std::to_string(i.x) + ", " + std::to_string(i.y) + ", " + std::to_string(i.z) + ")";
}

std::string describe(const Thread& thread) {
  if (thread.state == State::Ready) return "can go on";
  if (thread.state == State::Exited) return "exited";
  if (thread.state == State::AtBarrier) return "at __syncthreads, " + line_of(thread.call.where);
  constexpr const char* kNames[] = {"__syncwarp", "a shuffle", "__ballot_sync"};
  char mask[16];
  std::snprintf(mask, sizeof mask, "%08x", thread.call.mask);
  return std::string("at ") + kNames[static_cast<int>(thread.call.kind)] + ", " + line_of(thread.call.where) +
         ", mask " + mask;
}

/// "block (0, 0, 0): threads wait; threads 0-31: exited; threads 32-63: at __syncthreads, x.cu:7"
EmulationError block_error(const std::string& why) {
  std::string text = "block " + coordinates(blockIdx) + ": " + why;
  const std::vector<Thread>& threads = block->threads;
  for (std::size_t begin = 0, end = 0; begin < threads.size(); begin = end) {
    const std::string what = describe(threads[begin]);
    while (end < threads.size() && describe(threads[end]) == what) ++end;
    text += "; threads " + std::to_string(begin) + "-" + std::to_string(end - 1) + ": " + what;
  }
  return EmulationError(text);
}

Thread& self() {
  return block->threads[block->running];
}
[[noreturn]] void fail_thread(const std::string& why) {
  throw EmulationError("thread " + coordinates(threadIdx) + ", " + line_of(self().call.where) + ": " + why);
}

/// What a fiber does; a thread that fails ends, so that nothing on its stack is lost.
void run_kernel() {
  try {
    (*block->kernel)();
  } catch (const EmulationError& error) {
    block->failure = error.what();
  }
}

void wait(State state) {
  self().state = state;
  block->fibers[block->running].suspend();
}

/// Lets the threads go on that wait at one barrier, if all do that have not exited.
bool release_barrier() {
  const Thread* first = nullptr;
  for (const Thread& thread : block->threads) {
    if (thread.state == State::Exited) continue;
    if (first == nullptr) first = &thread;
    if (thread.state != State::AtBarrier || !same(thread.call.where, first->call.where)) return false;
  }
  for (Thread& thread : block->threads) {
    if (thread.state == State::AtBarrier) thread.state = State::Ready;
  }
  return first != nullptr;
}

/// Runs the threads that can go on; false if there were none.
bool run_round(std::size_t salt) {
  bool any_ran = false;
  for (const std::size_t i : order(block->threads.size(), salt)) {
    Thread& thread = block->threads[i];
    if (thread.state != State::Ready) continue;
    any_ran = true;
    block->running = i;
    threadIdx = index(i, blockDim);
    if (block->fibers[i].resume()) thread.state = State::Exited;
    if (block->failure) throw block_error(*block->failure);
  }
  return any_ran;
}

void run_block(std::size_t dynamic_shared_bytes) {
  const std::size_t size = count(blockDim);
  while (block->fibers.size() < size) block->fibers.emplace_back(run_kernel);
  block->threads.assign(size, {});
  block->shared.clear();
  block->shared_bytes = 0;
  block->dynamic = unwritten(dynamic_shared_bytes);
  std::size_t salt = blockIdx.x + 31 * blockIdx.y + 961 * blockIdx.z;
  while (run_round(salt) || release_barrier()) salt += 7;
  if (!std::ranges::all_of(block->threads, [](const Thread& t) { return t.state == State::Exited; }))
    throw block_error("threads wait for each other");
}

/// The last lane of the mask has come: the results of all, who may then go on.
void finish_exchange(Thread* lanes, unsigned mask) {
  std::uint64_t ballot = 0;
  for (unsigned i = 0; i < kWarp; ++i) {
    if ((mask >> i & 1U) != 0 && lanes[i].call.value != 0) ballot |= std::uint64_t{1} << i;
  }
  for (unsigned i = 0; i < kWarp; ++i) {
    if ((mask >> i & 1U) == 0) continue;
    Thread& thread = lanes[i];
    thread.state = State::Ready;
    thread.result = ballot;
    if (thread.call.kind != WarpCall::Kind::Shuffle) continue;
    if ((mask >> thread.call.source & 1U) == 0) {
      fail_thread("a shuffle reads lane " + std::to_string(thread.call.source) +
                  ", which the mask does not name");
    }
    thread.result = lanes[thread.call.source].call.value;
  }
}

}  // namespace

void set_schedule(std::uint32_t wanted) {
  schedule = wanted;
}

void run_grid(Dim3 grid, Dim3 threads, std::size_t dynamic_shared_bytes,
              const std::function<void()>& kernel) {
  if (count(threads) > kMaxThreads || dynamic_shared_bytes > kMaxShared) {
    throw EmulationError("blocks of " + coordinates(threads) + " threads with " +
                         std::to_string(dynamic_shared_bytes) +
                         " bytes of shared memory: a block has at most " + std::to_string(kMaxThreads) +
                         " threads and " + std::to_string(kMaxShared) + " bytes");
  }
  gridDim = grid;
  blockDim = threads;
  if (!block) block.emplace();
  block->kernel = &kernel;
  for (const std::size_t i : order(count(grid), 0)) {
    blockIdx = index(i, grid);
    try {
      run_block(dynamic_shared_bytes);
    } catch (...) {
      block.reset();  // its fibers stand in the middle of the kernel
      throw;
    }
  }
}

void __syncthreads(Location where) {
  self().call.where = where;
  wait(State::AtBarrier);
}

std::uint64_t warp_exchange(const WarpCall& call) {
  self().call = call;
  const std::size_t lane = block->running % kWarp;
  const std::size_t first = block->running - lane;
  if ((call.mask >> lane & 1U) == 0) fail_thread("a lane is missing in its own mask");
  bool complete = true;
  for (std::size_t i = 0; i < kWarp; ++i) {
    if ((call.mask >> i & 1U) == 0) continue;
    if (first + i >= block->threads.size()) fail_thread("the mask names a lane that the block does not have");
    const Thread& other = block->threads[first + i];
    if (other.state == State::Exited) fail_thread("the mask names a lane that has exited");
    complete &= i == lane || (other.state == State::InWarp && other.call.kind == call.kind &&
                              other.call.mask == call.mask && same(other.call.where, call.where));
  }
  if (complete) {
    finish_exchange(&block->threads[first], call.mask);
  } else {
    wait(State::InWarp);
  }
  return self().result;
}

int lane_id() {
  return static_cast<int>(block->running % kWarp);
}

void* shared_array(std::size_t bytes, Location where) {
  for (const auto& [declared, array] : block->shared) {
    if (same(declared, where)) return array.get();
  }
  self().call.where = where;
  block->shared_bytes += bytes;
  if (block->shared_bytes > kMaxStaticShared) {
    fail_thread(std::to_string(block->shared_bytes) + " bytes of static shared memory, of at most " +
                std::to_string(kMaxStaticShared));
  }
  return block->shared.emplace_back(where, unwritten(bytes)).second.get();
}

void* dynamic_shared_array() {
  return block->dynamic.get();
}

}  // namespace tandem::emulation
