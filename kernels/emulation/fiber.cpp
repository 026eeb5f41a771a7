#include "kernels/emulation/fiber.h"

#include <cerrno>
#include <new>
#include <string>
#include <utility>

#include <sys/mman.h>

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
namespace {
void __sanitizer_start_switch_fiber(void**, const void*, std::size_t) {}
void __sanitizer_finish_switch_fiber(void*, const void**, std::size_t*) {}
void __asan_unpoison_memory_region(const volatile void*, std::size_t) {}
}  // namespace
#endif

namespace tandem::emulation {
namespace {

constexpr std::size_t kGuardBytes = 4096;
constexpr std::size_t kStackBytes = 64 * 1024;

thread_local Fiber* entering = nullptr;  // makecontext passes no pointers

}  // namespace

Fiber::Fiber(std::function<void()> body) : body_(std::move(body)) {
  void* memory = mmap(nullptr, kGuardBytes + kStackBytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  memory_ = static_cast<std::byte*>(memory);
  TANDEM_CHECK(mprotect(memory_, kGuardBytes, PROT_NONE) == 0, "no guard page: " + std::to_string(errno));
}

Fiber::~Fiber() {
  __asan_unpoison_memory_region(memory_ + kGuardBytes, kStackBytes);
  munmap(memory_, kGuardBytes + kStackBytes);
}

// A ucontext only enters the stack; from then on setjmp and longjmp switch, which need no system call.
bool Fiber::resume() {
  void* fake_stack = nullptr;
  __sanitizer_start_switch_fiber(&fake_stack, memory_ + kGuardBytes, kStackBytes);
  if (_setjmp(outside_) == 0) {
    if (entered_) _longjmp(inside_, 1);
    enter();
  }
  __sanitizer_finish_switch_fiber(fake_stack, nullptr, nullptr);
  return std::exchange(ended_, false);
}

void Fiber::suspend() {
  __sanitizer_start_switch_fiber(&fake_stack_, outside_stack_, outside_size_);
  if (_setjmp(inside_) == 0) _longjmp(outside_, 1);
  __sanitizer_finish_switch_fiber(fake_stack_, &outside_stack_, &outside_size_);
}

void Fiber::enter() {
  entered_ = true;
  entering = this;
  getcontext(&context_);
  context_.uc_stack.ss_sp = memory_ + kGuardBytes;
  context_.uc_stack.ss_size = kStackBytes;
  context_.uc_link = nullptr;
  makecontext(&context_, &Fiber::main, 0);
  setcontext(&context_);
}

void Fiber::main() {
  Fiber& self = *entering;
  __sanitizer_finish_switch_fiber(nullptr, &self.outside_stack_, &self.outside_size_);
  for (;;) {
    self.body_();
    self.ended_ = true;
    self.suspend();
  }
}

}  // namespace tandem::emulation
