// An NVIDIA GPU as a Device: what libtandem-cuda.so gives to the program.
#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <vector>

#include "kernels/base/device.h"

namespace tandem::cuda {

/// Memory given back is kept for the next that wants as much: caches come and go with every prompt, and
/// asking the driver takes longer than many a step.
class CudaDevice final : public Device {
 public:
  /// Of the GPU `index` as the driver counts them.
  explicit CudaDevice(int index);
  ~CudaDevice() override;
  CudaDevice(const CudaDevice&) = delete;
  CudaDevice& operator=(const CudaDevice&) = delete;

  const DeviceInfo& info() const override { return info_; }
  std::int64_t free_bytes() const override;
  void reserve(std::int64_t bytes) override;
  void* allocate(std::int64_t bytes) override;
  void release(void* memory) override;
  std::unique_ptr<DeviceQueue> make_queue() override;

 private:
  /// One piece of memory that many allocations share, one after the other.
  struct Arena {
    char* memory = nullptr;
    std::int64_t bytes = 0;
    std::int64_t taken = 0;
    int users = 0;
  };

  /// Of whole granules; the lock is held.
  void* take(std::int64_t size);
  void give_back(void* memory);
  void free_kept();

  int index_;
  DeviceInfo info_;
  mutable std::mutex mutex_;
  std::map<void*, std::int64_t> used_;
  std::multimap<std::int64_t, void*> kept_;  // by size
  std::int64_t kept_bytes_ = 0;
  std::vector<Arena> arenas_;
};

/// @param interface_version kDeviceInterface of who asks.
/// @param why [why_size] receives a sentence without its full stop; nothing when there are no more than
/// `index` GPUs.
/// @return null when there is none, or it cannot be used; else lives as long as the program.
Device* open_device(int interface_version, int index, char* why, std::size_t why_size);

}  // namespace tandem::cuda
