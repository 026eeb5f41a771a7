// What models can be loaded onto: the CPU, and the GPUs that the CUDA module finds when it is opened at run
// time, so that the programs need neither toolkit nor driver.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "kernels/base/device.h"

namespace tandem {

struct DeviceEntry {
  std::string id;                 // "cpu", "cuda:0"
  std::string name;               // the processor's or the card's
  std::int64_t memory_bytes = 0;  // 0: unknown
  Device* device = nullptr;       // null: the CPU
};

struct DeviceList {
  std::vector<DeviceEntry> present;  // the CPU first
  std::string no_cuda;               // why there is no GPU among them, without a full stop; else empty
};

/// Opens the module at `path` and asks it for its devices.
DeviceList find_devices(const std::string& module_path);

/// The devices of this machine, looked for once: with the module that TANDEM_CUDA_MODULE names, or else
/// libtandem-cuda.so beside the program or in ../lib/tandem. Thread-safe.
const DeviceList& devices();

/// @param id "cpu", "cuda" for the first GPU, "cuda:N", or "auto" for the first GPU if there is one, else the
/// CPU.
/// @return null for the CPU. Errors: NotFound, saying why or which there are.
Result<Device*> find_device(const std::string& id, const DeviceList& among = devices());

/// What a run on it is said to have been measured on: "AMD EPYC 7763, 2 threads", "NVIDIA H100 (cuda:0)".
std::string device_name(const Device* device, int threads);

}  // namespace tandem
