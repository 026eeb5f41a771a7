// The one pool of compute threads. Fork-join loops whose chunks are claimed one by one, so that a thread that
// another program pushed off its core delays only the chunk in its hands; idle threads spin briefly, then
// sleep.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

namespace tandem {

/// Confined: one thread calls parallel_for at a time. The calling thread works too, so `threads` = 1 starts
/// none.
class ThreadPool {
 public:
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const;

  /// Calls body(begin, end) on disjoint ranges of at most `grain` that cover [0, count); returns when all are
  /// done. The body must not throw and must not call parallel_for of the same pool.
  void parallel_for(std::int64_t count, std::int64_t grain,
                    const std::function<void(std::int64_t begin, std::int64_t end)>& body);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tandem
