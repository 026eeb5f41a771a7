#include "kernels/base/context.h"

#include <algorithm>

namespace tandem {
namespace {
constexpr std::int64_t kAlignFloats = 16;  // 64 bytes: a cache line and an AVX-512 register
constexpr std::int64_t kMinBlockFloats = 1 << 18;
}  // namespace

Context::Context(int threads, Device* device)
    : device_(device),
      queue_(device != nullptr ? device->make_queue() : nullptr),
      pool_(std::make_unique<ThreadPool>(device != nullptr ? 1 : threads)) {
  for (int i = 0; pool_->threads() > 1 && i < threads; ++i) workers_.push_back(std::make_unique<Context>(1));
}

Context& Context::worker(int index) {
  if (workers_.empty()) return *this;
  return *workers_[static_cast<std::size_t>(index)];
}

float* Context::scratch(std::int64_t count) {
  const std::int64_t rounded = (count + kAlignFloats - 1) / kAlignFloats * kAlignFloats;
  while (block_ < blocks_.size() && used_ + rounded > blocks_[block_].size) {
    ++block_;
    used_ = 0;
  }
  if (block_ == blocks_.size()) {
    const std::int64_t size = std::max(rounded, kMinBlockFloats);
    blocks_.push_back({Memory(device_, size * static_cast<std::int64_t>(sizeof(float))), size});
    used_ = 0;
  }
  float* result = static_cast<float*>(blocks_[block_].memory.get()) + used_;
  used_ += rounded;
  return result;
}

}  // namespace tandem
