// Files as bytes: small ones read whole, large ones memory-mapped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "core/base/result.h"

namespace tandem {

/// The whole of a regular file. Errors: NotFound; Io; OutOfRange when it holds more than `max_bytes`.
Result<std::string> read_file(const std::string& path, std::int64_t max_bytes);

/// A regular file mapped read-only for as long as the object lives. A program that cuts the file short
/// meanwhile makes the missing pages fault.
class MappedFile {
 public:
  /// Errors: NotFound, Io.
  static Result<MappedFile> open(const std::string& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  explicit MappedFile(std::span<const std::byte> bytes) : bytes_(bytes) {}
  std::span<const std::byte> bytes_;
};

}  // namespace tandem
