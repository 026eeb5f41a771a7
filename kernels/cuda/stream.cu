#include "kernels/cuda/stream.h"

#include <string>
#include <utility>

#include "kernels/cuda/launch.h"

namespace tandem::cuda {

void check_call(cudaError_t error, const char* call, const char* file, int line) {
  if (error == cudaSuccess) return;
  throw CudaError(std::string(call) + ": " + cudaGetErrorName(error) + ", " + cudaGetErrorString(error) +
                  " (" + file + ":" + std::to_string(line) + ")");
}

Stream::Stream() {
  CUDA_CHECK(cudaStreamCreateWithFlags(&handle_, cudaStreamNonBlocking));
}
Stream::~Stream() {
  static_cast<void>(cudaStreamDestroy(handle_));
}
void Stream::synchronize() {
  CUDA_CHECK(cudaStreamSynchronize(handle_));
}

Buffer::Buffer(Stream& stream, std::int64_t bytes) : bytes_(bytes) {
  CUDA_CHECK(cudaMalloc(&data_, static_cast<std::size_t>(bytes)));
  fill_bytes(stream, data_, 0xFF, bytes);
}
Buffer::~Buffer() {
  static_cast<void>(cudaFree(data_));
}
Buffer::Buffer(Buffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
Buffer& Buffer::operator=(Buffer&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

void copy_to_device(Stream& stream, void* to, const void* from, std::int64_t bytes) {
  CUDA_CHECK(
      cudaMemcpyAsync(to, from, static_cast<std::size_t>(bytes), cudaMemcpyHostToDevice, stream.handle()));
}
void copy_to_host(Stream& stream, void* to, const void* from, std::int64_t bytes) {
  CUDA_CHECK(
      cudaMemcpyAsync(to, from, static_cast<std::size_t>(bytes), cudaMemcpyDeviceToHost, stream.handle()));
}
void copy_on_device(Stream& stream, void* to, const void* from, std::int64_t bytes) {
  CUDA_CHECK(
      cudaMemcpyAsync(to, from, static_cast<std::size_t>(bytes), cudaMemcpyDeviceToDevice, stream.handle()));
}
void fill_bytes(Stream& stream, void* memory, std::uint8_t byte, std::int64_t bytes) {
  CUDA_CHECK(cudaMemsetAsync(memory, byte, static_cast<std::size_t>(bytes), stream.handle()));
}

}  // namespace tandem::cuda
