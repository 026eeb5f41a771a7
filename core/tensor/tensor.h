// An owning tensor: memory of the host, 64-byte aligned, or of a device, plus a shape. Copies only through
// clone() and those that name where to.
#pragma once

#include <cstring>
#include <utility>

#include "kernels/base/context.h"
#include "kernels/base/device.h"
#include "kernels/base/tensor_view.h"

namespace tandem {

class Tensor {
 public:
  Tensor() = default;
  /// On the host, zero-filled.
  explicit Tensor(Shape shape, DType dtype = DType::F32) : Tensor(uninitialized(shape, dtype)) {
    std::memset(data(), 0, static_cast<std::size_t>(bytes()));
  }
  /// Memory that the system commits only as it is written: for caches sized for the longest completion. On
  /// the host, or on a device.
  static Tensor uninitialized(Shape shape, DType dtype = DType::F32, Device* device = nullptr) {
    Tensor tensor;
    tensor.shape_ = shape;
    tensor.dtype_ = dtype;
    tensor.memory_ = Memory(device, shape.elements() * element_bytes(dtype));
    return tensor;
  }

  /// Of a tensor on the host.
  Tensor clone() const {
    TANDEM_CHECK(device() == nullptr, "clone() of a tensor on a device");
    Tensor copy = uninitialized(shape_, dtype_);
    std::memcpy(copy.data(), data(), static_cast<std::size_t>(bytes()));
    return copy;
  }
  /// Itself where it lies on the context's device already, else a copy there. Waits.
  Tensor on_device_of(Context& context) && {
    if (device() == context.device() || empty()) return std::move(*this);
    TANDEM_CHECK(device() == nullptr, "a tensor of one device was wanted on another");
    Tensor copy = uninitialized(shape_, dtype_, context.device());
    context.queue()->copy_in(copy.data(), data(), bytes());
    return copy;
  }
  /// Itself, or a copy on the host of what the context's device holds. Waits.
  Tensor on_host(Context& context) && {
    if (device() == nullptr || empty()) return std::move(*this);
    Tensor copy = uninitialized(shape_, dtype_);
    context.queue()->copy_out(copy.data(), data(), bytes());
    return copy;
  }

  /// The same elements under another shape.
  Tensor reshape(Shape shape) && {
    TANDEM_CHECK(data() == nullptr || shape.elements() == shape_.elements(),
                 "cannot view " + shape_.str() + " as " + shape.str());
    if (data() != nullptr) shape_ = shape;
    return std::move(*this);
  }

  TensorView view() const { return {data(), dtype_, shape_}; }
  operator TensorView() const { return view(); }  // NOLINT(google-explicit-constructor)
  float* f32() const { return view().f32(); }
  void* data() const { return memory_.get(); }
  Device* device() const { return memory_.device(); }
  const Shape& shape() const { return shape_; }
  DType dtype() const { return dtype_; }
  std::int64_t elements() const { return data() != nullptr ? shape_.elements() : 0; }
  std::int64_t bytes() const { return elements() * element_bytes(dtype_); }
  bool empty() const { return elements() == 0; }

 private:
  Memory memory_;
  Shape shape_;
  DType dtype_ = DType::F32;
};

}  // namespace tandem
