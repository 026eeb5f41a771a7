// The table of slots on the device: the operands of kernels/ops/slots.h. Launch: a thread per slot and field.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/base/tensor_view.h"
#include "kernels/cuda/stream.h"

namespace tandem::cuda {

/// rows [F, B] = columns `slots` of table [F, S], i32, contiguous; slots on the device, not checked.
void gather_slots(Stream& stream, TensorView table, std::span<const std::int32_t> slots, TensorView rows);

/// Row 0 of table [F, S] takes tokens [B] at the slots, all different; row 1 is one more there. All on the
/// device, not checked.
void put_tokens(Stream& stream, std::span<const std::int32_t> tokens, std::span<const std::int32_t> slots,
                TensorView table);

}  // namespace tandem::cuda
