// A device that computes beside the CPU: its memory, and a queue of work with one function for each op that
// models and their training need. The ops in kernels/ops call it when their Context is bound to one; what
// implements it is found at run time (core/devices).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>

#include "kernels/base/tensor_view.h"

namespace tandem {

enum class ConvActivation;
enum class KlDirection;
struct AdamWRule;
struct Draws;
struct SamplingRule;
struct SharedPrefix;
struct SlotCaches;
struct SsdGradients;
struct SsdOperands;
struct SelectiveOperands;
struct SsmStep;

/// A call to a device failed: which one, why, and where.
class DeviceError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};
/// More device memory was asked for than there is.
class DeviceMemoryError : public DeviceError {
 public:
  using DeviceError::DeviceError;
};

/// Work that a queue recorded, to be repeated.
class DeviceRecording {
 public:
  virtual ~DeviceRecording() = default;
};

/// Values on their way to the host. Not to outlive its queue.
class DeviceRead {
 public:
  virtual ~DeviceRead() = default;
  /// Waits for them; they are there as long as this is.
  virtual const void* wait() = 0;
};

/// Work runs in the order in which it was given, some time later. Every pointer, in views and in spans, is to
/// the device's memory; only copies know both sides, and lists of heads are the host's. Operands are those of
/// the op of the same name in kernels/ops. Confined to one thread. Throws DeviceError.
class DeviceQueue {
 public:
  virtual ~DeviceQueue() = default;

  /// Waits until everything given is done.
  virtual void synchronize() = 0;
  /// The host's memory may be used again when the call returns.
  virtual void copy_in(void* to, const void* from, std::int64_t bytes) = 0;
  /// Waits for what was copied, so for all work before it.
  virtual void copy_out(void* to, const void* from, std::int64_t bytes) = 0;
  /// The same without waiting.
  virtual std::unique_ptr<DeviceRead> start_copy_out(const void* from, std::int64_t bytes) = 0;

  /// Ops given between these two are not done but recorded, to be repeated on the same operands. Nothing else
  /// may be given meanwhile: no copies in or out.
  virtual void start_recording() = 0;
  virtual std::unique_ptr<DeviceRecording> finish_recording() = 0;
  virtual void repeat(const DeviceRecording& recording) = 0;

  virtual void copy(TensorView from, TensorView to) = 0;
  virtual void clear(TensorView x) = 0;
  virtual void repeat_heads(TensorView x, std::int64_t heads, std::int64_t nheads, TensorView y) = 0;
  virtual void embedding(TensorView table, std::span<const std::int32_t> ids, TensorView x) = 0;
  /// y = or += x W^T; weight [out, in] f32 or bf16.
  virtual void linear(TensorView x, TensorView weight, TensorView y, bool accumulate) = 0;

  virtual void rms_norm(TensorView x, TensorView weight, float eps, TensorView y) = 0;
  virtual void add_rms_norm(TensorView x, TensorView residual, TensorView weight, float eps,
                            TensorView y) = 0;
  virtual void gated_group_norm(TensorView y, TensorView z, TensorView weight, std::int64_t group,
                                float eps) = 0;
  virtual void swiglu(TensorView gate, TensorView up, TensorView out) = 0;
  virtual void silu_gate(TensorView y, TensorView z, TensorView bias) = 0;
  virtual void discrete_log_decay(TensorView a_log, TensorView log_decay) = 0;
  virtual void stepped_log_decay(TensorView dt_raw, TensorView dt_bias, TensorView a_log, TensorView dt,
                                 TensorView log_decay) = 0;
  virtual void step_sizes(TensorView dt_raw, TensorView dt_bias, TensorView dt) = 0;
  virtual void add(TensorView x, TensorView y) = 0;

  virtual void rope(TensorView x, std::int64_t heads, std::span<const std::int32_t> positions,
                    std::span<const float> frequencies) = 0;
  virtual void append_heads(TensorView x, std::span<const std::int32_t> slots,
                            std::span<const std::int32_t> positions, std::int64_t first,
                            TensorView cache) = 0;
  virtual void rope_append(TensorView qkv, std::int64_t nheads, std::span<const float> frequencies,
                           const SlotCaches& own) = 0;
  virtual void causal_attention(TensorView q, TensorView k, TensorView v, std::int64_t nheads,
                                std::int64_t nheads_kv, float scale, TensorView out) = 0;
  virtual void decode_attention(TensorView q, const SharedPrefix& prefix, const SlotCaches& own,
                                std::int64_t nheads, std::int64_t nheads_kv, float scale, TensorView out) = 0;
  virtual void attention_matrix(TensorView q, TensorView k, std::int64_t nheads, std::int64_t nheads_kv,
                                float scale, std::span<const std::int64_t> heads, TensorView m) = 0;

  virtual void causal_conv(TensorView x, TensorView weight, TensorView bias, ConvActivation activation,
                           TensorView window, TensorView y) = 0;
  virtual void causal_conv_step(TensorView x, TensorView weight, TensorView bias, ConvActivation activation,
                                TensorView windows, std::span<const std::int32_t> slots, TensorView y) = 0;
  virtual void ssm_step(const SsmStep& step, TensorView windows, TensorView states,
                        std::span<const std::int32_t> slots, TensorView y) = 0;
  virtual void ssd_scan(const SsdOperands& operands, TensorView state, std::int64_t chunk, TensorView y) = 0;
  virtual void ssd_matrix(const SsdOperands& operands, std::span<const std::int64_t> heads, TensorView decay,
                          TensorView content, TensorView m) = 0;
  virtual void selective_step(const SelectiveOperands& operands, TensorView states,
                              std::span<const std::int32_t> slots, TensorView y) = 0;
  virtual void selective_scan(const SelectiveOperands& operands, TensorView state, TensorView y) = 0;
  virtual void selective_matrix(const SelectiveOperands& operands, std::span<const std::int64_t> heads,
                                std::int64_t nheads, TensorView m) = 0;

  /// Four sums over each pair of matrices of m and a [H, T, T], in sums [H, 4]: (m - a)^2, m^2, a^2, m a.
  virtual void matrix_sums(TensorView m, TensorView a, TensorView sums) = 0;

  virtual void sample(TensorView logits, std::int64_t vocab, const SamplingRule& rule, const Draws& draws,
                      std::span<std::int32_t> tokens, std::span<float> logprobs) = 0;
  virtual void gather_slots(TensorView table, std::span<const std::int32_t> slots, TensorView rows) = 0;
  virtual void put_tokens(std::span<const std::int32_t> tokens, std::span<const std::int32_t> slots,
                          TensorView table) = 0;

  virtual void linear_backward(TensorView x, TensorView weight, TensorView d_y, TensorView d_x,
                               TensorView d_weight) = 0;
  virtual void embedding_backward(std::span<const std::int32_t> ids, TensorView d_x, TensorView d_table) = 0;
  virtual void rms_norm_backward(TensorView x, TensorView weight, float eps, TensorView d_y, TensorView d_x,
                                 TensorView d_weight) = 0;
  virtual void gated_group_norm_backward(TensorView y, TensorView z, TensorView weight, std::int64_t group,
                                         float eps, TensorView d_out, TensorView d_y, TensorView d_z,
                                         TensorView d_weight) = 0;
  virtual void swiglu_backward(TensorView gate, TensorView up, TensorView d_out, TensorView d_gate,
                               TensorView d_up) = 0;
  virtual void silu_gate_backward(TensorView y, TensorView z, TensorView bias, TensorView d_out,
                                  TensorView d_y, TensorView d_z, TensorView d_bias) = 0;
  virtual void discrete_log_decay_backward(TensorView a_log, TensorView d_log_decay, TensorView d_a_log) = 0;
  virtual void stepped_log_decay_backward(TensorView dt_raw, TensorView dt_bias, TensorView a_log,
                                          TensorView d_dt, TensorView d_log_decay, TensorView d_dt_raw,
                                          TensorView d_dt_bias, TensorView d_a_log) = 0;
  virtual void rope_backward(TensorView d_x, std::int64_t heads, std::span<const std::int32_t> positions,
                             std::span<const float> frequencies) = 0;
  virtual void causal_attention_backward(TensorView q, TensorView k, TensorView v, TensorView d_out,
                                         std::int64_t nheads, std::int64_t nheads_kv, float scale,
                                         TensorView d_q, TensorView d_k, TensorView d_v) = 0;
  virtual void causal_conv_backward(TensorView x, TensorView weight, TensorView bias,
                                    ConvActivation activation, TensorView d_y, TensorView d_x,
                                    TensorView d_weight, TensorView d_bias) = 0;
  virtual void ssd_scan_backward(const SsdOperands& operands, TensorView initial_state, std::int64_t chunk,
                                 TensorView d_y, TensorView d_state, const SsdGradients& gradients) = 0;
  virtual void ssd_matrix_backward(const SsdOperands& operands, TensorView d_m,
                                   const SsdGradients& gradients) = 0;
  virtual void add_diagonals(TensorView values, TensorView m) = 0;

  /// losses, a number for each row or matrix, add up to the loss.
  virtual void cross_entropy_loss(TensorView logits, std::span<const std::int32_t> targets,
                                  std::span<const float> weights, TensorView d_logits, TensorView losses) = 0;
  virtual void binary_cross_entropy_loss(TensorView scores, std::span<const std::int32_t> targets,
                                         std::span<const float> weights, TensorView d_scores,
                                         TensorView losses) = 0;
  virtual void kl_loss(TensorView student, TensorView teacher, KlDirection direction,
                       std::span<const float> weights, TensorView d_student, TensorView losses) = 0;
  virtual void frobenius_loss(TensorView m, TensorView target, float weight, TensorView d_m,
                              TensorView losses) = 0;
  virtual void l2_loss(TensorView y, TensorView target, std::span<const float> weights, TensorView d_y,
                       TensorView losses) = 0;
  virtual void row_norms(TensorView rows, TensorView norms) = 0;
  virtual void adamw(TensorView gradient, const AdamWRule& rule, TensorView value, TensorView m,
                     TensorView v) = 0;
  /// sums [squares_count()] add up to that of x's squares.
  virtual void sums_of_squares(TensorView x, TensorView sums) = 0;
};

struct DeviceInfo {
  std::string id;                 // "cuda:0"
  std::string name;               // as its maker calls it
  std::int64_t memory_bytes = 0;  // in all
  std::int64_t cache_bytes = 0;   // what all of it shares; 0: unknown
};

/// Changes whenever the classes here do: a module built for another one is not used.
inline constexpr int kDeviceInterface = 4;

/// Thread-safe. Lives as long as the program. Throws DeviceError.
class Device {
 public:
  virtual ~Device() = default;
  virtual const DeviceInfo& info() const = 0;
  virtual std::int64_t free_bytes() const = 0;
  /// Takes that much at once; what is allocated from then on comes out of it as long as it lasts, and what is
  /// left when all of that was released goes back. Throws DeviceMemoryError.
  virtual void reserve(std::int64_t bytes) = 0;
  /// Memory for at least `bytes`, aligned for every kernel, not initialised. Throws DeviceMemoryError.
  virtual void* allocate(std::int64_t bytes) = 0;
  virtual void release(void* memory) = 0;
  virtual std::unique_ptr<DeviceQueue> make_queue() = 0;
};

/// Gives memory back to a device, or, without one, to the host.
struct ReleaseMemory {
  Device* device = nullptr;
  void operator()(void* memory) const;
};

/// Memory of a device, or, without one, of the host (64-byte aligned); not initialised.
class Memory {
 public:
  Memory() = default;
  Memory(Device* device, std::int64_t bytes);

  void* get() const { return data_.get(); }
  Device* device() const { return data_.get_deleter().device; }

 private:
  std::unique_ptr<void, ReleaseMemory> data_;
};

}  // namespace tandem
