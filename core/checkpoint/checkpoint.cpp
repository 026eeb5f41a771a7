#include "core/checkpoint/checkpoint.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <optional>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>
#include <openssl/evp.h>

#include "core/base/file.h"
#include "core/base/json.h"
#include "core/checkpoint/gguf.h"
#include "core/checkpoint/gguf_llama.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kMaxShardIndexBytes = 100'000'000;
constexpr std::size_t kMaxShards = 4096;

struct Shard {
  std::string name;  // without folder
  MappedFile file;
};

struct StoredTensor {
  TensorEntry entry;
  std::size_t shard = 0;
  std::optional<BlockFormat> format;  // nothing: not a weight
  std::int64_t paired_headdim = 0;    // as BlockRows has it
};

/// How a dtype of safetensors is stored; nothing for one that is not a weight type.
std::optional<BlockFormat> float_format(std::string_view dtype) {
  for (const BlockFormat format : {BlockFormat::F32, BlockFormat::F16, BlockFormat::BF16})
    if (dtype == block_layout(format).name) return format;
  return std::nullopt;
}

Shape to_shape(std::span<const std::int64_t> s) {
  switch (s.size()) {
    case 0:
      return {};
    case 1:
      return {s[0]};
    case 2:
      return {s[0], s[1]};
    case 3:
      return {s[0], s[1], s[2]};
    default:
      return {s[0], s[1], s[2], s[3]};
  }
}

/// "[3, 17]": where element `flat` of a row-major tensor lies.
std::string position(std::int64_t flat, std::span<const std::int64_t> shape) {
  std::vector<std::int64_t> index(shape.size());
  for (std::size_t i = shape.size(); i-- > 0;) {
    index[i] = flat % shape[i];
    flat /= shape[i];
  }
  return fmt::format("[{}]", fmt::join(index, ", "));
}

/// How many NaN and infinite values there are, and where the first is.
struct NonFinite {
  std::int64_t count = 0;
  std::int64_t first = 0;
};
template <typename Value, typename Bad>
NonFinite find_non_finite(const Value* values, std::int64_t count, const Bad& bad) {
  NonFinite found{std::count_if(values, values + count, bad), 0};
  if (found.count > 0) found.first = std::find_if(values, values + count, bad) - values;
  return found;
}
NonFinite find_non_finite(const TensorView& tensor) {
  if (tensor.dtype() == DType::BF16)
    return find_non_finite(static_cast<const BFloat16*>(tensor.data()), tensor.elements(),
                           [](BFloat16 value) { return (value.bits & 0x7F80U) == 0x7F80U; });
  return find_non_finite(tensor.f32(), tensor.elements(), [](float value) { return !std::isfinite(value); });
}

bool is_pickled(const fs::path& file) {
  return file.extension() == ".bin" && file.filename().string().starts_with("pytorch_model");
}

bool holds_pickled(const fs::path& folder) {
  std::error_code ignored;
  const fs::directory_iterator files(folder, ignored);
  return std::any_of(begin(files), end(files), [](const auto& entry) { return is_pickled(entry.path()); });
}

/// 'it'\''s', as a POSIX shell reads it.
std::string shell_quoted(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? "'\\''" : std::string(1, c);
  return quoted + "'";
}

/// Tied weights share memory in a pickle, which safetensors does not write: hence the copies.
Error pickled(const fs::path& folder) {
  return {
      ErrorCode::Unsupported,
      fmt::format(
          "{}: pickled weights are never opened; convert them once with: cd {} && python3 -c \"import glob, "
          "torch, safetensors.torch as s; w = {{}}; [w.update(torch.load(f, map_location='cpu', "
          "weights_only=True)) for f in sorted(glob.glob('pytorch_model*.bin'))]; s.save_file({{k: "
          "v.clone().contiguous() for k, v in w.items()}}, 'model.safetensors')\"",
          folder.string(), shell_quoted(folder.string()))};
}

/// Tensor name -> shard, from model.safetensors.index.json.
Result<std::map<std::string, std::string>> read_shard_index(const fs::path& path) {
  const std::string file = path.filename().string();
  TANDEM_TRY(const std::string text, read_file(path.string(), kMaxShardIndexBytes));
  TANDEM_TRY(const nlohmann::json document, parse_json_object(text, file));
  const JsonFields fields(document, file);
  TANDEM_TRY(const nlohmann::json* const weight_map, fields.object("weight_map"));
  std::map<std::string, std::string> shard_of;
  for (const auto& [tensor, shard] : weight_map->items()) {
    const std::string name = shard.is_string() ? shard.get<std::string>() : std::string();
    if (name.empty() || name == "." || name == ".." || name.find_first_of("/\\") != std::string::npos)
      return Error{ErrorCode::BadFormat,
                   fmt::format("{}: tensor '{}' is in {}, wanted the name of a file in the same folder", file,
                               tensor, describe_json(shard))};
    shard_of[tensor] = name;
  }
  return shard_of;
}

}  // namespace

struct Checkpoint::State {
  std::string path;
  std::vector<Shard> shards;  // in name order
  std::map<std::string, StoredTensor> tensors;
  std::int64_t file_bytes = 0;
  std::optional<GgufFile> gguf;

  Error misshaped(const StoredTensor& tensor, std::span<const std::int64_t> expected) const {
    return {ErrorCode::Mismatch, fmt::format("{}: tensor '{}' has shape [{}], the configuration implies [{}]",
                                             shards[tensor.shard].name, tensor.entry.name,
                                             fmt::join(tensor.entry.shape, ", "), fmt::join(expected, ", "))};
  }
  /// A weight as rows along its last extent.
  BlockRows rows_of(const StoredTensor& tensor) const {
    const std::vector<std::int64_t>& shape = tensor.entry.shape;
    BlockRows rows{*tensor.format, 1, shape.empty() ? 1 : shape.back(),
                   shards[tensor.shard].file.bytes().data() + tensor.entry.begin, tensor.paired_headdim};
    for (std::size_t i = 0; i + 1 < shape.size(); ++i) rows.rows *= shape[i];
    return rows;
  }
  Status add_tensor(StoredTensor tensor, const std::string& file_name);
  void keep(std::string name, MappedFile file);
  Status add_shard(const fs::path& file);
  Status add_gguf(const fs::path& file);
  Status add_listed_shards(const fs::path& index);
};

Status Checkpoint::State::add_tensor(StoredTensor tensor, const std::string& file_name) {
  const std::string name = tensor.entry.name;
  tensor.shard = shards.size();
  const auto [at, added] = tensors.try_emplace(name, std::move(tensor));
  if (added) return {};
  const std::size_t first = at->second.shard;
  return Error{ErrorCode::BadFormat,
               fmt::format("tensor '{}' is in two files, {} and {}", name,
                           first < shards.size() ? shards[first].name : file_name, file_name)};
}

/// After all its tensors.
void Checkpoint::State::keep(std::string name, MappedFile file) {
  file_bytes += static_cast<std::int64_t>(file.bytes().size());
  shards.push_back({std::move(name), std::move(file)});
}

Status Checkpoint::State::add_shard(const fs::path& file) {
  std::string name = file.filename().string();
  TANDEM_TRY(MappedFile mapped, MappedFile::open(file.string()));
  TANDEM_TRY(std::vector<TensorEntry> entries, read_safetensors_index(mapped.bytes(), name));
  for (TensorEntry& entry : entries) {
    const auto format = float_format(entry.dtype);
    TANDEM_RETURN_IF_ERROR(add_tensor({.entry = std::move(entry), .format = format}, name));
  }
  keep(std::move(name), std::move(mapped));
  return {};
}

Status Checkpoint::State::add_gguf(const fs::path& file) {
  std::string name = file.filename().string();
  TANDEM_TRY(MappedFile mapped, MappedFile::open(file.string()));
  TANDEM_TRY(gguf, read_gguf(mapped.bytes(), name));
  TANDEM_TRY(const ModelConfig config, read_gguf_config(*gguf));
  for (const GgufTensor& tensor : gguf->tensors) {
    StoredTensor stored{.entry = {loader_name(tensor.name), block_layout(tensor.format).name, tensor.shape,
                                  tensor.begin, tensor.end},
                        .format = tensor.format};
    if (has_paired_rows(tensor.name)) {
      if (tensor.shape.front() % config.headdim != 0)
        return Error{ErrorCode::Mismatch, fmt::format("{}: tensor '{}' has {} rows, wanted heads of {}", name,
                                                      tensor.name, tensor.shape.front(), config.headdim)};
      stored.paired_headdim = config.headdim;
    }
    TANDEM_RETURN_IF_ERROR(add_tensor(std::move(stored), name));
  }
  keep(std::move(name), std::move(mapped));
  return {};
}

Status Checkpoint::State::add_listed_shards(const fs::path& index) {
  TANDEM_TRY(const auto shard_of, read_shard_index(index));
  std::set<std::string> names;
  for (const auto& [tensor, shard] : shard_of) names.insert(shard);
  if (names.size() > kMaxShards)
    return Error{ErrorCode::BadFormat, fmt::format("{}: lists {} files, at most {} are opened",
                                                   index.filename().string(), names.size(), kMaxShards)};
  for (const std::string& name : names)
    TANDEM_RETURN_IF_ERROR(add_shard(fs::path(index).replace_filename(name)));
  for (const auto& [tensor, shard] : shard_of) {
    const auto found = tensors.find(tensor);
    if (found == tensors.end() || shards[found->second.shard].name != shard)
      return Error{ErrorCode::BadFormat, fmt::format("{}: tensor '{}' should be in {} and is not there",
                                                     index.filename().string(), tensor, shard)};
  }
  return {};
}

Checkpoint::Checkpoint(std::unique_ptr<State> state) : state_(std::move(state)) {}
Checkpoint::~Checkpoint() = default;

Result<std::shared_ptr<const Checkpoint>> Checkpoint::open(const std::string& path) {
  auto state = std::make_unique<State>();
  state->path = path;
  std::error_code ignored;
  fs::path file = path;
  if (fs::is_directory(path, ignored)) {
    const fs::path single = file / "model.safetensors";
    const fs::path index = file / "model.safetensors.index.json";
    if (fs::exists(single, ignored)) {
      file = single;
    } else if (fs::exists(index, ignored)) {
      file = index;
    } else if (holds_pickled(file)) {
      return pickled(file);
    } else {
      return Error{ErrorCode::NotFound,
                   path + ": holds no weights, wanted model.safetensors or model.safetensors.index.json"};
    }
  }
  if (file.extension() == ".bin") return pickled(file.has_parent_path() ? file.parent_path() : ".");
  TANDEM_RETURN_IF_ERROR(file.extension() == ".json"   ? state->add_listed_shards(file)
                         : file.extension() == ".gguf" ? state->add_gguf(file)
                                                       : state->add_shard(file));
  return std::shared_ptr<const Checkpoint>(new Checkpoint(std::move(state)));
}

std::vector<const TensorEntry*> Checkpoint::tensors() const {
  std::vector<const TensorEntry*> entries;
  for (const auto& [name, tensor] : state_->tensors) entries.push_back(&tensor.entry);
  return entries;
}

std::vector<std::string> Checkpoint::names() const {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : state_->tensors) names.push_back(name);
  return names;
}

bool Checkpoint::contains(const std::string& name) const {
  return state_->tensors.contains(name);
}

std::vector<std::int64_t> Checkpoint::shape(const std::string& name) const {
  const auto found = state_->tensors.find(name);
  return found == state_->tensors.end() ? std::vector<std::int64_t>() : found->second.entry.shape;
}

Result<Tensor> Checkpoint::read(const std::string& name, std::span<const std::int64_t> expected) const {
  TANDEM_CHECK(expected.size() <= kMaxRank, name + ": a tensor in memory has at most 4 dimensions");
  const auto found = state_->tensors.find(name);
  if (found != state_->tensors.end() && !std::ranges::equal(expected, found->second.entry.shape))
    return state_->misshaped(found->second, expected);
  Tensor tensor = Tensor::uninitialized(to_shape(expected));
  TANDEM_RETURN_IF_ERROR(read_into(name, tensor));
  return tensor;
}

Status Checkpoint::read_into(const std::string& name, TensorView to) const {
  const auto found = state_->tensors.find(name);
  if (found == state_->tensors.end())
    return Error{ErrorCode::NotFound, fmt::format("{}: there is no tensor '{}'", state_->path, name)};
  const TensorEntry& entry = found->second.entry;
  const Shard& shard = state_->shards[found->second.shard];
  std::vector<std::int64_t> expected;
  for (int i = 0; i < to.rank(); ++i) expected.push_back(to.extent(i));
  if (expected != entry.shape) return state_->misshaped(found->second, expected);
  TANDEM_CHECK(to.contiguous() && (to.dtype() == DType::F32 || exact_type(name) == DType::BF16),
               name + ": read into F32, or as BF16 what is stored as BF16");
  if (!found->second.format)
    return Error{ErrorCode::Unsupported,
                 fmt::format("{}: tensor '{}' has dtype {}, weights are read from F32, BF16 and F16",
                             shard.name, name, entry.dtype)};
  const BlockRows stored = state_->rows_of(found->second);
  for (std::int64_t i = 0; i < stored.rows; ++i) {
    if (to.dtype() == DType::BF16)
      std::memcpy(static_cast<BFloat16*>(to.data()) + i * stored.columns, stored.row(i),
                  static_cast<std::size_t>(stored.row_bytes()));
    else
      dequantize(stored.format, stored.row(i), stored.columns, to.f32() + i * stored.columns);
  }
  shard.file.release(entry.begin, entry.end);
  if (const NonFinite bad = find_non_finite(to); bad.count > 0)
    return Error{ErrorCode::BadFormat,
                 fmt::format("{}: tensor '{}' holds {} NaN or infinite values of {}, the first at {}",
                             shard.name, name, bad.count, to.elements(), position(bad.first, expected))};
  return {};
}

DType Checkpoint::exact_type(const std::string& name) const {
  const auto found = state_->tensors.find(name);
  return found != state_->tensors.end() && found->second.format == BlockFormat::BF16 ? DType::BF16
                                                                                     : DType::F32;
}

bool Checkpoint::is_quantized(const std::string& name) const {
  const auto found = state_->tensors.find(name);
  return found != state_->tensors.end() && found->second.format &&
         tandem::is_quantized(*found->second.format);
}

Result<BlockRows> Checkpoint::blocks(const std::string& name) const {
  if (!is_quantized(name))
    return Error{ErrorCode::NotFound,
                 fmt::format("{}: there is no quantised tensor '{}'", state_->path, name)};
  const StoredTensor& tensor = state_->tensors.at(name);
  const BlockRows stored = state_->rows_of(tensor);
  if (!has_finite_scales(stored.format, stored.data, stored.rows * stored.columns))
    return Error{ErrorCode::BadFormat,
                 fmt::format("{}: tensor '{}' has a block whose scale is NaN or infinite",
                             state_->shards[tensor.shard].name, name)};
  return stored;
}

std::int64_t Checkpoint::stored_bytes(const std::string& name) const {
  const auto found = state_->tensors.find(name);
  return found == state_->tensors.end()
             ? 0
             : static_cast<std::int64_t>(found->second.entry.end - found->second.entry.begin);
}

bool Checkpoint::same(const std::string& name, const std::string& other) const {
  const auto a = state_->tensors.find(name);
  const auto b = state_->tensors.find(other);
  if (a == state_->tensors.end() || b == state_->tensors.end()) return false;
  const TensorEntry& first = a->second.entry;
  const TensorEntry& second = b->second.entry;
  if (first.dtype != second.dtype || first.shape != second.shape) return false;
  const MappedFile& first_file = state_->shards[a->second.shard].file;
  const MappedFile& second_file = state_->shards[b->second.shard].file;
  const bool equal = std::ranges::equal(first_file.bytes().subspan(first.begin, first.end - first.begin),
                                        second_file.bytes().subspan(second.begin, second.end - second.begin));
  first_file.release(first.begin, first.end);
  second_file.release(second.begin, second.end);
  return equal;
}

Result<std::vector<std::int32_t>> Checkpoint::read_ids(const std::string& name) const {
  const auto found = state_->tensors.find(name);
  if (found == state_->tensors.end())
    return Error{ErrorCode::NotFound, fmt::format("{}: there is no tensor '{}'", state_->path, name)};
  const TensorEntry& entry = found->second.entry;
  if (entry.dtype != "I32" || entry.shape.size() != 1)
    return Error{ErrorCode::Mismatch,
                 fmt::format("{}: tensor '{}' is {} with {} dimensions, token ids are I32 with one",
                             state_->path, name, entry.dtype, entry.shape.size())};
  const auto stored =
      state_->shards[found->second.shard].file.bytes().subspan(entry.begin, entry.end - entry.begin);
  std::vector<std::int32_t> ids(static_cast<std::size_t>(entry.shape[0]));
  if (!stored.empty()) std::memcpy(ids.data(), stored.data(), stored.size());
  return ids;
}

Result<std::string> Checkpoint::sha256(const std::function<bool(std::int64_t bytes)>& advance) const {
  constexpr std::size_t kPiece = 16 << 20;
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  bool ok = context != nullptr && EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) == 1;
  for (const Shard& shard : state_->shards) {
    const auto bytes = shard.file.bytes();
    for (std::size_t at = 0; at < bytes.size(); at += kPiece) {
      const auto piece = bytes.subspan(at, std::min(kPiece, bytes.size() - at));
      ok = ok && EVP_DigestUpdate(context.get(), piece.data(), piece.size()) == 1;
      shard.file.release(at, at + piece.size());
      if (advance && !advance(static_cast<std::int64_t>(piece.size())))
        return Error{ErrorCode::Cancelled, state_->path + ": reading was cancelled"};
    }
  }
  std::array<unsigned char, 32> digest{};
  ok = ok && EVP_DigestFinal_ex(context.get(), digest.data(), nullptr) == 1;
  TANDEM_CHECK(ok, "SHA-256 failed");
  return fmt::format("{:02x}", fmt::join(digest, ""));
}

std::int64_t Checkpoint::file_bytes() const {
  return state_->file_bytes;
}

const std::string& Checkpoint::path() const {
  return state_->path;
}

const GgufFile* Checkpoint::gguf() const {
  return state_->gguf ? &*state_->gguf : nullptr;
}

}  // namespace tandem
