// What every op needs beside its operands: where to run, on how many threads, and scratch memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "kernels/base/tensor_view.h"
#include "kernels/base/thread_pool.h"

namespace tandem {

/// Confined to the thread that runs ops with it.
class Context {
 public:
  explicit Context(int threads = 1);

  ThreadPool& pool() { return *pool_; }
  int threads() const { return pool_->threads(); }

  /// A one-thread context of its own for chunk `index` of a parallel_for whose chunks run whole ops; index < threads().
  Context& worker(int index);

  /// Scratch floats, 64-byte aligned, uninitialised, valid until the enclosing ScratchScope ends.
  float* scratch(std::int64_t count);
  TensorView scratch_tensor(Shape shape) { return {scratch(shape.elements()), shape}; }

 private:
  friend class ScratchScope;
  struct FreeDeleter {
    void operator()(float* pointer) const;
  };
  struct Block {
    std::unique_ptr<float, FreeDeleter> data;
    std::int64_t size = 0;
  };
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
