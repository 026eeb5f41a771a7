// What the steps of a batch want of each slot, kept where the ops run: so that a step can start before the
// host knows what the last one drew.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/base/context.h"
#include "kernels/base/tensor_view.h"

namespace tandem {

/// rows [F, B] = columns `slots` of table [F, S], i32. Contiguous.
void gather_slots(Context& context, TensorView table, std::span<const std::int32_t> slots, TensorView rows);

/// After a draw: the slots' entries in row 0 of table [F, S] become tokens [B], those in row 1, their
/// positions, are one more. Slots are all different.
void put_tokens(Context& context, std::span<const std::int32_t> tokens, std::span<const std::int32_t> slots,
                TensorView table);

}  // namespace tandem
