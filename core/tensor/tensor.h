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
  explicit Tensor(Shape shape, DType dtype = DType::F32) : shape_(shape), dtype_(dtype) {
    const auto bytes = static_cast<std::size_t>(shape.elements() * element_bytes(dtype));
    void* memory = std::aligned_alloc(64, (bytes + 63) / 64 * 64 + 64);
    if (memory == nullptr) throw std::bad_alloc();
    std::memset(memory, 0, bytes);
    data_.reset(memory);
  }

  Tensor clone() const {
    Tensor copy(shape_, dtype_);
    std::memcpy(copy.data_.get(), data_.get(), static_cast<std::size_t>(bytes()));
    return copy;
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
