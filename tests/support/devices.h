// Where tests of models run: on the CPU, and on a device.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <QTest>

#include "core/tensor/tensor.h"
#include "tests/support/cuda_device.h"
#ifdef TANDEM_CUDA_EMULATED
#include "tests/support/host_device.h"
#endif

namespace tandem::test {

/// Names and devices; the CPU, which comes first, is none. With a GPU at hand it is one of them; its
/// emulation is slow: for tests of few tokens (TANDEM_TEST_EMULATED).
inline const std::vector<std::pair<const char*, Device*>>& devices() {
  static const auto all = [] {
    std::vector<std::pair<const char*, Device*>> found = {{"CPU", nullptr}};
#ifdef TANDEM_CUDA_EMULATED
#ifdef TANDEM_TEST_EMULATED
    static HostDevice host(/*locked=*/true);
    found.emplace_back("device", &host);
    found.emplace_back("emulated GPU", cuda_device());
#else
    static HostDevice host(/*locked=*/false);
    found.emplace_back("device", &host);
#endif
#elif defined(TANDEM_HAS_CUDA)
    if (Device* gpu = cuda_device()) found.emplace_back("GPU", gpu);
#endif
    return found;
  }();
  return all;
}

inline Device* device_of(const QString& name) {
  for (const auto& [known, device] : devices())
    if (name == known) return device;
  qFatal("no device %s", qPrintable(name));
}

/// Memory for results where a context computes.
inline Tensor results(Context& context, Shape shape) {
  return Tensor::uninitialized(shape, DType::F32, context.device());
}

/// A copy on the host of contiguous values where a context computes.
inline Tensor on_host(Context& context, TensorView values) {
  Tensor copy(values.shape());
  if (context.queue() != nullptr) {
    context.queue()->copy_out(copy.data(), values.data(), copy.bytes());
  } else {
    std::copy_n(values.f32(), values.elements(), copy.f32());
  }
  return copy;
}

}  // namespace tandem::test
