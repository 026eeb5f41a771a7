#include "kernels/cuda/rope.h"

#include "kernels/cuda/rowwise.cuh"

namespace tandem::cuda {
namespace {

constexpr int kThreads = 128;
constexpr int kHeads = 8;  // of one block
constexpr int kMaxPairs = 128;

__global__ void __launch_bounds__(kThreads)
    rope_kernel(Matrix<float> x, int heads, const std::int32_t* positions, const float* frequencies, int half,
                float direction) {
  TANDEM_SHARED(float, sines, kMaxPairs);
  TANDEM_SHARED(float, cosines, kMaxPairs);
  const std::int64_t row = blockIdx.x;
  const auto position =
      static_cast<float>(positions == nullptr ? row : std::int64_t{positions[row]}) * direction;
  const int thread = static_cast<int>(threadIdx.x);
  for (int m = thread; m < half; m += kThreads) sincosf(position * frequencies[m], sines + m, cosines + m);
  __syncthreads();
  const int first = static_cast<int>(blockIdx.y) * kHeads;
  const int pairs = min(kHeads, heads - first) * half;
  for (int i = thread; i < pairs; i += kThreads) {
    const int m = i % half;
    float* low = x.at(row, std::int64_t{first + i / half} * 2 * half + m);
    float* high = low + half;
    const float a = *low;
    const float b = *high;
    *low = a * cosines[m] - b * sines[m];
    *high = a * sines[m] + b * cosines[m];
  }
}

template <typename Element>
struct KeysAndValues {
  Element *keys, *values;  // [slots, K, capacity, D]
  const std::int32_t* slots;
  std::int64_t heads, capacity, first;

  /// Where number `at` of head `head` of the newest token goes in a cache.
  __device__ std::int64_t entry(std::int64_t row, int position, int head, int headdim, int at) const {
    return ((slots[row] * heads + head) * capacity + position - first) * headdim + at;
  }
};

/// Block: some heads of a row of qkv, queries first, then keys and values.
template <typename Element>
__global__ void __launch_bounds__(kThreads)
    rope_append_kernel(Matrix<float> qkv, int nheads, const std::int32_t* positions, const float* frequencies,
                       int half, KeysAndValues<Element> own) {
  TANDEM_SHARED(float, sines, kMaxPairs);
  TANDEM_SHARED(float, cosines, kMaxPairs);
  const std::int64_t row = blockIdx.x;
  const int position = positions[row];
  const int thread = static_cast<int>(threadIdx.x);
  for (int m = thread; m < half; m += kThreads)
    sincosf(static_cast<float>(position) * frequencies[m], sines + m, cosines + m);
  __syncthreads();
  const int kv_heads = static_cast<int>(own.heads);
  const int first = static_cast<int>(blockIdx.y) * kHeads;
  const int pairs = min(kHeads, nheads + 2 * kv_heads - first) * half;
  for (int i = thread; i < pairs; i += kThreads) {
    const int head = first + i / half;
    const int m = i % half;
    float* low = qkv.at(row, std::int64_t{head} * 2 * half + m);
    const float a = low[0];
    const float b = low[half];
    const float turned_a = a * cosines[m] - b * sines[m];
    const float turned_b = a * sines[m] + b * cosines[m];
    if (head < nheads) {
      low[0] = turned_a;
      low[half] = turned_b;
      continue;
    }
    const bool is_key = head < nheads + kv_heads;
    const int kv_head = head - nheads - (is_key ? 0 : kv_heads);
    Element* to = (is_key ? own.keys : own.values) + own.entry(row, position, kv_head, 2 * half, m);
    store<1>(to, Floats<1>{{is_key ? turned_a : a}});
    store<1>(to + half, Floats<1>{{is_key ? turned_b : b}});
  }
}

template <typename Element>
void launch_rope_append(Stream& stream, TensorView qkv, std::int64_t nheads,
                        std::span<const float> frequencies, const SlotCaches& own) {
  const std::int64_t heads = nheads + 2 * own.keys.extent(1);
  launch(
      stream, rope_append_kernel<Element>, Grid{qkv.extent(0), ceil_div(heads, std::int64_t{kHeads})},
      Block{kThreads}, 0, matrix(qkv), nheads, own.positions.data(), frequencies.data(),
      std::ssize(frequencies),
      KeysAndValues<Element>{static_cast<Element*>(own.keys.data()), static_cast<Element*>(own.values.data()),
                             own.slot_ids.data(), own.keys.extent(1), own.keys.extent(2), own.first});
}

void rotate(Stream& stream, TensorView x, std::int64_t heads, std::span<const std::int32_t> positions,
            std::span<const float> frequencies, float direction) {
  const std::int64_t half = std::ssize(frequencies);
  TANDEM_CHECK(x.rank() == 2 && x.extent(1) == heads * 2 * half && half <= kMaxPairs &&
                   (positions.empty() || x.extent(0) == std::ssize(positions)),
               "rope: x " + x.shape().str() + " for " + std::to_string(heads) + " heads, " +
                   std::to_string(positions.size()) + " positions and " + std::to_string(half) +
                   " frequencies");
  launch(stream, rope_kernel, Grid{x.extent(0), ceil_div(heads, std::int64_t{kHeads})}, Block{kThreads}, 0,
         matrix(x), heads, positions.empty() ? nullptr : positions.data(), frequencies.data(), half,
         direction);
}

}  // namespace

void rope(Stream& stream, TensorView x, std::int64_t heads, std::span<const std::int32_t> positions,
          std::span<const float> frequencies) {
  rotate(stream, x, heads, positions, frequencies, 1.0F);
}

void rope_append(Stream& stream, TensorView qkv, std::int64_t nheads, std::span<const float> frequencies,
                 const SlotCaches& own) {
  const std::int64_t half = std::ssize(frequencies);
  const bool caches = own.keys.rank() == 4 && own.keys.contiguous() && own.values.contiguous() &&
                      own.keys.shape() == own.values.shape() && own.keys.dtype() == own.values.dtype();
  TANDEM_CHECK(
      caches && half <= kMaxPairs && own.keys.extent(3) == 2 * half &&
          qkv.shape() == Shape({std::ssize(own.slot_ids), (nheads + 2 * own.keys.extent(1)) * 2 * half}) &&
          own.positions.size() == own.slot_ids.size(),
      "rope_append: " + qkv.shape().str() + " for " + std::to_string(nheads) + " query heads, " +
          std::to_string(own.slot_ids.size()) + " slots, keys " + own.keys.shape().str() + ", values " +
          own.values.shape().str());
  const auto run = own.keys.dtype() == DType::F32 ? launch_rope_append<float> : launch_rope_append<BFloat16>;
  run(stream, qkv, nheads, frequencies, own);
}

void rope_backward(Stream& stream, TensorView d_x, std::int64_t heads,
                   std::span<const std::int32_t> positions, std::span<const float> frequencies) {
  rotate(stream, d_x, heads, positions, frequencies, -1.0F);
}

}  // namespace tandem::cuda
