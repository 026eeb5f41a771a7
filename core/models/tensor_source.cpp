#include "core/models/tensor_source.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/models/random_weights.h"

namespace tandem {
namespace {

Shape to_shape(const std::vector<std::int64_t>& extents) {
  return extents.size() == 1   ? Shape{extents[0]}
         : extents.size() == 2 ? Shape{extents[0], extents[1]}
                               : Shape{extents[0], extents[1], extents[2]};
}

}  // namespace

void TensorSource::check(const std::string& name, const std::vector<std::int64_t>& expected) {
  taken_.insert(name);
  parameters_ += to_shape(expected).elements();
  if (checkpoint_ == nullptr) return;
  if (!checkpoint_->contains(name)) {
    problems_.push_back(
        fmt::format("'{}' is missing, the configuration implies [{}]", name, fmt::join(expected, ", ")));
  } else if (const auto found = checkpoint_->shape(name); found != expected) {
    problems_.push_back(fmt::format("'{}' has shape [{}], the configuration implies [{}]", name,
                                    fmt::join(found, ", "), fmt::join(expected, ", ")));
  }
}

Error TensorSource::cancelled() const {
  return {ErrorCode::Cancelled,
          (checkpoint_ != nullptr ? checkpoint_->path() : "random weights") + ": loading was cancelled"};
}

bool TensorSource::read(const std::string& name, TensorView to) {
  if (!ok()) return false;
  std::int64_t bytes = to.elements() * element_bytes(DType::BF16);
  if (checkpoint_ == nullptr) {
    fill_random(name, to);
  } else if (const Status status = checkpoint_->read_into(name, to); !status) {
    error_ = status.error();
  } else {
    bytes = checkpoint_->stored_bytes(name);
  }
  if (ok() && advance_ && !advance_(bytes)) error_ = cancelled();
  return ok();
}

Tensor TensorSource::take(const std::string& name, std::initializer_list<std::int64_t> shape,
                          const std::function<void(Tensor& values)>& adjust) {
  Tensor tensor = take_host(name, shape);
  if (adjust && !tensor.empty()) adjust(tensor);
  return place(std::move(tensor));
}

Tensor TensorSource::take_host(const std::string& name, std::initializer_list<std::int64_t> shape) {
  const std::vector<std::int64_t> expected(shape);
  check(name, expected);
  const Shape extents = to_shape(expected);
  memory_bytes_ += extents.elements() * element_bytes(DType::F32);
  if (planning() || !ok()) return {};
  Tensor tensor = Tensor::uninitialized(extents);
  return read(name, tensor) ? std::move(tensor) : Tensor();
}

EmbeddingTable TensorSource::take_table(const std::string& name, std::int64_t rows, std::int64_t columns) {
  check(name, {rows, columns});
  const bool quantized = is_quantized(name);
  if (quantized && device_ == nullptr) {
    memory_bytes_ += checkpoint_->stored_bytes(name);
    if (planning() || !ok()) return {};
    auto stored = checkpoint_->blocks(name);
    if (!stored) error_ = stored.error();
    return stored ? EmbeddingTable{{}, *stored} : EmbeddingTable();
  }
  const DType type = exact_type(name);
  memory_bytes_ += rows * columns * element_bytes(type);
  if (planning() || !ok()) return {};
  EmbeddingTable table{Tensor::uninitialized({rows, columns}, type), std::nullopt};
  if (!read(name, table.values)) return {};
  table.values = place(std::move(table.values));
  return table;
}

void TensorSource::count_packed(std::int64_t rows, std::int64_t columns) {
  const DType type = product_type(packed_type_, device_);
  packed_bytes_ += rows * columns * element_bytes(type);
  single_bytes_ += rows * columns * element_bytes(type);
  memory_bytes_ += rows * columns * element_bytes(type);
}

/// Of a quantised matrix, which takes memory as it is stored and once more when it is packed; on a device
/// only as its values.
void TensorSource::count_kept(std::int64_t rows, std::int64_t columns, std::int64_t stored) {
  const std::int64_t packed = rows * columns * element_bytes(product_type(DType::BF16, device_));
  packed_bytes_ += packed;
  if (device_ != nullptr) {
    single_bytes_ += packed;
    memory_bytes_ += packed;
    return;
  }
  single_bytes_ += stored;
  memory_bytes_ += packed + stored;
}

bool TensorSource::all_quantized(const std::vector<Part>& parts) const {
  return std::all_of(parts.begin(), parts.end(),
                     [this](const Part& part) { return is_quantized(part.name); });
}

PackedMatrix TensorSource::keep(const std::vector<Part>& parts, std::int64_t columns) {
  std::int64_t rows = 0;
  std::int64_t stored = 0;
  for (const Part& part : parts) {
    check(part.name, {part.rows, columns});
    rows += part.rows;
    stored += checkpoint_->stored_bytes(part.name);
  }
  count_kept(rows, columns, stored);
  if (planning() || !ok()) return {};
  std::vector<BlockRows> kept;
  for (const Part& part : parts) {
    auto blocks = checkpoint_->blocks(part.name);
    if (!blocks) {
      error_ = blocks.error();
      return {};
    }
    kept.push_back(*blocks);
  }
  if (advance_ && !advance_(stored)) error_ = cancelled();
  // Narrowing to BF16 loses less than quantising did.
  return PackedMatrix::keep(*context_, std::move(kept), DType::BF16);
}

PackedMatrix TensorSource::pack(const std::vector<Part>& parts, std::int64_t columns) {
  if (all_quantized(parts)) return keep(parts, columns);
  std::int64_t rows = 0;
  bool narrow =
      true;  // all parts are stored as BF16: nothing is lost by keeping them so until they are packed
  for (const Part& part : parts) {
    check(part.name, {part.rows, columns});
    rows += part.rows;
    narrow = narrow && exact_type(part.name) == DType::BF16;
  }
  const DType type = narrow ? DType::BF16 : DType::F32;
  count_packed(rows, columns);
  if (device_ == nullptr)  // else the piece is on the host
    transient_bytes_ = std::max(transient_bytes_, rows * columns * element_bytes(type));
  if (planning() || !ok()) return {};
  const Tensor stacked = Tensor::uninitialized({rows, columns}, type);
  std::int64_t row = 0;
  for (const Part& part : parts) {
    if (!read(part.name, stacked.view().rows(row, part.rows))) return {};
    row += part.rows;
  }
  return PackedMatrix::pack(*context_, stacked, packed_type_);
}

PackedMatrix TensorSource::pack_again(const EmbeddingTable& table, const std::string& name, std::int64_t rows,
                                      std::int64_t columns) {
  TANDEM_CHECK(taken_.contains(name), name + " was not taken before");
  if (table.stored || (planning() && device_ == nullptr && is_quantized(name))) {
    count_kept(rows, columns, checkpoint_->stored_bytes(name));
    memory_bytes_ -= checkpoint_->stored_bytes(name);  // counted with the table
    return planning() || !ok() ? PackedMatrix() : PackedMatrix::keep(*context_, {*table.stored}, DType::BF16);
  }
  count_packed(rows, columns);
  if (device_ != nullptr && exact_type(name) == packed_type_) {
    memory_bytes_ -= rows * columns * element_bytes(packed_type_);  // one and the same
    return planning() || !ok() ? PackedMatrix() : PackedMatrix::borrow(table.values);
  }
  if (planning() || !ok()) return {};
  if (device_ == nullptr) return PackedMatrix::pack(*context_, table.values, packed_type_);
  const Tensor again = Tensor::uninitialized({rows, columns}, table.values.dtype());
  return read(name, again) ? PackedMatrix::pack(*context_, again, packed_type_) : PackedMatrix();
}

void TensorSource::accept_copy(const std::string& name, const std::string& original) {
  if (!contains(name)) return;
  taken_.insert(name);
  if (planning() || !ok() || checkpoint_->same(name, original)) return;
  problems_.push_back(
      fmt::format("'{}' differs from '{}', which the configuration ties it to", name, original));
}

Status TensorSource::finish() {
  if (error_) return *error_;
  if (checkpoint_ == nullptr) return {};
  for (const std::string& name : checkpoint_->names())
    if (!taken_.contains(name) && !name.ends_with("rotary_emb.inv_freq"))
      problems_.push_back("'" + name + "' is not expected");
  if (problems_.empty()) return {};
  constexpr std::size_t kListed = 8;
  const std::size_t listed = std::min(problems_.size(), kListed);
  std::string message = fmt::format(
      "{}: tensors do not fit the configuration: {}", checkpoint_->path(),
      fmt::join(problems_.begin(), problems_.begin() + static_cast<std::ptrdiff_t>(listed), "; "));
  if (listed < problems_.size()) message += fmt::format("; and {} more", problems_.size() - listed);
  return Error{ErrorCode::Mismatch, message};
}

}  // namespace tandem
