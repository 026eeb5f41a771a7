// A queue of work on a device, and memory there. Needs no CUDA header, so that host code can include it.
#pragma once

#include <cstdint>

#include "kernels/base/device.h"

struct CUstream_st;

namespace tandem::cuda {

/// A failed call: expression, error's name and text, file and line.
class CudaError : public DeviceError {
 public:
  using DeviceError::DeviceError;
};

/// Work runs in the order in which it was given, some time later. Confined to one thread. Throws CudaError.
class Stream {
 public:
  Stream();
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  CUstream_st* handle() const { return handle_; }
  /// Waits until everything given is done.
  void synchronize();

 private:
  CUstream_st* handle_ = nullptr;
};

/// Device memory, all of whose bits are set at first: reading what was never written gives NaN. Throws
/// CudaError.
class Buffer {
 public:
  Buffer() = default;
  Buffer(Stream& stream, std::int64_t bytes);
  ~Buffer();
  Buffer(Buffer&& other) noexcept;
  Buffer& operator=(Buffer&& other) noexcept;

  void* data() const { return data_; }
  std::int64_t bytes() const { return bytes_; }

 private:
  void* data_ = nullptr;
  std::int64_t bytes_ = 0;
};

/// Copies, and fills every byte, in stream order. Host memory that is not pinned may be used again when the
/// call returns only after synchronize().
void copy_to_device(Stream& stream, void* to, const void* from, std::int64_t bytes);
void copy_to_host(Stream& stream, void* to, const void* from, std::int64_t bytes);
void copy_on_device(Stream& stream, void* to, const void* from, std::int64_t bytes);
void fill_bytes(Stream& stream, void* memory, std::uint8_t byte, std::int64_t bytes);

}  // namespace tandem::cuda
