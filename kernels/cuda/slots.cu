#include "kernels/cuda/slots.h"

#include "kernels/cuda/launch.h"

namespace tandem::cuda {
namespace {

constexpr int kThreads = 128;

__global__ void __launch_bounds__(kThreads)
    gather_slots_kernel(const std::int32_t* table, int table_slots, const std::int32_t* slots, int count,
                        std::int32_t* rows) {
  const int b = static_cast<int>(blockIdx.x) * kThreads + static_cast<int>(threadIdx.x);
  const int field = static_cast<int>(blockIdx.y);
  if (b < count) rows[field * count + b] = table[field * table_slots + slots[b]];
}

__global__ void __launch_bounds__(kThreads)
    put_tokens_kernel(const std::int32_t* tokens, const std::int32_t* slots, int count, std::int32_t* table,
                      int table_slots) {
  const int b = static_cast<int>(blockIdx.x) * kThreads + static_cast<int>(threadIdx.x);
  if (b >= count) return;
  table[slots[b]] = tokens[b];
  ++table[table_slots + slots[b]];
}

std::int32_t* ids(TensorView view) {
  return static_cast<std::int32_t*>(view.data());
}

}  // namespace

void gather_slots(Stream& stream, TensorView table, std::span<const std::int32_t> slots, TensorView rows) {
  const std::int64_t count = std::ssize(slots);
  launch(stream, gather_slots_kernel, Grid{ceil_div(count, std::int64_t{kThreads}), table.extent(0)},
         Block{kThreads}, 0, ids(table), table.extent(1), slots.data(), count, ids(rows));
}

void put_tokens(Stream& stream, std::span<const std::int32_t> tokens, std::span<const std::int32_t> slots,
                TensorView table) {
  const std::int64_t count = std::ssize(slots);
  launch(stream, put_tokens_kernel, Grid{ceil_div(count, std::int64_t{kThreads})}, Block{kThreads}, 0,
         tokens.data(), slots.data(), count, ids(table), table.extent(1));
}

}  // namespace tandem::cuda
