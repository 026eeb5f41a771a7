// A borrowed, row-major view of tensor data. Passed by value; never owns.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>

#include "kernels/base/check.h"
#include "kernels/base/dtype.h"

namespace tandem {

inline constexpr int kMaxRank = 4;

/// Extents of up to four dimensions. A default Shape has rank 0 and one element.
class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<std::int64_t> extents) {
    TANDEM_CHECK(extents.size() <= kMaxRank, "a shape has at most 4 extents");
    for (std::int64_t e : extents) extents_[static_cast<std::size_t>(rank_++)] = e;
  }
  int rank() const { return rank_; }
  std::int64_t operator[](int i) const { return extents_[static_cast<std::size_t>(i < 0 ? rank_ + i : i)]; }
  std::int64_t elements() const {
    std::int64_t n = 1;
    for (int i = 0; i < rank_; ++i) n *= extents_[static_cast<std::size_t>(i)];
    return n;
  }
  bool operator==(const Shape& other) const {
    if (rank_ != other.rank_) return false;
    for (int i = 0; i < rank_; ++i)
      if ((*this)[i] != other[i]) return false;
    return true;
  }
  /// "[2, 3]"
  std::string str() const {
    std::string text = "[";
    for (int i = 0; i < rank_; ++i) text += (i ? ", " : "") + std::to_string((*this)[i]);
    return text + "]";
  }

 private:
  std::array<std::int64_t, kMaxRank> extents_{};
  int rank_ = 0;
};

/// Row-major; the last extent is contiguous; `stride(0)` of a matrix may exceed its width (a slice of
/// columns). Strides are in elements.
class TensorView {
 public:
  TensorView() = default;
  TensorView(float* data, Shape shape) : TensorView(data, DType::F32, shape) {}
  TensorView(void* data, DType dtype, Shape shape) : data_(data), dtype_(dtype), shape_(shape) {
    std::int64_t stride = 1;
    for (int i = shape.rank() - 1; i >= 0; --i) {
      strides_[static_cast<std::size_t>(i)] = stride;
      stride *= shape[i];
    }
  }

  void* data() const { return data_; }
  DType dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  int rank() const { return shape_.rank(); }
  std::int64_t extent(int i) const { return shape_[i]; }
  std::int64_t stride(int i) const { return strides_[static_cast<std::size_t>(i < 0 ? rank() + i : i)]; }
  std::int64_t elements() const { return shape_.elements(); }
  bool empty() const { return data_ == nullptr || elements() == 0; }
  bool contiguous() const {
    std::int64_t stride = 1;
    for (int i = rank() - 1; i >= 0; --i) {
      if (shape_[i] != 1 && this->stride(i) != stride) return false;
      stride *= shape_[i];
    }
    return true;
  }

  float* f32() const {
    TANDEM_CHECK(dtype_ == DType::F32, std::string("expected F32, found ") + dtype_name(dtype_));
    return static_cast<float*>(data_);
  }
  /// Row i of the outermost extent.
  float* row(std::int64_t i) const { return f32() + i * stride(0); }

  /// Columns [begin, begin+count) of a matrix [rows, cols], without copying.
  TensorView columns(std::int64_t begin, std::int64_t count) const {
    TANDEM_CHECK(rank() == 2 && begin >= 0 && begin + count <= extent(1),
                 "columns() outside " + shape_.str());
    TensorView view = *this;
    view.data_ = static_cast<char*>(data_) + begin * element_bytes(dtype_);
    view.shape_ = Shape{extent(0), count};
    return view;
  }
  /// Rows [begin, begin+count) of the outermost extent.
  TensorView rows(std::int64_t begin, std::int64_t count) const {
    TANDEM_CHECK(rank() >= 1 && begin >= 0 && begin + count <= extent(0), "rows() outside " + shape_.str());
    TensorView view = *this;
    view.data_ = static_cast<char*>(data_) + begin * stride(0) * element_bytes(dtype_);
    switch (rank()) {
      case 1:
        view.shape_ = Shape{count};
        break;
      case 2:
        view.shape_ = Shape{count, extent(1)};
        break;
      case 3:
        view.shape_ = Shape{count, extent(1), extent(2)};
        break;
      default:
        view.shape_ = Shape{count, extent(1), extent(2), extent(3)};
        break;
    }
    return view;
  }
  /// The same contiguous elements under another shape.
  TensorView reshape(Shape shape) const {
    TANDEM_CHECK(contiguous() && shape.elements() == elements(),
                 "cannot view " + shape_.str() + " as " + shape.str());
    return {data_, dtype_, shape};
  }

 private:
  void* data_ = nullptr;
  DType dtype_ = DType::F32;
  Shape shape_;
  std::array<std::int64_t, kMaxRank> strides_{};
};

}  // namespace tandem
