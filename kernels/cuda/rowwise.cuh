// Kernels that treat every element of a matrix, or every few neighbours in a row, for themselves.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/base/tensor_view.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/vector.cuh"

namespace tandem::cuda {

/// A matrix whose rows are `stride` elements apart.
template <typename Element>
struct Matrix {
  Element* data;
  std::int64_t stride;

  __device__ __forceinline__ Element* at(std::int64_t row, std::int64_t column) const {
    return data + row * stride + column;
  }
};
inline Matrix<float> matrix(const TensorView& view) {
  return {view.f32(), view.stride(0)};
}
/// Of a view whose type is known to be Element's.
template <typename Element>
Matrix<Element> matrix_of(const TensorView& view) {
  return {static_cast<Element*>(view.data()), view.stride(0)};
}
/// That of an operand that may be left out: then its data is null.
inline Matrix<float> matrix_or_null(const TensorView& view) {
  return view.data() == nullptr ? Matrix<float>{nullptr, 0} : matrix(view);
}

__device__ __forceinline__ float silu(float x) {
  return x / (1.0F + expf(-x));
}
__device__ __forceinline__ float softplus(float x) {
  return fmaxf(x, 0.0F) + log1pf(expf(-fabsf(x)));
}

inline constexpr int kRowwiseThreads = 256;

/// Calls treat.template apply<kWidth>(row, column) for every kWidth-th column of every row.
template <int kWidth, typename Treat>
__global__ void __launch_bounds__(kRowwiseThreads)
    rowwise_kernel(std::int64_t rows, std::int64_t columns, Treat treat) {
  const std::int64_t column =
      (std::int64_t{blockIdx.x} * kRowwiseThreads + std::int64_t{threadIdx.x}) * kWidth;
  if (column >= columns) return;
  for (std::int64_t row = blockIdx.y; row < rows; row += gridDim.y) treat.template apply<kWidth>(row, column);
}

/// `wide`: whether all operands are vectorizable().
template <typename Treat>
void launch_rowwise(Stream& stream, std::int64_t rows, std::int64_t columns, bool wide, const Treat& treat) {
  constexpr std::int64_t kMaxBlocks = 65535;
  const int width = wide ? kVector : 1;
  const Grid grid = {ceil_div(columns, std::int64_t{kRowwiseThreads} * width), std::min(rows, kMaxBlocks)};
  const auto kernel = wide ? rowwise_kernel<kVector, Treat> : rowwise_kernel<1, Treat>;
  launch(stream, kernel, grid, Block{kRowwiseThreads}, 0, rows, columns, treat);
}

}  // namespace tandem::cuda
