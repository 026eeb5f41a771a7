// Sums over rows for the gradients of parameters that all rows share. The rows are cut into blocks of a fixed
// size whose partial sums are added in order, so the result does not depend on the number of threads.
#pragma once

#include <algorithm>

#include "kernels/base/parallel.h"

namespace tandem {

/// Calls body(row, partial) for each row; `partial` [width] is where that row adds its part. Afterwards
/// sums [width] += all partials. Rows of one block run in order on one thread.
template <typename Body>
void accumulate_rows(Context& context, std::int64_t rows, std::int64_t width, double row_ns, float* sums,
                     const Body& body) {
  constexpr std::int64_t kRows = 64;
  const std::int64_t blocks = (rows + kRows - 1) / kRows;
  const ScratchScope scope(context);
  float* partials = context.scratch(blocks * width);
  std::fill_n(partials, blocks * width, 0.0F);
  parallel_over(context, blocks, row_ns * kRows, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin * kRows; row < std::min(end * kRows, rows); ++row)
      body(row, partials + row / kRows * width);
  });
  for (std::int64_t block = 0; block < blocks; ++block)
    for (std::int64_t i = 0; i < width; ++i) sums[i] += partials[block * width + i];
}

}  // namespace tandem
