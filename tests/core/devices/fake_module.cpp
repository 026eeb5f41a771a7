// A CUDA module with two devices that do nothing.
#include <array>
#include <cstdio>

#include "kernels/base/device.h"

namespace {

class FakeDevice final : public tandem::Device {
 public:
  explicit FakeDevice(int index) : m_info{"cuda:" + std::to_string(index), "Card", 1000, 10} {}
  const tandem::DeviceInfo& info() const override { return m_info; }
  std::int64_t free_bytes() const override { return 600; }
  void reserve(std::int64_t /*bytes*/) override {}
  void* allocate(std::int64_t /*bytes*/) override { throw tandem::DeviceMemoryError("full"); }
  void release(void* /*memory*/) override {}
  std::unique_ptr<tandem::DeviceQueue> make_queue() override { return nullptr; }

 private:
  tandem::DeviceInfo m_info;
};

}  // namespace

extern "C" tandem::Device* tandem_cuda_module(int interface_version, int index, char* why, std::size_t size) {
  static std::array<FakeDevice, 2> devices = {FakeDevice(0), FakeDevice(1)};
  const bool there = interface_version == tandem::kDeviceInterface && index < 2;
#ifdef FAKE_MODULE_REFUSES
  std::snprintf(why, size, "no driver for %d", there ? 1 : 0);
  return nullptr;
#else
  if (size > 0) *why = 0;
  return there ? &devices[static_cast<std::size_t>(index)] : nullptr;
#endif
}
