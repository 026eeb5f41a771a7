// The GPU that tests run on beside the CPU, which may be emulated, where the build has one.
#pragma once

#include <array>

#include <QtGlobal>

#include "kernels/base/device.h"
#ifdef TANDEM_HAS_CUDA
#include "kernels/cuda/cuda_device.h"
#endif

namespace tandem::test {

#ifdef TANDEM_HAS_CUDA
/// The first GPU; null, and a warning that says why, if there is none.
inline Device* cuda_device() {
  static Device* const device = [] {
    std::array<char, 256> why{};
    Device* found = cuda::open_device(kDeviceInterface, 0, why.data(), why.size());
    if (found == nullptr) qWarning("nothing is tested on a GPU: %s", why.data());
    return found;
  }();
  return device;
}
#endif

}  // namespace tandem::test
