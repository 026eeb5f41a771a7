// A stack of its own that runs until it suspends itself and goes on where it stopped: one per emulated CUDA
// thread.
#pragma once

#include <csetjmp>
#include <cstddef>
#include <new>
#include <utility>

#include <sys/mman.h>
#include <ucontext.h>

#include "kernels/base/check.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__  // as GCC says it
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#else
inline void __sanitizer_start_switch_fiber(void**, const void*, std::size_t) {}
inline void __sanitizer_finish_switch_fiber(void*, const void**, std::size_t*) {}
inline void __asan_unpoison_memory_region(const volatile void*, std::size_t) {}
#endif

namespace tandem::emulation {

/// Confined to the thread that made it. Runs `body` again and again, once per resume() that finds it at the
/// beginning. A fiber destroyed while suspended just loses its stack: no destructor of what lies on it runs.
class Fiber {
 public:
  explicit Fiber(void (*body)()) : body_(body) {
    void* memory = mmap(nullptr, kGuardBytes + kStackBytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    TANDEM_CHECK(mprotect(memory, kGuardBytes, PROT_NONE) == 0, "no guard page");
    stack_ = static_cast<std::byte*>(memory) + kGuardBytes;
  }
  ~Fiber() {
    __asan_unpoison_memory_region(stack_, kStackBytes);
    munmap(stack_ - kGuardBytes, kGuardBytes + kStackBytes);
  }
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  /// Runs the fiber until it suspends or its body ends; true if the body ended. A ucontext only enters the
  /// stack; from then on setjmp and longjmp switch, which need no system call.
  bool resume() {
    void* fake_stack = nullptr;
    __sanitizer_start_switch_fiber(&fake_stack, stack_, kStackBytes);
    if (_setjmp(outside_) == 0) {
      if (entered_) _longjmp(inside_, 1);
      enter();
    }
    __sanitizer_finish_switch_fiber(fake_stack, nullptr, nullptr);
    return std::exchange(ended_, false);
  }
  /// Called by a body: back to the resume() that runs it.
  void suspend() {
    __sanitizer_start_switch_fiber(&fake_stack_, outside_stack_, outside_size_);
    if (_setjmp(inside_) == 0) _longjmp(outside_, 1);
    __sanitizer_finish_switch_fiber(fake_stack_, &outside_stack_, &outside_size_);
  }

 private:
  static constexpr std::size_t kGuardBytes = 4096;
  static constexpr std::size_t kStackBytes = 64 * 1024;

  void enter() {
    entered_ = true;
    entering = this;
    getcontext(&context_);
    context_.uc_stack.ss_sp = stack_;
    context_.uc_stack.ss_size = kStackBytes;
    context_.uc_link = nullptr;
    makecontext(&context_, &Fiber::main, 0);
    setcontext(&context_);
  }
  static void main() {
    Fiber& self = *entering;
    __sanitizer_finish_switch_fiber(nullptr, &self.outside_stack_, &self.outside_size_);
    for (;;) {
      self.body_();
      self.ended_ = true;
      self.suspend();
    }
  }

  static inline thread_local Fiber* entering = nullptr;  // makecontext passes no pointers
  void (*body_)();
  std::byte* stack_ = nullptr;  // above a guard page
  bool entered_ = false, ended_ = false;
  ucontext_t context_;  // no local of enter(), which never returns: its place would stay poisoned
  std::jmp_buf inside_, outside_;
  void* fake_stack_ = nullptr;  // what the address sanitizer must know of both stacks
  const void* outside_stack_ = nullptr;
  std::size_t outside_size_ = 0;
};

}  // namespace tandem::emulation
