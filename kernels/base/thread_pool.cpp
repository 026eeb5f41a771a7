#include "kernels/base/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <chrono>
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
    while (!stop.load()) {
      const auto changed = [&] { return generation.load() != seen || stop.load(); };
      if (!spin_until(changed)) generation.wait(seen);
      if (stop.load()) return;
      const std::uint32_t now = generation.load();
      if (now % 2 == 1) {
        inside.fetch_add(1);
        if (generation.load() == now) run_chunks();
        if (inside.fetch_sub(1) == 1) inside.notify_one();
      }
      seen = now;
    }
  }
};

ThreadPool::ThreadPool(int threads) : state_(std::make_unique<State>()) {
  for (int i = 1; i < threads; ++i) state_->workers.emplace_back([state = state_.get()] { state->work(); });
}

ThreadPool::~ThreadPool() {
  state_->stop = true;
  state_->generation.fetch_add(2);
  state_->generation.notify_all();
  for (auto& worker : state_->workers) worker.join();
}

int ThreadPool::threads() const {
  return static_cast<int>(state_->workers.size()) + 1;
}

void ThreadPool::parallel_for(std::int64_t count, std::int64_t grain,
                              const std::function<void(std::int64_t, std::int64_t)>& body) {
  if (count <= 0) return;
  grain = std::max<std::int64_t>(grain, 1);
  if (state_->workers.empty() || count <= grain) {
    for (std::int64_t begin = 0; begin < count; begin += grain) body(begin, std::min(begin + grain, count));
    return;
  }
  State& s = *state_;
  s.count = count;
  s.grain = grain;
  s.body = &body;
  s.next = 0;
  s.generation.fetch_add(1);  // opens the loop
  s.generation.notify_all();
  s.run_chunks();
  s.generation.fetch_add(1);  // closes it: a late worker sees the change and stays out
  const auto empty = [&] { return s.inside.load() == 0; };
  if (!spin_until(empty)) {
    for (std::int32_t left = s.inside.load(); left != 0; left = s.inside.load()) s.inside.wait(left);
  }
}

}  // namespace tandem
