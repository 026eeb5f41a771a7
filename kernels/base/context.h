// What every op needs beside its operands: where to run, on how many threads, and scratch memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "kernels/base/device.h"
#include "kernels/base/tensor_view.h"
#include "kernels/base/thread_pool.h"

namespace tandem {

/// Confined to the thread that runs ops with it.
class Context {
 public:
  /// On so many threads of the CPU; or, with a device, on that, where all operands then lie.
  explicit Context(int threads = 1, Device* device = nullptr);

  ThreadPool& pool() { return *pool_; }
  int threads() const { return pool_->threads(); }

  /// Null on the CPU.
  Device* device() const { return device_; }
  DeviceQueue* queue() const { return queue_.get(); }

  /// A one-thread context of its own for chunk `index` of a parallel_for whose chunks run whole ops; index <
  /// threads().
  Context& worker(int index);

  /// Scratch floats, 64-byte aligned, uninitialised, valid until the enclosing ScratchScope ends.
  float* scratch(std::int64_t count);
  TensorView scratch_tensor(Shape shape) { return {scratch(shape.elements()), shape}; }

  /// The host's values where ops can read them: themselves, or a copy in the device's scratch memory.
  template <typename T>
  std::span<const T> place(std::span<const T> values) {
    static_assert(sizeof(T) == sizeof(float));
    if (!queue_ || values.empty()) return values;
    float* placed = scratch(static_cast<std::int64_t>(values.size()));
    queue_->copy_in(placed, values.data(), static_cast<std::int64_t>(values.size_bytes()));
    return {reinterpret_cast<const T*>(placed), values.size()};
  }

 private:
  friend class ScratchScope;
  struct Block {
    Memory memory;
    std::int64_t size = 0;
  };
  Device* device_ = nullptr;
  std::unique_ptr<DeviceQueue> queue_;
  std::unique_ptr<ThreadPool> pool_;
  std::vector<std::unique_ptr<Context>> workers_;
  std::vector<Block> blocks_;
  std::size_t block_ = 0;  // block in use
  std::int64_t used_ = 0;  // floats used in it
};

/// Gives back, at its end, all scratch memory taken since its start. Blocks are kept for reuse.
class ScratchScope {
 public:
  explicit ScratchScope(Context& context) : context_(context), block_(context.block_), used_(context.used_) {}
  ~ScratchScope() {
    context_.block_ = block_;
    context_.used_ = used_;
  }
  ScratchScope(const ScratchScope&) = delete;
  ScratchScope& operator=(const ScratchScope&) = delete;

 private:
  Context& context_;
  std::size_t block_;
  std::int64_t used_;
};

}  // namespace tandem
