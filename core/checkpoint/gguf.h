// GGUF files: settings by key and an index of tensors, validated before any byte of data is used
// (models.md 8.2). Nothing is copied: texts and tensors stay in the file's bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/base/result.h"
#include "kernels/ops/block_format.h"

namespace tandem {

/// An array of a GGUF file: its bounds are checked, its elements are decoded when asked for.
struct GgufArray {
  std::uint32_t type = 0;  // of the elements, as the file numbers types
  std::uint64_t count = 0;
  std::span<const std::byte> bytes;
};
using GgufValue = std::variant<bool, std::int64_t, std::uint64_t, double, std::string_view, GgufArray>;

/// The settings of a file, read by key. Errors name file, key, found and wanted (BadFormat).
class GgufSettings {
 public:
  explicit GgufSettings(std::string_view file) : file_(file) {}

  /// False when the key is there already.
  bool add(std::string_view key, GgufValue value) { return values_.try_emplace(key, value).second; }
  const std::map<std::string_view, GgufValue>& values() const { return values_; }
  const std::string& file() const { return file_; }

  bool has(std::string_view key) const { return values_.contains(key); }
  Result<std::int64_t> integer(std::string_view key, std::int64_t least, std::int64_t most) const;
  Result<std::int64_t> integer(std::string_view key, std::int64_t least, std::int64_t most,
                               std::int64_t absent) const;
  /// A finite number, integers included.
  Result<double> number(std::string_view key, double least, double most) const;
  Result<double> number(std::string_view key, double least, double most, double absent) const;
  Result<bool> boolean(std::string_view key, bool absent) const;
  Result<std::string_view> text(std::string_view key) const;
  Result<std::string_view> text(std::string_view key, std::string_view absent) const;
  /// An array of texts; each is valid UTF-8.
  Result<std::vector<std::string_view>> texts(std::string_view key) const;
  /// An array of 32-bit integers.
  Result<std::vector<std::int32_t>> integers(std::string_view key) const;

  /// "model.gguf: 'key' is <found>, wanted <wanted>"
  Error wrong(std::string_view key, std::string_view wanted) const;

 private:
  const GgufValue* find(std::string_view key) const;
  std::string file_;
  std::map<std::string_view, GgufValue> values_;
};

struct GgufTensor {
  std::string name;
  BlockFormat format = BlockFormat::F32;
  std::vector<std::int64_t> shape;  // the last extent is contiguous, as everywhere in Tandem
  std::uint64_t begin = 0;          // bytes from the start of the file
  std::uint64_t end = 0;
};

struct GgufFile {
  GgufSettings settings;
  std::vector<GgufTensor> tensors;  // in file order
};

/// Validates a file of version 2 or 3: every count, length and type; unique keys and names; tensors that
/// follow each other, aligned, up to the end of the file. The result borrows `file`, whose name for messages
/// is `file_name`. Errors: BadFormat; Unsupported (a version or a tensor type that Tandem does not read).
Result<GgufFile> read_gguf(std::span<const std::byte> file, std::string_view file_name);

}  // namespace tandem
