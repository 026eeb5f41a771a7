// The device interface over the CPU's ops: what the kernels are compared with, and what stands in for them
// where there is none to emulate (cuBLASLt's products).
#pragma once

#include <functional>
#include <memory>

#include "kernels/base/context.h"
#include "kernels/base/device.h"

namespace tandem::emulation {

/// "Device" memory is the host's; work is done at once.
class HostQueue : public DeviceQueue {
 public:
  HostQueue();
  ~HostQueue() override;
  void synchronize() override {}
  void copy_in(void* to, const void* from, std::int64_t bytes) override;
  void copy_out(void* to, const void* from, std::int64_t bytes) override;
  std::unique_ptr<DeviceRead> start_copy_out(const void* from, std::int64_t bytes) override;
  void start_recording() override;
  std::unique_ptr<DeviceRecording> finish_recording() override;
  void repeat(const DeviceRecording& recording) override;

  void copy(TensorView from, TensorView to) override;
  void clear(TensorView x) override;
  void repeat_heads(TensorView x, std::int64_t heads, std::int64_t nheads, TensorView y) override;
  void embedding(TensorView table, std::span<const std::int32_t> ids, TensorView x) override;
  void linear(TensorView x, TensorView weight, TensorView y, bool accumulate) override;
  void rms_norm(TensorView x, TensorView weight, float eps, TensorView y) override;
  void add_rms_norm(TensorView x, TensorView residual, TensorView weight, float eps, TensorView y) override;
  void gated_group_norm(TensorView y, TensorView z, TensorView weight, std::int64_t group,
                        float eps) override;
  void swiglu(TensorView gate, TensorView up, TensorView out) override;
  void silu_gate(TensorView y, TensorView z, TensorView bias) override;
  void discrete_log_decay(TensorView a_log, TensorView log_decay) override;
  void stepped_log_decay(TensorView dt_raw, TensorView dt_bias, TensorView a_log, TensorView dt,
                         TensorView log_decay) override;
  void step_sizes(TensorView dt_raw, TensorView dt_bias, TensorView dt) override;
  void add(TensorView x, TensorView y) override;
  void rope(TensorView x, std::int64_t heads, std::span<const std::int32_t> positions,
            std::span<const float> frequencies) override;
  void append_heads(TensorView x, std::span<const std::int32_t> slots,
                    std::span<const std::int32_t> positions, std::int64_t first, TensorView cache) override;
  void rope_append(TensorView qkv, std::int64_t nheads, std::span<const float> frequencies,
                   const SlotCaches& own) override;
  void causal_attention(TensorView q, TensorView k, TensorView v, std::int64_t nheads, std::int64_t nheads_kv,
                        float scale, TensorView out) override;
  void decode_attention(TensorView q, const SharedPrefix& prefix, const SlotCaches& own, std::int64_t nheads,
                        std::int64_t nheads_kv, float scale, TensorView out) override;
  void attention_matrix(TensorView q, TensorView k, std::int64_t nheads, std::int64_t nheads_kv, float scale,
                        std::span<const std::int64_t> heads, TensorView m) override;
  void causal_conv(TensorView x, TensorView weight, TensorView bias, ConvActivation activation,
                   TensorView window, TensorView y) override;
  void causal_conv_step(TensorView x, TensorView weight, TensorView bias, ConvActivation activation,
                        TensorView windows, std::span<const std::int32_t> slots, TensorView y) override;
  void ssm_step(const SsmStep& step, TensorView windows, TensorView states,
                std::span<const std::int32_t> slots, TensorView y) override;
  void ssd_scan(const SsdOperands& operands, TensorView state, std::int64_t chunk, TensorView y) override;
  void ssd_matrix(const SsdOperands& operands, std::span<const std::int64_t> heads, TensorView decay,
                  TensorView content, TensorView m) override;
  void selective_step(const SelectiveOperands& operands, TensorView states,
                      std::span<const std::int32_t> slots, TensorView y) override;
  void selective_scan(const SelectiveOperands& operands, TensorView state, TensorView y) override;
  void selective_matrix(const SelectiveOperands& operands, std::span<const std::int64_t> heads,
                        std::int64_t nheads, TensorView m) override;
  void matrix_sums(TensorView m, TensorView a, TensorView sums) override;
  void sample(TensorView logits, std::int64_t vocab, const SamplingRule& rule, const Draws& draws,
              std::span<std::int32_t> tokens, std::span<float> logprobs) override;
  void gather_slots(TensorView table, std::span<const std::int32_t> slots, TensorView rows) override;
  void put_tokens(std::span<const std::int32_t> tokens, std::span<const std::int32_t> slots,
                  TensorView table) override;
  void linear_backward(TensorView x, TensorView weight, TensorView d_y, TensorView d_x,
                       TensorView d_weight) override;
  void embedding_backward(std::span<const std::int32_t> ids, TensorView d_x, TensorView d_table) override;
  void rms_norm_backward(TensorView x, TensorView weight, float eps, TensorView d_y, TensorView d_x,
                         TensorView d_weight) override;
  void gated_group_norm_backward(TensorView y, TensorView z, TensorView weight, std::int64_t group, float eps,
                                 TensorView d_out, TensorView d_y, TensorView d_z,
                                 TensorView d_weight) override;
  void swiglu_backward(TensorView gate, TensorView up, TensorView d_out, TensorView d_gate,
                       TensorView d_up) override;
  void silu_gate_backward(TensorView y, TensorView z, TensorView bias, TensorView d_out, TensorView d_y,
                          TensorView d_z, TensorView d_bias) override;
  void discrete_log_decay_backward(TensorView a_log, TensorView d_log_decay, TensorView d_a_log) override;
  void stepped_log_decay_backward(TensorView dt_raw, TensorView dt_bias, TensorView a_log, TensorView d_dt,
                                  TensorView d_log_decay, TensorView d_dt_raw, TensorView d_dt_bias,
                                  TensorView d_a_log) override;
  void rope_backward(TensorView d_x, std::int64_t heads, std::span<const std::int32_t> positions,
                     std::span<const float> frequencies) override;
  void causal_attention_backward(TensorView q, TensorView k, TensorView v, TensorView d_out,
                                 std::int64_t nheads, std::int64_t nheads_kv, float scale, TensorView d_q,
                                 TensorView d_k, TensorView d_v) override;
  void causal_conv_backward(TensorView x, TensorView weight, TensorView bias, ConvActivation activation,
                            TensorView d_y, TensorView d_x, TensorView d_weight, TensorView d_bias) override;
  void ssd_scan_backward(const SsdOperands& operands, TensorView initial_state, std::int64_t chunk,
                         TensorView d_y, TensorView d_state, const SsdGradients& gradients) override;
  void ssd_matrix_backward(const SsdOperands& operands, TensorView d_m,
                           const SsdGradients& gradients) override;
  void add_diagonals(TensorView values, TensorView m) override;
  void cross_entropy_loss(TensorView logits, std::span<const std::int32_t> targets,
                          std::span<const float> weights, TensorView d_logits, TensorView losses) override;
  void binary_cross_entropy_loss(TensorView scores, std::span<const std::int32_t> targets,
                                 std::span<const float> weights, TensorView d_scores,
                                 TensorView losses) override;
  void kl_loss(TensorView student, TensorView teacher, KlDirection direction, std::span<const float> weights,
               TensorView d_student, TensorView losses) override;
  void frobenius_loss(TensorView m, TensorView target, float weight, TensorView d_m,
                      TensorView losses) override;
  void l2_loss(TensorView y, TensorView target, std::span<const float> weights, TensorView d_y,
               TensorView losses) override;
  void row_norms(TensorView rows, TensorView norms) override;
  void adamw(TensorView gradient, const AdamWRule& rule, TensorView value, TensorView m,
             TensorView v) override;
  void sums_of_squares(TensorView x, TensorView sums) override;

 protected:
  /// Runs the work, or records it.
  void give(std::function<void()> work);
  virtual void run(const std::function<void()>& work) { work(); }

 private:
  struct Recording;
  Context context_;
  std::unique_ptr<Recording> recording_;  // while one is made
};

}  // namespace tandem::emulation
