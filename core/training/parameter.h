// What is learned: master weights in f32 with their gradients, under the names of the checkpoint formats.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/checkpoint/checkpoint.h"
#include "core/tensor/tensor.h"
#include "kernels/base/context.h"
#include "kernels/ops/matmul.h"

namespace tandem::training {

/// One tensor that is learned. In checkpoints it may be several, rows one under the other, so that one
/// product serves what the file formats keep apart (queries, keys and values).
struct Parameter {
  struct Part {
    std::string name;
    Shape shape;
  };
  std::vector<Part> parts;
  Tensor value;
  Tensor gradient;
  bool decays = false;    // weight decay applies: matrices, not norms, biases or decays
  bool trainable = true;  // stages freeze some

  /// What the bf16 products of a linear layer take in the matrix's place.
  struct Packed {
    PackedMatrix forward;   // W
    PackedMatrix backward;  // W^T, for the gradient of the input
  };
  bool multiplies = false;       // a linear layer's weight
  std::optional<Packed> packed;  // of the value at the last pack_products()

  /// The first extent and all others together: what products take. Convolution weights [C, 1, W] as [C, W].
  TensorView matrix() const;
  TensorView d_matrix() const;
  /// The part's elements in `of`, a tensor like `value`.
  TensorView part_view(std::size_t part, const Tensor& of) const;
};

/// All parameters of a model, in a fixed order and at fixed addresses.
class ParameterSet {
 public:
  ParameterSet() = default;
  ParameterSet(const ParameterSet&) = delete;
  ParameterSet& operator=(const ParameterSet&) = delete;

  /// A zero tensor; parts after the first follow its rows.
  Parameter& add(std::vector<Parameter::Part> parts, bool decays);

  std::deque<Parameter>& all() { return parameters_; }
  const std::deque<Parameter>& all() const { return parameters_; }
  std::int64_t elements() const;

  /// Moves values and gradients to where the context computes, from the host, where they are made,
  /// initialised and read. Does nothing the second time.
  void place(Context& context);
  void clear_gradients(Context& context);

  /// From now on linear layers multiply in bf16, with the weights as they are now: to be called after every
  /// change of the values. Does nothing on a device, or where bf16_products_supported() is false.
  void pack_products(Context& context);

  /// Every part's values under its name; views into this set.
  std::vector<NamedTensor> tensors() const;

 private:
  std::deque<Parameter> parameters_;
};

/// Fills tensors, views into memory of their own on the host, from a checkpoint that may hold more. Errors:
/// those of Checkpoint::read.
Status read_tensors(const Checkpoint& checkpoint, std::span<const NamedTensor> tensors);

/// Contiguous tensors that lie where a context computes, as files take them: themselves, or copies on the
/// host. Waits.
class HostTensors {
 public:
  HostTensors(Context& context, std::vector<NamedTensor> tensors);
  const std::vector<NamedTensor>& all() const { return tensors_; }

 private:
  std::vector<NamedTensor> tensors_;
  std::vector<Tensor> copies_;
};

}  // namespace tandem::training
