#include "kernels/cuda/staging.h"

#include <algorithm>
#include <cstring>

#include "kernels/cuda/launch.h"

namespace tandem::cuda {

Staging::Staging() {
  for (Piece& piece : pieces_) {
    CUDA_CHECK(cudaMallocHost(&piece.memory, static_cast<std::size_t>(kPieceBytes)));
    CUDA_CHECK(cudaEventCreateWithFlags(&piece.read, cudaEventDisableTiming));
  }
}

Staging::~Staging() {
  for (const Piece& piece : pieces_) {
    static_cast<void>(cudaEventDestroy(piece.read));
    static_cast<void>(cudaFreeHost(piece.memory));
  }
}

void Staging::copy_in(Stream& stream, void* to, const void* from, std::int64_t bytes) {
  constexpr std::int64_t kAlignment = 64;
  while (bytes > 0) {
    if (used_ >= kPieceBytes) {
      CUDA_CHECK(cudaEventRecord(pieces_[current_].read, stream.handle()));
      current_ = (current_ + 1) % pieces_.size();
      CUDA_CHECK(cudaEventSynchronize(pieces_[current_].read));
      used_ = 0;
    }
    const std::int64_t count = std::min(bytes, kPieceBytes - used_);
    char* staged = static_cast<char*>(pieces_[current_].memory) + used_;
    std::memcpy(staged, from, static_cast<std::size_t>(count));
    copy_to_device(stream, to, staged, count);
    used_ += ceil_div(count, kAlignment) * kAlignment;
    to = static_cast<char*>(to) + count;
    from = static_cast<const char*>(from) + count;
    bytes -= count;
  }
}

}  // namespace tandem::cuda
