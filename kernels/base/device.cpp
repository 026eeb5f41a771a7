#include "kernels/base/device.h"

#include <cstdlib>
#include <new>

namespace tandem {

Memory::Memory(Device* device, std::int64_t bytes) {
  if (device != nullptr) {
    data_ = {device->allocate(bytes), ReleaseMemory{device}};
    return;
  }
  constexpr std::size_t kAlignment = 64;  // a cache line and an AVX-512 register
  const auto size = static_cast<std::size_t>(bytes) / kAlignment * kAlignment + kAlignment;
  data_.reset(std::aligned_alloc(kAlignment, size));
  if (!data_) throw std::bad_alloc();
}

void ReleaseMemory::operator()(void* memory) const {
  if (device != nullptr) {
    device->release(memory);
  } else {
    std::free(memory);
  }
}

}  // namespace tandem
