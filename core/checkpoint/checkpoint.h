// Weight files: safetensors, single or sharded, and GGUF; memory-mapped and validated before any byte of data
// is used. Also the safetensors writer that captures and tests use. Formats: models.md section 8.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/tensor/tensor.h"
#include "kernels/ops/block_format.h"

namespace tandem {

struct GgufFile;

struct TensorEntry {
  std::string name;
  std::string dtype;  // as the file spells it: "F32", "BF16", "F16", "Q4_1", ...
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0;  // bytes from the start of the file
  std::uint64_t end = 0;
};

/// Validates the index of one safetensors file given its bytes. Ranges are inside the file, in order, without
/// gaps or overlap; sizes match shapes; names are unique. Errors: BadFormat, one sentence naming tensor,
/// found, wanted. `file_name` is for messages.
Result<std::vector<TensorEntry>> read_safetensors_index(std::span<const std::byte> file,
                                                        std::string_view file_name);

/// An opened checkpoint: one file or the shards of a folder. Immutable and thread-safe; data stays mapped
/// while it lives.
class Checkpoint {
 public:
  /// `path`: a .safetensors or .gguf file, or a folder with model.safetensors or
  /// model.safetensors.index.json. A folder with only pytorch_model*.bin is refused (Unsupported) with the
  /// conversion to run. Tensors of a GGUF file have the names that safetensors files give them.
  static Result<std::shared_ptr<const Checkpoint>> open(const std::string& path);
  ~Checkpoint();

  /// All tensors, by name.
  std::vector<const TensorEntry*> tensors() const;
  bool contains(const std::string& name) const;
  /// Shape of a tensor, or an empty vector when absent.
  std::vector<std::int64_t> shape(const std::string& name) const;

  /// A tensor's values as f32, whatever type is stored; rotary pairs of queries and keys half a head apart.
  /// Errors: NotFound; Mismatch (another shape than `expected`); Unsupported (dtype); BadFormat (NaN or
  /// infinity among the values, says how many and where the first is).
  Result<Tensor> read(const std::string& name, std::span<const std::int64_t> expected) const;

  /// The same into `to`, a contiguous F32 tensor or, where the tensor is stored as BF16, a BF16 one, of the
  /// shape wanted. The file's pages are given back afterwards: memory holds the converted values only.
  Status read_into(const std::string& name, TensorView to) const;
  /// BF16 for a tensor stored as that, else F32: the smallest type read_into() keeps every value in.
  DType exact_type(const std::string& name) const;
  /// Whether a tensor is there as blocks of small integers.
  bool is_quantized(const std::string& name) const;
  /// A quantised tensor as it lies in the file, along its last extent; borrowed from the checkpoint. Errors:
  /// NotFound; BadFormat (a scale is NaN or infinite).
  Result<BlockRows> blocks(const std::string& name) const;
  /// Bytes a tensor takes in its file; 0 when absent.
  std::int64_t stored_bytes(const std::string& name) const;
  /// Whether two tensors of the checkpoint hold the same bytes, as the same type and shape.
  bool same(const std::string& name, const std::string& other) const;

  /// An I32 tensor of rank 1, as token ids. Errors: NotFound, Mismatch (dtype or rank).
  Result<std::vector<std::int32_t>> read_ids(const std::string& name) const;

  /// Names of all tensors, sorted: the loader compares them with what the configuration implies.
  std::vector<std::string> names() const;

  /// SHA-256 over the weight files' bytes, in file-name order; hexadecimal. `advance`, if any, is told of
  /// every piece read, in bytes. Errors: Cancelled when it returns false.
  Result<std::string> sha256(const std::function<bool(std::int64_t bytes)>& advance = {}) const;
  std::int64_t file_bytes() const;
  const std::string& path() const;
  /// Settings and tensors of a GGUF file; null for safetensors.
  const GgufFile* gguf() const;

 private:
  struct State;
  explicit Checkpoint(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// One tensor to write. dtype F32, BF16 or I32 as the view says; shape of any rank 0..4.
struct NamedTensor {
  std::string name;
  TensorView view;
};
/// Writes a safetensors file (via a temporary file and rename: a full disk leaves no half file). Errors: Io.
Status write_safetensors(const std::string& path, std::span<const NamedTensor> tensors,
                         const std::map<std::string, std::string>& metadata = {});

}  // namespace tandem
