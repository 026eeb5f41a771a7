// One decode step of a Mamba-2 mixer on the device, between its projections: the operands of
// kernels/ops/ssm_step.h.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/base/tensor_view.h"
#include "kernels/cuda/stream.h"
#include "kernels/ops/ssm_step.h"

namespace tandem::cuda {

/// Row r goes on from window and state of slot slots[r] (on the device, all different). windows
/// [slots, (W-1) * columns of input], W up to 16; states [slots, H*P*N], f32 or bf16, N a multiple of 4 up to
/// 256, or any up to 128; y [R, H*P]. Sums are f32. Launch: a block of 256 threads per row and head, which
/// convolves what its head reads, then updates the head's state, four rows a thread at a time, neighbours in a
/// warp being neighbours in a row. Where heads share x, B or C the windows move on in a launch of their own, a
/// thread per row and four channels. Moves 2 * R * H*P*N elements of state, 2 * R * (W-1) of window per column
/// of input, and the operands once. With a ring of L, at most 16, blocks gather the inputs since their state
/// was written, and write it when there are L: R * H*P*N * (1 + 1/L) elements of state, and (L-1)/2 * (P+N)
/// floats of inputs per row and head, most of them from the cache. The ring's positions lie on the device.
void ssm_step(Stream& stream, const SsmStep& step, TensorView windows, TensorView states,
              std::span<const std::int32_t> slots, TensorView y);

}  // namespace tandem::cuda
