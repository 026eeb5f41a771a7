// Files as bytes: small ones read whole, large ones memory-mapped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "core/base/result.h"

namespace tandem {

/// The whole of a regular file. Errors: NotFound; Io; OutOfRange when it holds more than `max_bytes`.
Result<std::string> read_file(const std::string& path, std::int64_t max_bytes);

/// Writes a file, or replaces it, with the parts one after another: first under a temporary name, so that a
/// full disk or a killed program leaves no half file. Errors: Io.
Status write_file(const std::string& path, std::span<const std::string_view> parts);

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
  /// Bytes [begin, end) will not be wanted soon: the memory behind them is the system's again until they are.
  void release(std::uint64_t begin, std::uint64_t end) const;

 private:
  explicit MappedFile(std::span<const std::byte> bytes) : bytes_(bytes) {}
  std::span<const std::byte> bytes_;
};

}  // namespace tandem
