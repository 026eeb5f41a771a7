// A layer's sequence mixer that can be trained: forward, keeping what backward needs, and backward.
#pragma once

#include <cstdint>

#include "core/tensor/tensor.h"
#include "kernels/base/context.h"

namespace tandem::training {

/// Sequences of equal length, one after the other in the rows of every activation.
struct BatchShape {
  std::int64_t sequences = 0;  // B
  std::int64_t seqlen = 0;     // T
  std::int64_t rows() const { return sequences * seqlen; }
};

/// Memory for an activation, where the context computes, that lives until the next batch; grows when it must.
class Activation {
 public:
  TensorView get(const Context& context, Shape shape, DType dtype = DType::F32) {
    const std::int64_t floats = (shape.elements() * element_bytes(dtype) + 3) / 4;
    if (memory_.elements() < floats || memory_.device() != context.device())
      memory_ = Tensor::uninitialized({floats}, DType::F32, context.device());
    return {memory_.data(), dtype, shape};
  }

 private:
  Tensor memory_;
};

/// Confined: forward and backward alternate on one thread. Gradients of parameters are added to.
class TrainableMixer {
 public:
  virtual ~TrainableMixer() = default;
  /// u, out [B*T, C]: normed input, and output after the output projection.
  virtual void forward(Context& context, const BatchShape& batch, TensorView u, TensorView out) = 0;
  /// Of the forward() before, with the same u. d_u [B*T, C] is written; it must not alias d_out.
  virtual void backward(Context& context, const BatchShape& batch, TensorView u, TensorView d_out,
                        TensorView d_u) = 0;
};

}  // namespace tandem::training
