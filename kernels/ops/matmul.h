// Matrix products, on the CPU by oneDNN. Weights are packed once at load; both entry points accumulate in
// f32.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "kernels/base/context.h"
#include "kernels/base/tensor_view.h"
#include "kernels/ops/block_format.h"

namespace tandem {

/// A weight W [out, in] of y = W x, reordered once into the layout the CPU's matrix product wants, or copied
/// as it is to the device that multiplies. Immutable, thread-safe, movable. The unpacked weight may be
/// dropped after packing.
class PackedMatrix {
 public:
  PackedMatrix();
  ~PackedMatrix();
  PackedMatrix(PackedMatrix&&) noexcept;
  PackedMatrix& operator=(PackedMatrix&&) noexcept;

  /// To where the context computes. Waits.
  /// @param weight [out, in] f32 or bf16, contiguous, on the host.
  /// @param type F32 or BF16, as far as product_type() has it.
  static PackedMatrix pack(Context& context, TensorView weight, DType type);
  /// For batches of many rows, as in training: one panel, whose products go straight into a dense y. With
  /// `transposed` it is W^T that is packed, for y [M, in] = x [M, out] W. On the calling thread.
  static PackedMatrix pack_whole(TensorView weight, bool transposed, DType type);
  /// A quantised weight, its parts' rows one under the other, that stays as its file stores it: single rows
  /// are multiplied by block_linear(). It is packed as well when a product of more rows first needs that.
  /// The blocks are borrowed for as long as the matrix lives. A device gets their values at once.
  static PackedMatrix keep(Context& context, std::vector<BlockRows> parts, DType type);
  /// A weight that lies on a device already, and stays there for as long as the matrix lives.
  static PackedMatrix borrow(TensorView weight);

  std::int64_t out() const;
  std::int64_t in() const;
  DType dtype() const;
  std::int64_t bytes() const;         // packed, whether that was needed yet or not
  std::int64_t single_bytes() const;  // of what a product of one row reads

  struct State;
  const State& state() const { return *state_; }

 private:
  static PackedMatrix empty(const TensorView& weight, bool transposed, DType type);

  std::unique_ptr<State> state_;
};

/// True where the CPU multiplies bf16 natively (AVX512-BF16 or AMX).
bool bf16_products_supported();
/// The type that a weight asked for as `wanted` has: BF16 only on a device and where
/// bf16_products_supported(), otherwise F32.
DType product_type(DType wanted, const Device* device = nullptr);

/// y [M, out] = x [M, in] W^T, or y += with `accumulate`. y f32; x f32, or bf16 when the weight is; rows may
/// be strided; y must not alias x. Threads of the context share columns of W when M is small, rows of x when
/// M is large.
void linear(Context& context, TensorView x, const PackedMatrix& weight, TensorView y,
            bool accumulate = false);

/// c [M, N] = alpha * a [M, K] b, with b [K, N], or [N, K] when transpose_b; c += with `accumulate`. All f32,
/// rows may be strided. On a device only with transpose_b and alpha 1.
void matmul(Context& context, TensorView a, TensorView b, bool transpose_b, TensorView c, float alpha = 1.0F,
            bool accumulate = false);

/// matmul on the calling thread alone, for the chunks of a parallel loop.
void matmul_here(TensorView a, TensorView b, bool transpose_b, TensorView c, float alpha = 1.0F,
                 bool accumulate = false);

/// c [M, N] = a^T b with a [K, M], b [K, N] (the gradient of a weight); c += with `accumulate`. All f32, rows
/// may be strided; or a and b bf16 where bf16_products_supported(), and c f32 and dense.
void matmul_transposed(Context& context, TensorView a, TensorView b, TensorView c, bool accumulate = false);

/// matmul_transposed on the calling thread alone, for the chunks of a parallel loop.
void matmul_transposed_here(TensorView a, TensorView b, TensorView c, bool accumulate = false);

}  // namespace tandem
