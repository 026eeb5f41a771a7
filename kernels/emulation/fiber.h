// A stack of its own that runs until it suspends itself and goes on where it stopped: one per emulated CUDA
// thread.
#pragma once

#include <csetjmp>
#include <cstddef>
#include <functional>

#include <ucontext.h>

namespace tandem::emulation {

/// Confined to the thread that made it. Runs `body` again and again, once per resume() that finds it at the
/// beginning. A fiber destroyed while suspended just loses its stack: no destructor of what lies on it runs.
class Fiber {
 public:
  explicit Fiber(std::function<void()> body);
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  /// Runs the fiber until it suspends or its body ends; true if the body ended.
  bool resume();
  /// Called by a body: back to the resume() that runs it.
  void suspend();

 private:
  void enter();
  static void main();

  std::function<void()> body_;
  std::byte* memory_ = nullptr;  // a guard page, then the stack
  bool entered_ = false;
  bool ended_ = false;
  ucontext_t context_;
  std::jmp_buf inside_;
  std::jmp_buf outside_;
  void* fake_stack_ = nullptr;  // what the address sanitizer must know of both stacks
  const void* outside_stack_ = nullptr;
  std::size_t outside_size_ = 0;
};

}  // namespace tandem::emulation
