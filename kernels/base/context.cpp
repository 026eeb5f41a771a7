#include "kernels/base/context.h"

#include <algorithm>
#include <cstdlib>
#include <new>

namespace tandem {
namespace {
constexpr std::int64_t kAlignFloats = 16;  // 64 bytes: a cache line and an AVX-512 register
constexpr std::int64_t kMinBlockFloats = 1 << 18;
}  // namespace

Context::Context(int threads) : pool_(std::make_unique<ThreadPool>(threads)) {
  for (int i = 0; threads > 1 && i < threads; ++i) workers_.push_back(std::make_unique<Context>(1));
}

Context& Context::worker(int index) {
  if (workers_.empty()) return *this;
  return *workers_[static_cast<std::size_t>(index)];
}

void Context::FreeDeleter::operator()(float* pointer) const {
  std::free(pointer);
}

float* Context::scratch(std::int64_t count) {
  const std::int64_t rounded = (count + kAlignFloats - 1) / kAlignFloats * kAlignFloats;
  while (block_ < blocks_.size() && used_ + rounded > blocks_[block_].size) {
    ++block_;
    used_ = 0;
  }
  if (block_ == blocks_.size()) {
    Block block;
    block.size = std::max(rounded, kMinBlockFloats);
    void* memory = std::aligned_alloc(64, static_cast<std::size_t>(block.size) * sizeof(float));
    if (memory == nullptr) throw std::bad_alloc();
    block.data.reset(static_cast<float*>(memory));
    blocks_.push_back(std::move(block));
    used_ = 0;
  }
  float* result = blocks_[block_].data.get() + used_;
  used_ += rounded;
  return result;
}

}  // namespace tandem
