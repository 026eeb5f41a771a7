#include "kernels/ops/embedding.h"

#include <algorithm>

#include "kernels/base/parallel.h"

namespace tandem {
namespace {

constexpr double kCopyNs = 0.1;  // of one element

void check_shapes(std::span<const std::int32_t> ids, const Shape& table, const TensorView& x) {
  TANDEM_CHECK(
      table.rank() == 2 && x.rank() == 2 && x.extent(1) == table[1] &&
          x.extent(0) == static_cast<std::int64_t>(ids.size()),
      "embedding: table " + table.str() + ", " + std::to_string(ids.size()) + " ids, x " + x.shape().str());
}

void check_ids(std::span<const std::int32_t> ids, std::int64_t rows) {
  for (const std::int32_t id : ids)
    TANDEM_CHECK(id >= 0 && id < rows, "embedding: id " + std::to_string(id) + " of " + std::to_string(rows));
}

void copy_row(const TensorView& table, std::int64_t row, float* x) {
  const std::int64_t width = table.extent(1);
  if (table.dtype() == DType::F32) {
    std::copy_n(table.row(row), width, x);
    return;
  }
  TANDEM_CHECK(table.dtype() == DType::BF16, "embedding: the table is f32 or bf16");
  const BFloat16* stored = static_cast<const BFloat16*>(table.data()) + row * table.stride(0);
  std::transform(stored, stored + width, x, to_float);
}

}  // namespace

void embedding(Context& context, TensorView table, std::span<const std::int32_t> ids, TensorView x) {
  check_shapes(ids, table.shape(), x);
  if (DeviceQueue* queue = context.queue()) return queue->embedding(table, ids, x);
  check_ids(ids, table.extent(0));
  parallel_over(context, x.extent(0), kCopyNs * static_cast<double>(x.extent(1)),
                [&](std::int64_t begin, std::int64_t end) {
                  for (std::int64_t t = begin; t < end; ++t)
                    copy_row(table, ids[static_cast<std::size_t>(t)], x.row(t));
                });
}

void embedding(Context& context, const BlockRows& table, std::span<const std::int32_t> ids, TensorView x) {
  check_shapes(ids, {table.rows, table.columns}, x);
  check_ids(ids, table.rows);
  constexpr double kExpandNs = 1;  // one element
  parallel_over(context, x.extent(0), kExpandNs * static_cast<double>(x.extent(1)),
                [&](std::int64_t begin, std::int64_t end) {
                  for (std::int64_t t = begin; t < end; ++t)
                    dequantize(table.format, table.row(ids[static_cast<std::size_t>(t)]), table.columns,
                               x.row(t));
                });
}

void embedding_backward(Context& context, std::span<const std::int32_t> ids, TensorView d_x,
                        TensorView d_table) {
  check_shapes(ids, d_table.shape(), d_x);
  if (DeviceQueue* queue = context.queue()) return queue->embedding_backward(ids, d_x, d_table);
  check_ids(ids, d_table.extent(0));
  // Ids repeat, so threads share the channels, not the rows.
  constexpr std::int64_t kChannels = 32;
  const std::int64_t width = d_x.extent(1);
  const double block_ns = kCopyNs * static_cast<double>(kChannels * d_x.extent(0));
  parallel_over(context, (width + kChannels - 1) / kChannels, block_ns,
                [&](std::int64_t begin, std::int64_t end) {
                  const std::int64_t last = std::min(end * kChannels, width);
                  for (std::int64_t t = 0; t < d_x.extent(0); ++t) {
                    float* sum = d_table.row(ids[static_cast<std::size_t>(t)]);
                    for (std::int64_t c = begin * kChannels; c < last; ++c) sum[c] += d_x.row(t)[c];
                  }
                });
}

}  // namespace tandem
