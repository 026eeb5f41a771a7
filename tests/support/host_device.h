// A device for tests whose ops are the CPU's. Its memory is apart from the host's, filled with NaN; locked,
// the host can only touch it while an op runs: code that reads or writes it by itself ends the process.
#pragma once

#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include <sys/mman.h>

#include "kernels/base/check.h"
#include "kernels/emulation/host_queue.h"

namespace tandem::test {

class HostDevice final : public Device {
 public:
  /// Locking costs some microseconds a block and op: for tests of few steps.
  explicit HostDevice(bool locked, DeviceInfo info = {"host", "a device for tests", 0, 1 << 20})
      : locked_(locked), info_(std::move(info)) {}

  const DeviceInfo& info() const override { return info_; }
  std::int64_t free_bytes() const override { return 0; }
  void reserve(std::int64_t /*bytes*/) override {}

  void* allocate(std::int64_t bytes) override {
    const std::size_t size = static_cast<std::size_t>(bytes) + 1;
    void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    TANDEM_CHECK(memory != MAP_FAILED, "mmap");
    std::memset(memory, 0xFF, size);
    const std::lock_guard lock(mutex_);
    sizes_[memory] = size;
    if (locked_ && users_ == 0) mprotect(memory, size, PROT_NONE);
    return memory;
  }
  void release(void* memory) override {
    const std::lock_guard lock(mutex_);
    munmap(memory, sizes_.at(memory));
    sizes_.erase(memory);
  }
  std::unique_ptr<DeviceQueue> make_queue() override { return std::make_unique<Queue>(*this); }

 private:
  class Queue final : public emulation::HostQueue {
   public:
    explicit Queue(HostDevice& device) : device_(device) {}
    void copy_in(void* to, const void* from, std::int64_t bytes) override {
      run([&] { HostQueue::copy_in(to, from, bytes); });
    }
    void copy_out(void* to, const void* from, std::int64_t bytes) override {
      run([&] { HostQueue::copy_out(to, from, bytes); });
    }

   protected:
    void run(const std::function<void()>& work) override {
      device_.open(+1);
      work();
      device_.open(-1);
    }

   private:
    HostDevice& device_;
  };

  void open(int change) {
    if (!locked_) return;
    const std::lock_guard lock(mutex_);
    const bool before = users_ > 0;
    users_ += change;
    if ((users_ > 0) == before) return;
    for (const auto& [memory, size] : sizes_)
      mprotect(memory, size, users_ > 0 ? PROT_READ | PROT_WRITE : PROT_NONE);
  }

  bool locked_;
  DeviceInfo info_;
  std::mutex mutex_;
  std::map<void*, std::size_t> sizes_;
  int users_ = 0;  // ops running at this moment
};

}  // namespace tandem::test
