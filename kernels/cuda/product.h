// Matrix products by cuBLASLt. Not part of an emulated build.
#pragma once

#include <memory>

#include "kernels/base/device.h"
#include "kernels/cuda/stream.h"

namespace tandem::cuda {

/// y = or += x W^T. With a weight W [out, in] in f32 everything is f32's; with one in bf16 x is rounded to
/// that, and sums are f32's. What cuBLASLt's heuristics say of a shape is asked once. Confined to a thread
/// and a stream.
class Product {
 public:
  Product();
  ~Product();
  Product(const Product&) = delete;
  Product& operator=(const Product&) = delete;

  /// Floats of scratch memory that run() wants.
  static std::int64_t scratch(TensorView x, TensorView weight);
  /// x [rows, in], y [rows, out] f32, rows may be strided; weight [out, in] f32 or bf16, contiguous.
  void run(Stream& stream, TensorView x, TensorView weight, TensorView y, bool accumulate,
           TensorView scratch);

  struct Factor {
    TensorView matrix;  // rows may be strided
    bool transposed = false;
  };
  /// c = or += a b, with factors of one type, f32 or bf16, and c f32.
  void multiply(Stream& stream, const Factor& a, const Factor& b, TensorView c, bool accumulate);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tandem::cuda
