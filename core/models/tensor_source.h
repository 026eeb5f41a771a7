// A checkpoint's tensors, taken by name and expected shape while a model is built. The same building code
// runs twice: first as a plan, which compares the file with the configuration and adds up memory without
// reading any data, then for real. Without a checkpoint, weights are random, in whatever shape is asked for.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "core/checkpoint/checkpoint.h"
#include "core/models/embedding_table.h"
#include "kernels/ops/matmul.h"

namespace tandem {

class TensorSource {
 public:
  /// A source that plans: everything taken from it is empty, and only counted.
  TensorSource(const Checkpoint* checkpoint, DType packed_type, Device* device)
      : checkpoint_(checkpoint), packed_type_(packed_type), device_(device) {}
  /// A source that reads, to where the context computes. `advance`, if any, is told of bytes of the file as
  /// they are done; when it returns false the rest is not read and finish() says Cancelled.
  TensorSource(const Checkpoint* checkpoint, DType packed_type, Context& context,
               std::function<bool(std::int64_t bytes)> advance)
      : checkpoint_(checkpoint),
        packed_type_(packed_type),
        device_(context.device()),
        context_(&context),
        advance_(std::move(advance)) {}

  /// Random weights have no alternatives, so no name that is asked about.
  bool contains(const std::string& name) const {
    return checkpoint_ != nullptr && checkpoint_->contains(name);
  }

  /// A tensor in f32; `adjust`, if any, changes its values on the host first.
  Tensor take(const std::string& name, std::initializer_list<std::int64_t> shape,
              const std::function<void(Tensor& values)>& adjust = {});
  /// The same, left on the host.
  Tensor take_host(const std::string& name, std::initializer_list<std::int64_t> shape);
  /// A tensor of the host where the others go.
  Tensor place(Tensor tensor) {
    return planning() ? std::move(tensor) : std::move(tensor).on_device_of(*context_);
  }
  /// A matrix in the type it is stored in, for reading rows of it.
  EmbeddingTable take_table(const std::string& name, std::int64_t rows, std::int64_t columns);

  struct Part {
    std::string name;
    std::int64_t rows = 0;
  };
  /// Rows of several [rows, columns] tensors one under the other, packed as one matrix. Where all of them are
  /// quantised they stay as they are, borrowed from the checkpoint.
  PackedMatrix pack(const std::vector<Part>& parts, std::int64_t columns);
  /// A matrix that was taken already, packed.
  PackedMatrix pack_again(const EmbeddingTable& table, const std::string& name, std::int64_t rows,
                          std::int64_t columns);
  /// A tensor that may be there if it is only a copy of `original`.
  void accept_copy(const std::string& name, const std::string& original);

  /// Errors: one that lists every missing, misshaped and unexpected tensor; what reading met.
  Status finish();

  /// Values of everything taken.
  std::int64_t parameters() const { return parameters_; }
  /// Bytes of everything taken, once in memory; and of the largest piece that is held twice while it is
  /// packed.
  std::int64_t memory_bytes() const { return memory_bytes_; }
  std::int64_t packed_bytes() const { return packed_bytes_; }
  /// Of the matrices, as a product of one row reads them.
  std::int64_t single_bytes() const { return single_bytes_; }
  std::int64_t transient_bytes() const { return transient_bytes_; }

 private:
  bool planning() const { return context_ == nullptr; }
  bool ok() const { return problems_.empty() && !error_; }
  Error cancelled() const;
  void check(const std::string& name, const std::vector<std::int64_t>& expected);
  /// The smallest type that holds every value of a tensor.
  DType exact_type(const std::string& name) const {
    return checkpoint_ != nullptr ? checkpoint_->exact_type(name) : DType::BF16;
  }
  bool is_quantized(const std::string& name) const {
    return checkpoint_ != nullptr && checkpoint_->is_quantized(name);
  }
  /// Reads into a fresh part of memory; false when something went wrong before or now.
  bool read(const std::string& name, TensorView to);
  void count_packed(std::int64_t rows, std::int64_t columns);
  void count_kept(std::int64_t rows, std::int64_t columns, std::int64_t stored);
  bool all_quantized(const std::vector<Part>& parts) const;
  PackedMatrix keep(const std::vector<Part>& parts, std::int64_t columns);

  const Checkpoint* checkpoint_;  // null: random weights
  DType packed_type_;
  Device* device_ = nullptr;
  Context* context_ = nullptr;  // null: planning
  std::function<bool(std::int64_t)> advance_;
  std::set<std::string> taken_;
  std::vector<std::string> problems_;
  std::optional<Error> error_;
  std::int64_t parameters_ = 0;
  std::int64_t memory_bytes_ = 0, packed_bytes_ = 0, single_bytes_ = 0, transient_bytes_ = 0;
};

}  // namespace tandem
