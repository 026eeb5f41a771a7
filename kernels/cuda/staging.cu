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

class Readback::Read final : public DeviceRead {
 public:
  Read(Readback& owner, const Piece& piece) : owner_(owner), piece_(piece) {}
  ~Read() override {
    static_cast<void>(cudaEventSynchronize(piece_.there));
    owner_.free_.push_back(piece_);
  }
  const void* wait() override {
    CUDA_CHECK(cudaEventSynchronize(piece_.there));
    return piece_.memory;
  }

 private:
  Readback& owner_;
  Piece piece_;
};

Readback::~Readback() {
  for (const Piece& piece : free_) {
    static_cast<void>(cudaEventDestroy(piece.there));
    static_cast<void>(cudaFreeHost(piece.memory));
  }
}

std::unique_ptr<DeviceRead> Readback::start(Stream& stream, const void* from, std::int64_t bytes) {
  const auto fits = std::find_if(free_.begin(), free_.end(), [&](const Piece& p) { return p.bytes >= bytes; });
  Piece piece;
  if (fits != free_.end()) {
    piece = *fits;
    free_.erase(fits);
  } else {
    piece.bytes = bytes;
    CUDA_CHECK(cudaMallocHost(&piece.memory, static_cast<std::size_t>(bytes)));
    CUDA_CHECK(cudaEventCreateWithFlags(&piece.there, cudaEventDisableTiming));
  }
  auto read = std::make_unique<Read>(*this, piece);
  copy_to_host(stream, piece.memory, from, bytes);
  CUDA_CHECK(cudaEventRecord(piece.there, stream.handle()));
  return read;
}

}  // namespace tandem::cuda
