// Pinned host memory through which copies to and from the device go, so that they neither wait nor are waited
// for.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "kernels/cuda/stream.h"

struct CUevent_st;

namespace tandem::cuda {

class Staging {
 public:
  Staging();
  ~Staging();
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;

  /// In stream order; `from` may be used again when the call returns.
  void copy_in(Stream& stream, void* to, const void* from, std::int64_t bytes);

 private:
  static constexpr std::int64_t kPieceBytes = 4 << 20;
  /// Part of the memory, and when the device has read what was last put there.
  struct Piece {
    void* memory = nullptr;
    CUevent_st* read = nullptr;
  };
  std::array<Piece, 4> pieces_;
  std::size_t current_ = 0;
  std::int64_t used_ = 0;  // bytes of the current piece
};

/// Copies to the host that are not waited for: into pinned pieces, which are used again. To outlive its reads.
class Readback {
 public:
  Readback() = default;
  ~Readback();
  Readback(const Readback&) = delete;
  Readback& operator=(const Readback&) = delete;

  std::unique_ptr<DeviceRead> start(Stream& stream, const void* from, std::int64_t bytes);

 private:
  class Read;
  struct Piece {
    void* memory = nullptr;
    std::int64_t bytes = 0;
    CUevent_st* there = nullptr;  // the copy is done
  };
  std::vector<Piece> free_;
};

}  // namespace tandem::cuda
