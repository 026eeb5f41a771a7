#include "core/devices/devices.h"

#include <array>
#include <cstdlib>
#include <filesystem>

#include <dlfcn.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/base/provenance.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;

constexpr const char* kModule = "libtandem-cuda.so";
constexpr const char* kModuleFunction = "tandem_cuda_module";
/// See open_device() in kernels/cuda/cuda_device.h.
using ModuleFunction = Device* (*)(int interface_version, int index, char* why, std::size_t why_size);

/// Where the module is, or the first place where it would be.
std::string module_path() {
  if (const char* chosen = std::getenv("TANDEM_CUDA_MODULE"); chosen != nullptr && *chosen != '\0')
    return chosen;
  std::error_code error;
  const fs::path folder = fs::read_symlink("/proc/self/exe", error).parent_path();
  const fs::path installed = folder.parent_path() / "lib/tandem" / kModule;
  return fs::exists(installed, error) ? installed.string() : (folder / kModule).string();
}

/// The module stays open: its devices live as long as the program. Null with why when it cannot be used.
ModuleFunction open_module(const std::string& path, std::string& why) {
  std::error_code ignored;
  if (!fs::exists(path, ignored)) {
    why = fmt::format("this build comes without its CUDA module ({})", kModule);
    return nullptr;
  }
  void* module = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (module == nullptr) {
    why = fmt::format("the CUDA module cannot be opened: {}", dlerror());
    return nullptr;
  }
  const auto function = reinterpret_cast<ModuleFunction>(dlsym(module, kModuleFunction));
  if (function == nullptr) why = fmt::format("{} is no CUDA module of Tandem", path);
  return function;
}

}  // namespace

DeviceList find_devices(const std::string& module_path) {
  DeviceList list;
  list.present.push_back({"cpu", processor_name(), 0, nullptr});
  const ModuleFunction device = open_module(module_path, list.no_cuda);
  if (device == nullptr) return list;
  for (int index = 0;; ++index) {
    std::array<char, 512> why{};
    Device* found = device(kDeviceInterface, index, why.data(), why.size());
    if (found == nullptr) {
      if (list.present.size() == 1) list.no_cuda = why.data();
      return list;
    }
    list.present.push_back({found->info().id, found->info().name, found->info().memory_bytes, found});
  }
}

const DeviceList& devices() {
  static const DeviceList list = find_devices(module_path());
  return list;
}

Result<Device*> find_device(const std::string& id, const DeviceList& among) {
  if (id == "auto") return among.present.size() > 1 ? among.present[1].device : nullptr;
  const std::string wanted = id == "cuda" ? "cuda:0" : id;
  std::vector<std::string> ids;
  for (const DeviceEntry& entry : among.present) {
    if (entry.id == wanted) return entry.device;
    ids.push_back(entry.id);
  }
  if (wanted.starts_with("cuda:") && !among.no_cuda.empty())
    return Error{ErrorCode::NotFound, fmt::format("there is no device {}: {}", id, among.no_cuda)};
  return Error{ErrorCode::NotFound,
               fmt::format("there is no device {}, there are {}", id, fmt::join(ids, ", "))};
}

std::string device_name(const Device* device, int threads) {
  if (device == nullptr) return device_name(threads);
  return fmt::format("{} ({})", device->info().name, device->info().id);
}

}  // namespace tandem
