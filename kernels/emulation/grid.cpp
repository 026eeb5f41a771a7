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
#include <vector>

#include "kernels/emulation/fiber.h"

namespace tandem::emulation {
namespace {

constexpr unsigned kWarp = 32;
constexpr unsigned kMaxThreads = 1024;
constexpr std::size_t kMaxStaticShared = 48 * 1024;
constexpr std::size_t kMaxShared = 99 * 1024;  // of one block on sm_89, the least of our architectures
constexpr int kNanByte = 0xFF;

enum class State : std::uint8_t { Ready, AtBarrier, InWarp, Exited };

struct Thread {
  unsigned number = 0;
  Dim3 index;
  State state = State::Ready;
  Location where;
  WarpOperation operation = WarpOperation::Sync;
  unsigned mask = 0;
  int source = 0;
  std::uint64_t value = 0;
  std::uint64_t result = 0;
};

/// A heap block of its own, so that the address sanitizer sees what goes past its end.
struct SharedArray {
  SharedArray() = default;
  SharedArray(std::size_t size, Location declaration) : where(declaration), bytes(new std::byte[size]) {
    std::memset(bytes.get(), kNanByte, size);
  }
  Location where;
  std::unique_ptr<std::byte[]> bytes;
};

bool same(const Location& a, const Location& b) {
  return a.line() == b.line() && std::strcmp(a.file_name(), b.file_name()) == 0;
}

std::string line_of(const Location& where) {
  const std::string file = where.file_name();
  return file.substr(file.find_last_of('/') + 1) + ":" + std::to_string(where.line());
}

std::string hex(unsigned mask) {
  char text[16];
  std::snprintf(text, sizeof text, "%08x", mask);
  return text;
}

std::string describe(const Thread& thread) {
  constexpr const char* kNames[] = {"__syncwarp", "a shuffle", "__ballot_sync"};
  switch (thread.state) {
    case State::Ready:
      return "can go on";
    case State::AtBarrier:
      return "at __syncthreads, " + line_of(thread.where);
    case State::InWarp:
      return std::string("at ") + kNames[static_cast<int>(thread.operation)] + ", " + line_of(thread.where) +
             ", mask " + hex(thread.mask);
    case State::Exited:
      return "exited";
  }
  return {};
}

std::string coordinates(const Dim3& i) {
  return "(" + std::to_string(i.x) + ", " + std::to_string(i.y) + ", " + std::to_string(i.z) + ")";
}

/// The order of `count` things in round `round` of a schedule.
class Order {
 public:
  Order(std::size_t count, std::uint32_t schedule, std::uint32_t salt)
      : indices_(count), schedule_(schedule), random_(schedule * 7919 + salt) {
    std::iota(indices_.begin(), indices_.end(), std::size_t{0});
    if (schedule_ == 1) std::reverse(indices_.begin(), indices_.end());
  }
  const std::vector<std::size_t>& next() {
    if (schedule_ > 1) std::shuffle(indices_.begin(), indices_.end(), random_);
    return indices_;
  }

 private:
  std::vector<std::size_t> indices_;
  std::uint32_t schedule_;
  std::minstd_rand random_;
};

std::atomic<std::uint32_t> schedule = 0;

/// The block that runs on this thread. Fibers are kept from block to block.
class Block {
 public:
  void run(Dim3 index, Dim3 extent, std::size_t dynamic_shared_bytes, const std::function<void()>& kernel);
  void barrier(Location where);
  std::uint64_t exchange(WarpOperation operation, unsigned mask, std::uint64_t value, int source,
                         Location where);
  int lane() const { return static_cast<int>(running_->number % kWarp); }
  void* shared(std::size_t bytes, Location where);
  void* dynamic_shared() { return dynamic_.bytes.get(); }

 private:
  void start(Dim3 extent);
  void run_kernel();
  void resume(Thread& thread);
  void wait(State state, Location where);
  bool release_barrier();
  void finish_exchange(std::size_t first_lane);
  [[noreturn]] void fail_thread(const std::string& why) const;
  std::string all_threads() const;

  std::vector<Thread> threads_;
  std::deque<Fiber> fibers_;
  Thread* running_ = nullptr;
  const std::function<void()>* kernel_ = nullptr;
  std::vector<SharedArray> shared_;
  std::size_t shared_bytes_ = 0;
  SharedArray dynamic_;
  std::optional<std::string> failure_;
};

thread_local std::optional<Block> block_here;

void Block::start(Dim3 extent) {
  const std::size_t count = std::size_t{extent.x} * extent.y * extent.z;
  threads_.assign(count, Thread());
  for (unsigned i = 0; i < count; ++i) {
    threads_[i].number = i;
    threads_[i].index = {i % extent.x, i / extent.x % extent.y, i / extent.x / extent.y};
  }
  while (fibers_.size() < count) fibers_.emplace_back([this] { run_kernel(); });
  shared_.clear();
  shared_bytes_ = 0;
}

void Block::run(Dim3 index, Dim3 extent, std::size_t dynamic_shared_bytes,
                const std::function<void()>& kernel) {
  start(extent);
  kernel_ = &kernel;
  dynamic_ = SharedArray(dynamic_shared_bytes, {});
  blockIdx = index;
  Order order(threads_.size(), schedule, index.x + 31 * index.y + 961 * index.z);
  for (bool going = true; going;) {
    bool any_ran = false;
    for (const std::size_t i : order.next()) {
      if (threads_[i].state != State::Ready) continue;
      resume(threads_[i]);
      any_ran = true;
      if (failure_) throw EmulationError("block " + coordinates(index) + ": " + *failure_ + all_threads());
    }
    going = any_ran || release_barrier();
  }
  const bool ended = std::ranges::all_of(threads_, [](const Thread& t) { return t.state == State::Exited; });
  if (!ended) {
    throw EmulationError("block " + coordinates(index) + ": threads wait for each other" + all_threads());
  }
}

/// What a fiber does; a thread that fails ends, so that nothing on its stack is lost.
void Block::run_kernel() {
  try {
    (*kernel_)();
  } catch (const EmulationError& error) {
    failure_ = error.what();
  }
}

void Block::resume(Thread& thread) {
  running_ = &thread;
  threadIdx = thread.index;
  if (fibers_[thread.number].resume()) thread.state = State::Exited;
}

void Block::wait(State state, Location where) {
  running_->state = state;
  running_->where = where;
  fibers_[running_->number].suspend();
}

/// Lets the threads go on that wait at one barrier, if all do that have not exited.
bool Block::release_barrier() {
  const Thread* first = nullptr;
  for (const Thread& thread : threads_) {
    if (thread.state == State::Exited) continue;
    if (thread.state != State::AtBarrier) return false;
    if (first == nullptr) first = &thread;
    if (!same(thread.where, first->where)) return false;
  }
  for (Thread& thread : threads_) {
    if (thread.state == State::AtBarrier) thread.state = State::Ready;
  }
  return first != nullptr;
}

void Block::barrier(Location where) {
  wait(State::AtBarrier, where);
}

std::uint64_t Block::exchange(WarpOperation operation, unsigned mask, std::uint64_t value, int source,
                              Location where) {
  Thread& self = *running_;
  const std::size_t first_lane = self.number / kWarp * kWarp;
  self.operation = operation;
  self.mask = mask;
  self.value = value;
  self.source = source;
  self.where = where;
  if ((mask >> lane() & 1U) == 0) fail_thread("a lane is missing in its own mask");
  bool complete = true;
  for (unsigned i = 0; i < kWarp; ++i) {
    if ((mask >> i & 1U) == 0) continue;
    const std::size_t number = first_lane + i;
    if (number >= threads_.size()) fail_thread("the mask names a lane that the block does not have");
    const Thread& other = threads_[number];
    if (other.state == State::Exited) fail_thread("the mask names a lane that has exited");
    complete &= &other == &self || (other.state == State::InWarp && other.operation == operation &&
                                    other.mask == mask && same(other.where, where));
  }
  if (complete) {
    finish_exchange(first_lane);
  } else {
    wait(State::InWarp, where);
  }
  return self.result;
}

/// The last lane of the mask has come: the results of all, who may then go on.
void Block::finish_exchange(std::size_t first_lane) {
  const unsigned mask = running_->mask;
  std::uint64_t ballot = 0;
  for (unsigned i = 0; i < kWarp; ++i) {
    if ((mask >> i & 1U) != 0 && threads_[first_lane + i].value != 0) ballot |= std::uint64_t{1} << i;
  }
  for (unsigned i = 0; i < kWarp; ++i) {
    if ((mask >> i & 1U) == 0) continue;
    Thread& thread = threads_[first_lane + i];
    thread.state = State::Ready;
    if (thread.operation == WarpOperation::Ballot) thread.result = ballot;
    if (thread.operation != WarpOperation::Shuffle) continue;
    if (thread.source < 0 || thread.source >= static_cast<int>(kWarp) || (mask >> thread.source & 1U) == 0) {
      fail_thread("a shuffle reads lane " + std::to_string(thread.source) + ", which the mask does not name");
    }
    thread.result = threads_[first_lane + static_cast<unsigned>(thread.source)].value;
  }
}

void* Block::shared(std::size_t bytes, Location where) {
  for (const SharedArray& array : shared_) {
    if (same(array.where, where)) return array.bytes.get();
  }
  running_->where = where;
  shared_bytes_ += bytes;
  if (shared_bytes_ > kMaxStaticShared) {
    fail_thread(std::to_string(shared_bytes_) + " bytes of static shared memory, of at most " +
                std::to_string(kMaxStaticShared));
  }
  return shared_.emplace_back(bytes, where).bytes.get();
}

void Block::fail_thread(const std::string& why) const {
  throw EmulationError("thread " + coordinates(running_->index) + ", " + line_of(running_->where) + ": " +
                       why);
}

/// "; threads 0-31: exited; threads 32-63: at __syncthreads, x.cu:7"
std::string Block::all_threads() const {
  std::string text;
  for (std::size_t begin = 0; begin < threads_.size();) {
    const std::string what = describe(threads_[begin]);
    std::size_t end = begin + 1;
    while (end < threads_.size() && describe(threads_[end]) == what) ++end;
    text += "; threads " + std::to_string(begin) + "-" + std::to_string(end - 1) + ": " + what;
    begin = end;
  }
  return text;
}

}  // namespace

void set_schedule(std::uint32_t wanted) {
  schedule = wanted;
}

void run_grid(Dim3 grid, Dim3 block, std::size_t dynamic_shared_bytes, const std::function<void()>& kernel) {
  if (std::size_t{block.x} * block.y * block.z > kMaxThreads || dynamic_shared_bytes > kMaxShared) {
    throw EmulationError("blocks of " + coordinates(block) + " threads with " +
                         std::to_string(dynamic_shared_bytes) +
                         " bytes of shared memory: a block has at most " + std::to_string(kMaxThreads) +
                         " threads and " + std::to_string(kMaxShared) + " bytes");
  }
  gridDim = grid;
  blockDim = block;
  if (!block_here) block_here.emplace();
  Order order(std::size_t{grid.x} * grid.y * grid.z, schedule, 0);
  for (const std::size_t i : order.next()) {
    const auto number = static_cast<unsigned>(i);
    try {
      block_here->run({number % grid.x, number / grid.x % grid.y, number / grid.x / grid.y}, block,
                      dynamic_shared_bytes, kernel);
    } catch (...) {
      block_here.reset();  // its fibers stand in the middle of the kernel
      throw;
    }
  }
}

void block_barrier(Location where) {
  block_here->barrier(where);
}
std::uint64_t warp_exchange(WarpOperation operation, unsigned mask, std::uint64_t value, int source,
                            Location where) {
  return block_here->exchange(operation, mask, value, source, where);
}
int lane_id() {
  return block_here->lane();
}
void* shared_array(std::size_t bytes, Location where) {
  return block_here->shared(bytes, where);
}
void* dynamic_shared_array() {
  return block_here->dynamic_shared();
}

}  // namespace tandem::emulation
