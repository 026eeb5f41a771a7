// An owning tensor: 64-byte aligned host memory plus a shape. Copies only through clone().
#pragma once

#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

#include "kernels/base/tensor_view.h"

namespace tandem {

class Tensor {
 public:
  Tensor() = default;
  /// Zero-filled.
  explicit Tensor(Shape shape, DType dtype = DType::F32) : Tensor(uninitialized(shape, dtype)) {
    std::memset(data_.get(), 0, static_cast<std::size_t>(bytes()));
  }
  /// Memory that the system commits only as it is written: for caches sized for the longest completion.
  static Tensor uninitialized(Shape shape, DType dtype = DType::F32) {
    Tensor tensor;
    tensor.shape_ = shape;
    tensor.dtype_ = dtype;
    const auto bytes = static_cast<std::size_t>(shape.elements() * element_bytes(dtype));
    tensor.data_.reset(std::aligned_alloc(64, (bytes + 63) / 64 * 64 + 64));
    if (!tensor.data_) throw std::bad_alloc();
    return tensor;
  }

  Tensor clone() const {
    Tensor copy = uninitialized(shape_, dtype_);
    std::memcpy(copy.data_.get(), data_.get(), static_cast<std::size_t>(bytes()));
    return copy;
  }

  /// The same elements under another shape.
  Tensor reshape(Shape shape) && {
    TANDEM_CHECK(data_ == nullptr || shape.elements() == shape_.elements(),
                 "cannot view " + shape_.str() + " as " + shape.str());
    if (data_ != nullptr) shape_ = shape;
    return std::move(*this);
  }

  TensorView view() const { return {data_.get(), dtype_, shape_}; }
  operator TensorView() const { return view(); }  // NOLINT(google-explicit-constructor)
  float* f32() const { return view().f32(); }
  void* data() const { return data_.get(); }
  const Shape& shape() const { return shape_; }
  DType dtype() const { return dtype_; }
  std::int64_t elements() const { return data_ ? shape_.elements() : 0; }
  std::int64_t bytes() const { return elements() * element_bytes(dtype_); }
  bool empty() const { return elements() == 0; }

 private:
  struct Free {
    void operator()(void* pointer) const { std::free(pointer); }
  };
  std::unique_ptr<void, Free> data_;
  Shape shape_;
  DType dtype_ = DType::F32;
};

}  // namespace tandem
