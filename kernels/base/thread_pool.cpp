#include "kernels/base/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace tandem {
namespace {

void relax() {
#if defined(__x86_64__)
  _mm_pause();
#endif
}

// Long enough to bridge the gap between two ops of a decode step, short enough not to heat an idle machine.
constexpr auto kSpin = std::chrono::microseconds(50);

template <typename Done>
bool spin_until(Done done) {
  const auto deadline = std::chrono::steady_clock::now() + kSpin;
  do {
    for (int i = 0; i < 64; ++i) {
      if (done()) return true;
      relax();
    }
  } while (std::chrono::steady_clock::now() < deadline);
  return done();
}

// Sleeps until a condition on atomics holds, and wakes those who sleep. Whoever makes the condition true
// calls wake() afterwards, which costs one load while nobody sleeps. (std::atomic::wait yields the core
// several times before it sleeps; beside busy processes each yield can cost a time slice.)
class Doze {
 public:
  template <typename Done>
  void until(Done done) {
    if (spin_until(done)) return;
    std::unique_lock lock(mutex_);
    ++sleepers_;
    changed_.wait(lock, done);
    --sleepers_;
  }
  void wake() {
    if (sleepers_ == 0) return;
    { const std::lock_guard lock(mutex_); }  // a sleeper has either not looked yet, or waits already
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::atomic<int> sleepers_{0};
};

}  // namespace

// One loop is one generation. A worker enters a loop by counting itself in `inside` and re-reading the
// generation, so the caller can tell, once all chunks are claimed and `inside` is 0, that nobody still
// touches `body`.
struct ThreadPool::State {
  std::vector<std::thread> workers;
  std::atomic<std::uint32_t> generation{0};  // odd while a loop is open
  std::atomic<std::int32_t> inside{0};
  std::atomic<std::int64_t> next{0};
  std::atomic<bool> stop{false};
  Doze idle;    // workers, until a loop opens
  Doze ending;  // the caller, until the last worker has left
  std::int64_t count = 0;
  std::int64_t grain = 1;
  const std::function<void(std::int64_t, std::int64_t)>* body = nullptr;

  void run_chunks() {
    for (;;) {
      const std::int64_t begin = next.fetch_add(grain);
      if (begin >= count) return;
      (*body)(begin, std::min(begin + grain, count));
    }
  }

  void work() {
    std::uint32_t seen = 0;
    for (;;) {
      idle.until([&] { return generation != seen || stop; });
      if (stop) return;
      seen = generation;
      if (seen % 2 == 0) continue;
      ++inside;
      if (generation == seen) run_chunks();
      if (--inside == 0) ending.wake();
    }
  }
};

ThreadPool::ThreadPool(int threads) : state_(std::make_unique<State>()) {
  for (int i = 1; i < threads; ++i) state_->workers.emplace_back([state = state_.get()] { state->work(); });
}

ThreadPool::~ThreadPool() {
  state_->stop = true;
  state_->idle.wake();
  for (auto& worker : state_->workers) worker.join();
}

int ThreadPool::threads() const {
  return static_cast<int>(state_->workers.size()) + 1;
}

void ThreadPool::parallel_for(std::int64_t count, std::int64_t grain,
                              const std::function<void(std::int64_t, std::int64_t)>& body) {
  if (count <= 0) return;
  grain = std::max<std::int64_t>(grain, 1);
  State& s = *state_;
  if (s.workers.empty() || count <= grain) {
    for (std::int64_t begin = 0; begin < count; begin += grain) body(begin, std::min(begin + grain, count));
    return;
  }
  s.count = count;
  s.grain = grain;
  s.body = &body;
  s.next = 0;
  ++s.generation;  // opens the loop
  s.idle.wake();
  s.run_chunks();
  ++s.generation;  // closes it: a late worker sees the change and stays out
  s.ending.until([&] { return s.inside == 0; });
}

}  // namespace tandem
