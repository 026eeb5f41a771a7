#include "kernels/ops/slots.h"

namespace tandem {
namespace {

std::int32_t* row_of(TensorView table, std::int64_t field) {
  return static_cast<std::int32_t*>(table.data()) + field * table.extent(1);
}

}  // namespace

void gather_slots(Context& context, TensorView table, std::span<const std::int32_t> slots, TensorView rows) {
  TANDEM_CHECK(table.rank() == 2 && table.dtype() == DType::I32 && rows.dtype() == DType::I32 &&
                   rows.shape() == Shape({table.extent(0), std::ssize(slots)}),
               "gather_slots: table " + table.shape().str() + ", " + std::to_string(slots.size()) +
                   " slots, rows " + rows.shape().str());
  if (DeviceQueue* queue = context.queue()) return queue->gather_slots(table, slots, rows);
  for (std::int64_t field = 0; field < table.extent(0); ++field)
    for (std::size_t b = 0; b < slots.size(); ++b) row_of(rows, field)[b] = row_of(table, field)[slots[b]];
}

void put_tokens(Context& context, std::span<const std::int32_t> tokens, std::span<const std::int32_t> slots,
                TensorView table) {
  TANDEM_CHECK(table.rank() == 2 && table.extent(0) >= 2 && table.dtype() == DType::I32 &&
                   tokens.size() == slots.size(),
               "put_tokens: " + std::to_string(tokens.size()) + " tokens, " + std::to_string(slots.size()) +
                   " slots, table " + table.shape().str());
  if (DeviceQueue* queue = context.queue()) return queue->put_tokens(tokens, slots, table);
  for (std::size_t b = 0; b < slots.size(); ++b) {
    row_of(table, 0)[slots[b]] = tokens[b];
    ++row_of(table, 1)[slots[b]];
  }
}

}  // namespace tandem
