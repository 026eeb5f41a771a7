#include "kernels/cuda/embedding_backward.h"

#include "kernels/cuda/reduce.cuh"
#include "kernels/cuda/rowwise.cuh"

namespace tandem::cuda {
namespace {

constexpr int kThreads = 128;

/// Block: a token.
__global__ void __launch_bounds__(kThreads)
    embedding_backward_kernel(const std::int32_t* ids, int tokens, Matrix<float> d_x, Matrix<float> d_table,
                              std::int64_t channels) {
  const int token = static_cast<int>(blockIdx.x);
  const int thread = static_cast<int>(threadIdx.x);
  const std::int32_t id = ids[token];
  float seen = 0.0F;
  for (int t = thread; t < token; t += kThreads) {
    if (ids[t] == id) seen = 1.0F;
  }
  if (block_max<kThreads>(seen) > 0.0F) return;  // an earlier token's block adds for this one
  for (int t = token; t < tokens; ++t) {
    if (ids[t] != id) continue;
    for (std::int64_t c = thread; c < channels; c += kThreads) *d_table.at(id, c) += *d_x.at(t, c);
  }
}

}  // namespace

void embedding_backward(Stream& stream, std::span<const std::int32_t> ids, TensorView d_x,
                        TensorView d_table) {
  TANDEM_CHECK(d_table.rank() == 2 && d_x.rank() == 2 && d_x.extent(1) == d_table.extent(1) &&
                   d_x.extent(0) == std::ssize(ids),
               "embedding_backward: d_table " + d_table.shape().str() + ", " + std::to_string(ids.size()) +
                   " ids, d_x " + d_x.shape().str());
  launch(stream, embedding_backward_kernel, Grid{std::ssize(ids)}, Block{kThreads}, 0, ids.data(),
         std::ssize(ids), matrix(d_x), matrix(d_table), d_x.extent(1));
}

}  // namespace tandem::cuda
