// Kernels that go down the rows of a matrix and sum what each row adds to the gradients of parameters. Rows
// are cut into blocks of a fixed size whose partial sums are added in order, so that schedules change no bit.
#pragma once

#include "kernels/cuda/rowwise.cuh"

namespace tandem::cuda {

inline constexpr int kColumnwiseThreads = 128;
inline constexpr int kSumRows = 64;  // of one thread
inline constexpr int kTotalThreads = 128;

/// Where the sums of one kind go: that of column c is added to data[c * stride]. Null: nowhere.
struct Total {
  float* data;
  std::int64_t stride = 1;
};
template <int kSums>
struct Totals {
  Total of[kSums];
};

/// Calls treat.apply(row, column, sums) for every element; what it adds to sums goes to partials [blocks of
/// rows, kSums, columns].
template <int kSums, typename Treat>
__global__ void __launch_bounds__(kColumnwiseThreads)
    columnwise_kernel(std::int64_t rows, std::int64_t columns, Treat treat, float* partials) {
  const std::int64_t column = std::int64_t{blockIdx.x} * kColumnwiseThreads + threadIdx.x;
  if (column >= columns) return;
  const std::int64_t begin = std::int64_t{blockIdx.y} * kSumRows;
  const std::int64_t end = min(begin + kSumRows, rows);
  float sums[kSums] = {};
  for (std::int64_t row = begin; row < end; ++row) treat.apply(row, column, sums);
  TANDEM_UNROLL
  for (int s = 0; s < kSums; ++s) {
    partials[(std::int64_t{blockIdx.y} * kSums + s) * columns + column] = sums[s];
  }
}

/// Adds partials [blocks, kSums, columns] to the totals, in order. A thread per column.
template <int kSums>
__global__ void __launch_bounds__(kTotalThreads)
    total_kernel(std::int64_t blocks, std::int64_t columns, const float* partials, Totals<kSums> totals) {
  const std::int64_t column = std::int64_t{blockIdx.x} * kTotalThreads + threadIdx.x;
  if (column >= columns) return;
  TANDEM_UNROLL
  for (int s = 0; s < kSums; ++s) {
    if (totals.of[s].data == nullptr) continue;
    float* total = totals.of[s].data + column * totals.of[s].stride;
    float sum = *total;
    for (std::int64_t block = 0; block < blocks; ++block) {
      sum += partials[(block * kSums + s) * columns + column];
    }
    *total = sum;
  }
}

template <int kSums>
void launch_totals(Stream& stream, std::int64_t blocks, std::int64_t columns, const float* partials,
                   const Totals<kSums>& totals) {
  launch(stream, total_kernel<kSums>, Grid{ceil_div(columns, std::int64_t{kTotalThreads})},
         Block{kTotalThreads}, 0, blocks, columns, partials, totals);
}

/// Floats of scratch memory for `sums` sums a column.
inline std::int64_t columnwise_scratch(std::int64_t rows, std::int64_t columns, std::int64_t sums) {
  return ceil_div(rows, std::int64_t{kSumRows}) * columns * sums;
}

template <int kSums, typename Treat>
void launch_columnwise(Stream& stream, std::int64_t rows, std::int64_t columns, const Treat& treat,
                       float* scratch, const Totals<kSums>& totals) {
  const std::int64_t blocks = ceil_div(rows, std::int64_t{kSumRows});
  const Grid grid = {ceil_div(columns, std::int64_t{kColumnwiseThreads}), blocks};
  launch(stream, columnwise_kernel<kSums, Treat>, grid, Block{kColumnwiseThreads}, 0, rows, columns, treat,
         scratch);
  launch_totals(stream, blocks, columns, scratch, totals);
}

inline void check_scratch(const TensorView& scratch, std::int64_t floats, const char* op) {
  TANDEM_CHECK(floats == 0 || scratch.elements() >= floats,
               std::string(op) + ": scratch " + scratch.shape().str() + " of " + std::to_string(floats));
}

}  // namespace tandem::cuda
