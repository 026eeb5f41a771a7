#include "kernels/cuda/cuda_device.h"

#include <algorithm>
#include <cstdio>
#include <exception>
#include <functional>
#include <string>
#include <utility>

#include "kernels/cuda/cuda_queue.h"
#include "kernels/cuda/launch.h"

namespace tandem::cuda {
namespace {

constexpr std::int64_t kGranule = 256;   // bytes
constexpr int kOldestArchitecture = 80;  // of the code in this module: compute capability 8.0
#ifdef TANDEM_CUDA_EMULATED
constexpr bool kKeepsMemory = false;  // so that an address sanitizer sees what is used too late
#else
constexpr bool kKeepsMemory = true;
#endif

std::int64_t whole_granules(std::int64_t bytes) {
  return ceil_div(std::max<std::int64_t>(bytes, 1), kGranule) * kGranule;
}

cudaDeviceProp properties(int index) {
  cudaDeviceProp found;
  CUDA_CHECK(cudaGetDeviceProperties(&found, index));
  return found;
}

/// "13.0"
std::string version_text(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

std::string why_none(cudaError_t error) {
  if (error == cudaErrorNoDevice) return "no NVIDIA GPU was found";
  int driver = 0;
  static_cast<void>(cudaDriverGetVersion(&driver));
  if (driver == 0) return "no NVIDIA driver is installed";
  int wanted = 0;
  static_cast<void>(cudaRuntimeGetVersion(&wanted));
  if (error == cudaErrorInsufficientDriver)
    return "the NVIDIA driver serves CUDA " + version_text(driver) + ", " + version_text(wanted) +
           " or newer is needed";
  return std::string("the NVIDIA driver does not answer: ") + cudaGetErrorString(error);
}

}  // namespace

CudaDevice::CudaDevice(int index) : index_(index) {
  const cudaDeviceProp found = properties(index);
  info_ = {"cuda:" + std::to_string(index), found.name, static_cast<std::int64_t>(found.totalGlobalMem),
           found.l2CacheSize};
}

CudaDevice::~CudaDevice() {
  free_kept();
}

std::int64_t CudaDevice::free_bytes() const {
  std::size_t free = 0;
  std::size_t all = 0;
  CUDA_CHECK(cudaSetDevice(index_));
  CUDA_CHECK(cudaMemGetInfo(&free, &all));
  const std::lock_guard lock(mutex_);
  std::int64_t unused = kept_bytes_;
  for (const Arena& arena : arenas_) unused += arena.users == 0 ? arena.bytes : 0;
  return static_cast<std::int64_t>(free) + unused;
}

void CudaDevice::reserve(std::int64_t bytes) {
  const std::int64_t size = whole_granules(bytes);
  const std::lock_guard lock(mutex_);
  std::erase_if(arenas_, [&](const Arena& arena) {  // of a load that ended before its first tensor
    if (arena.users == 0) give_back(arena.memory);
    return arena.users == 0;
  });
  arenas_.push_back({static_cast<char*>(take(size)), size});
}

void* CudaDevice::allocate(std::int64_t bytes) {
  const std::int64_t size = whole_granules(bytes);
  const std::lock_guard lock(mutex_);
  for (Arena& arena : arenas_) {
    if (arena.bytes - arena.taken < size) continue;
    ++arena.users;
    return arena.memory + std::exchange(arena.taken, arena.taken + size);
  }
  return take(size);
}

void CudaDevice::release(void* memory) {
  const std::lock_guard lock(mutex_);
  // Whoever gets it next may use another stream. Errors here show again at the next call that can report
  // them.
  static_cast<void>(cudaSetDevice(index_));
  static_cast<void>(cudaDeviceSynchronize());
  const auto arena = std::find_if(arenas_.begin(), arenas_.end(), [&](const Arena& a) {
    return std::less_equal<>()(a.memory, memory) && std::less<>()(memory, a.memory + a.bytes);
  });
  if (arena == arenas_.end()) return give_back(memory);
  if (--arena->users > 0) return;
  give_back(arena->memory);
  arenas_.erase(arena);
}

void* CudaDevice::take(std::int64_t size) {
  void* memory = nullptr;
  if (const auto fits = kept_.lower_bound(size); fits != kept_.end() && fits->first <= size + size / 4) {
    memory = fits->second;
    used_[memory] = fits->first;
    kept_bytes_ -= fits->first;
    kept_.erase(fits);
    return memory;
  }
  CUDA_CHECK(cudaSetDevice(index_));
  if (cudaMalloc(&memory, static_cast<std::size_t>(size)) != cudaSuccess) {
    static_cast<void>(cudaGetLastError());  // reported once, below
    free_kept();
    if (cudaMalloc(&memory, static_cast<std::size_t>(size)) != cudaSuccess) {
      static_cast<void>(cudaGetLastError());
      throw DeviceMemoryError(info_.id + ": " + std::to_string(size >> 20) +
                              " MiB more were wanted than the " + std::to_string(info_.memory_bytes >> 20) +
                              " MiB of " + info_.name + " allow");
    }
  }
  used_[memory] = size;
#ifdef TANDEM_CUDA_EMULATED
  static_cast<void>(cudaMemsetAsync(memory, 0xFF, static_cast<std::size_t>(size), nullptr));  // NaN
#endif
  return memory;
}

void CudaDevice::give_back(void* memory) {
  const auto used = used_.find(memory);
  if (kKeepsMemory) {
    kept_.emplace(used->second, memory);
    kept_bytes_ += used->second;
  } else {
    static_cast<void>(cudaFree(memory));
  }
  used_.erase(used);
}

void CudaDevice::free_kept() {
  for (const auto& [size, memory] : kept_) static_cast<void>(cudaFree(memory));
  kept_.clear();
  kept_bytes_ = 0;
}

std::unique_ptr<DeviceQueue> CudaDevice::make_queue() {
  return std::make_unique<CudaQueue>(*this, index_);
}

namespace {

Device* open(int interface_version, int index, std::string& why) {
  if (interface_version != kDeviceInterface) {
    why = "the CUDA module belongs to another version of Tandem";
    return nullptr;
  }
  int count = 0;
  if (const cudaError_t error = cudaGetDeviceCount(&count); error != cudaSuccess) {
    why = why_none(error);
    return nullptr;
  }
  if (index >= count) {
    if (count == 0) why = why_none(cudaErrorNoDevice);
    return nullptr;
  }
  const cudaDeviceProp found = properties(index);
  if (found.major * 10 + found.minor < kOldestArchitecture) {
    why = std::string(found.name) + " has compute capability " + std::to_string(found.major) + "." +
          std::to_string(found.minor) + ", 8.0 or newer is needed";
    return nullptr;
  }
  // Never destroyed: memory on it may be given back as late as that.
  static auto& opened = *new std::map<int, CudaDevice>;  // NOLINT(cppcoreguidelines-owning-memory)
  return &opened.try_emplace(index, index).first->second;
}

}  // namespace

Device* open_device(int interface_version, int index, char* why, std::size_t why_size) {
  std::string reason;
  Device* device = nullptr;
  try {
    device = open(interface_version, index, reason);
  } catch (const std::exception& error) {
    reason = error.what();
  }
  std::snprintf(why, why_size, "%s", reason.c_str());
  return device;
}

}  // namespace tandem::cuda
