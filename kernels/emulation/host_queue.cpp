#include "kernels/emulation/host_queue.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "kernels/ops/activation.h"
#include "kernels/ops/activation_backward.h"
#include "kernels/ops/adamw.h"
#include "kernels/ops/attention.h"
#include "kernels/ops/attention_backward.h"
#include "kernels/ops/causal_conv.h"
#include "kernels/ops/causal_conv_backward.h"
#include "kernels/ops/copy.h"
#include "kernels/ops/embedding.h"
#include "kernels/ops/linear_backward.h"
#include "kernels/ops/loss.h"
#include "kernels/ops/matmul.h"
#include "kernels/ops/matrix_sums.h"
#include "kernels/ops/norm.h"
#include "kernels/ops/norm_backward.h"
#include "kernels/ops/rope.h"
#include "kernels/ops/rope_backward.h"
#include "kernels/ops/sampling.h"
#include "kernels/ops/selective_scan.h"
#include "kernels/ops/slots.h"
#include "kernels/ops/ssd.h"
#include "kernels/ops/ssd_backward.h"
#include "kernels/ops/ssm_step.h"

namespace tandem::emulation {

namespace {

/// The whole sum in the first place of what is to be added up.
void put_sum(double sum, const TensorView& parts) {
  if (parts.elements() == 0) return;
  std::fill_n(parts.f32(), parts.elements(), 0.0F);
  *parts.f32() = static_cast<float>(sum);
}

}  // namespace

struct HostQueue::Recording final : DeviceRecording {
  std::vector<std::function<void()>> work;
};

HostQueue::HostQueue() = default;
HostQueue::~HostQueue() = default;

void HostQueue::copy_in(void* to, const void* from, std::int64_t bytes) {
  TANDEM_CHECK(!recording_, "a copy to the device while work is recorded");
  std::memcpy(to, from, static_cast<std::size_t>(bytes));
}
void HostQueue::copy_out(void* to, const void* from, std::int64_t bytes) {
  TANDEM_CHECK(!recording_, "a copy from the device while work is recorded");
  std::memcpy(to, from, static_cast<std::size_t>(bytes));
}

std::unique_ptr<DeviceRead> HostQueue::start_copy_out(const void* from, std::int64_t bytes) {
  struct Read final : DeviceRead {
    const void* wait() override { return values.data(); }
    std::vector<std::byte> values;
  };
  auto read = std::make_unique<Read>();
  read->values.resize(static_cast<std::size_t>(bytes));
  copy_out(read->values.data(), from, bytes);
  return read;
}

void HostQueue::start_recording() {
  recording_ = std::make_unique<Recording>();
}
std::unique_ptr<DeviceRecording> HostQueue::finish_recording() {
  return std::move(recording_);
}
void HostQueue::repeat(const DeviceRecording& recording) {
  for (const auto& work : static_cast<const Recording&>(recording).work) run(work);
}
void HostQueue::give(std::function<void()> work) {
  if (recording_) {
    recording_->work.push_back(std::move(work));
  } else {
    run(work);
  }
}

void HostQueue::copy(TensorView from, TensorView to) {
  give([=, this] { tandem::copy(context_, from, to); });
}
void HostQueue::clear(TensorView x) {
  give([=, this] { tandem::clear(context_, x); });
}
void HostQueue::repeat_heads(TensorView x, std::int64_t heads, std::int64_t nheads, TensorView y) {
  give([=, this] { tandem::repeat_heads(context_, x, heads, nheads, y); });
}
void HostQueue::embedding(TensorView table, std::span<const std::int32_t> ids, TensorView x) {
  give([=, this] { tandem::embedding(context_, table, ids, x); });
}
/// A bf16 weight is widened first, so that the product is f32's.
void HostQueue::linear(TensorView x, TensorView weight, TensorView y, bool accumulate) {
  give([=, this] {
    if (weight.dtype() == DType::F32) return matmul(context_, x, weight, true, y, 1.0F, accumulate);
    std::vector<float> wide(static_cast<std::size_t>(weight.elements()));
    const auto* stored = static_cast<const BFloat16*>(weight.data());
    std::transform(stored, stored + weight.elements(), wide.begin(), to_float);
    matmul(context_, x, TensorView(wide.data(), weight.shape()), true, y, 1.0F, accumulate);
  });
}
void HostQueue::rms_norm(TensorView x, TensorView weight, float eps, TensorView y) {
  give([=, this] { tandem::rms_norm(context_, x, weight, eps, y); });
}
void HostQueue::add_rms_norm(TensorView x, TensorView residual, TensorView weight, float eps, TensorView y) {
  give([=, this] { tandem::add_rms_norm(context_, x, residual, weight, eps, y); });
}
void HostQueue::gated_group_norm(TensorView y, TensorView z, TensorView weight, std::int64_t group,
                                 float eps) {
  give([=, this] { tandem::gated_group_norm(context_, y, z, weight, group, eps); });
}
void HostQueue::swiglu(TensorView gate, TensorView up, TensorView out) {
  give([=, this] { tandem::swiglu(context_, gate, up, out); });
}
void HostQueue::silu_gate(TensorView y, TensorView z, TensorView bias) {
  give([=, this] { tandem::silu_gate(context_, y, z, bias); });
}
void HostQueue::discrete_log_decay(TensorView a_log, TensorView log_decay) {
  give([=, this] { tandem::discrete_log_decay(context_, a_log, log_decay); });
}
void HostQueue::stepped_log_decay(TensorView dt_raw, TensorView dt_bias, TensorView a_log, TensorView dt,
                                  TensorView log_decay) {
  give([=, this] { tandem::stepped_log_decay(context_, dt_raw, dt_bias, a_log, dt, log_decay); });
}
void HostQueue::step_sizes(TensorView dt_raw, TensorView dt_bias, TensorView dt) {
  give([=, this] { tandem::step_sizes(context_, dt_raw, dt_bias, dt); });
}
void HostQueue::add(TensorView x, TensorView y) {
  give([=, this] { tandem::add(context_, x, y); });
}
void HostQueue::rope(TensorView x, std::int64_t heads, std::span<const std::int32_t> positions,
                     std::span<const float> frequencies) {
  give([=, this] { tandem::rope(context_, x, heads, positions, frequencies); });
}
void HostQueue::append_heads(TensorView x, std::span<const std::int32_t> slots,
                             std::span<const std::int32_t> positions, std::int64_t first, TensorView cache) {
  give([=, this] { tandem::append_heads(context_, x, slots, positions, first, cache); });
}
void HostQueue::rope_append(TensorView qkv, std::int64_t nheads, std::span<const float> frequencies,
                            const SlotCaches& own) {
  give([=, this] { tandem::rope_append(context_, qkv, nheads, frequencies, own); });
}
void HostQueue::causal_attention(TensorView q, TensorView k, TensorView v, std::int64_t nheads,
                                 std::int64_t nheads_kv, float scale, TensorView out) {
  give([=, this] { tandem::causal_attention(context_, q, k, v, nheads, nheads_kv, scale, out); });
}
void HostQueue::decode_attention(TensorView q, const SharedPrefix& prefix, const SlotCaches& own,
                                 std::int64_t nheads, std::int64_t nheads_kv, float scale, TensorView out) {
  give([=, this] { tandem::decode_attention(context_, q, prefix, own, nheads, nheads_kv, scale, out); });
}
void HostQueue::attention_matrix(TensorView q, TensorView k, std::int64_t nheads, std::int64_t nheads_kv,
                                 float scale, std::span<const std::int64_t> heads, TensorView m) {
  give([=, this, list = std::vector(heads.begin(), heads.end())] {
    tandem::attention_matrix(context_, q, k, nheads, nheads_kv, scale, list, m);
  });
}
void HostQueue::causal_conv(TensorView x, TensorView weight, TensorView bias, ConvActivation activation,
                            TensorView window, TensorView y) {
  give([=, this] { tandem::causal_conv(context_, x, weight, bias, activation, window, y); });
}
void HostQueue::causal_conv_step(TensorView x, TensorView weight, TensorView bias, ConvActivation activation,
                                 TensorView windows, std::span<const std::int32_t> slots, TensorView y) {
  give([=, this] { tandem::causal_conv_step(context_, x, weight, bias, activation, windows, slots, y); });
}
/// States are written at every step, with the same results.
void HostQueue::ssm_step(const SsmStep& step, TensorView windows, TensorView states,
                         std::span<const std::int32_t> slots, TensorView y) {
  SsmStep plain = step;
  plain.ring = {};
  give([=, this] { tandem::ssm_step(context_, plain, windows, states, slots, y); });
}
void HostQueue::ssd_scan(const SsdOperands& operands, TensorView state, std::int64_t chunk, TensorView y) {
  give([=, this] { tandem::ssd_scan(context_, operands, state, chunk, y); });
}
void HostQueue::ssd_matrix(const SsdOperands& operands, std::span<const std::int64_t> heads, TensorView decay,
                           TensorView content, TensorView m) {
  give([=, this, list = std::vector(heads.begin(), heads.end())] {
    tandem::ssd_matrix(context_, operands, list, decay, content, m);
  });
}
void HostQueue::selective_step(const SelectiveOperands& operands, TensorView states,
                               std::span<const std::int32_t> slots, TensorView y) {
  give([=, this] { tandem::selective_step(context_, operands, states, slots, y); });
}
void HostQueue::selective_scan(const SelectiveOperands& operands, TensorView state, TensorView y) {
  give([=, this] { tandem::selective_scan(context_, operands, state, y); });
}
void HostQueue::selective_matrix(const SelectiveOperands& operands, std::span<const std::int64_t> heads,
                                 std::int64_t nheads, TensorView m) {
  give([=, this, list = std::vector(heads.begin(), heads.end())] {
    tandem::selective_matrix(context_, operands, list, nheads, m);
  });
}
void HostQueue::matrix_sums(TensorView m, TensorView a, TensorView sums) {
  give([=, this] { tandem::matrix_sums(context_, m, a, sums); });
}
void HostQueue::gather_slots(TensorView table, std::span<const std::int32_t> slots, TensorView rows) {
  give([=, this] { tandem::gather_slots(context_, table, slots, rows); });
}
void HostQueue::put_tokens(std::span<const std::int32_t> tokens, std::span<const std::int32_t> slots,
                           TensorView table) {
  give([=, this] { tandem::put_tokens(context_, tokens, slots, table); });
}
void HostQueue::sample(TensorView logits, std::int64_t vocab, const SamplingRule& rule, const Draws& draws,
                       std::span<std::int32_t> tokens, std::span<float> logprobs) {
  give([=, this] { tandem::sample(context_, logits, vocab, rule, draws, tokens, logprobs); });
}

void HostQueue::linear_backward(TensorView x, TensorView weight, TensorView d_y, TensorView d_x,
                                TensorView d_weight) {
  give([=, this] { tandem::linear_backward(context_, x, weight, d_y, d_x, d_weight); });
}
void HostQueue::embedding_backward(std::span<const std::int32_t> ids, TensorView d_x, TensorView d_table) {
  give([=, this] { tandem::embedding_backward(context_, ids, d_x, d_table); });
}
void HostQueue::rms_norm_backward(TensorView x, TensorView weight, float eps, TensorView d_y, TensorView d_x,
                                  TensorView d_weight) {
  give([=, this] { tandem::rms_norm_backward(context_, x, weight, eps, d_y, d_x, d_weight); });
}
void HostQueue::gated_group_norm_backward(TensorView y, TensorView z, TensorView weight, std::int64_t group,
                                          float eps, TensorView d_out, TensorView d_y, TensorView d_z,
                                          TensorView d_weight) {
  give([=, this] {
    tandem::gated_group_norm_backward(context_, y, z, weight, group, eps, d_out, d_y, d_z, d_weight);
  });
}
void HostQueue::swiglu_backward(TensorView gate, TensorView up, TensorView d_out, TensorView d_gate,
                                TensorView d_up) {
  give([=, this] { tandem::swiglu_backward(context_, gate, up, d_out, d_gate, d_up); });
}
void HostQueue::silu_gate_backward(TensorView y, TensorView z, TensorView bias, TensorView d_out,
                                   TensorView d_y, TensorView d_z, TensorView d_bias) {
  give([=, this] { tandem::silu_gate_backward(context_, y, z, bias, d_out, d_y, d_z, d_bias); });
}
void HostQueue::discrete_log_decay_backward(TensorView a_log, TensorView d_log_decay, TensorView d_a_log) {
  give([=, this] { tandem::discrete_log_decay_backward(context_, a_log, d_log_decay, d_a_log); });
}
void HostQueue::stepped_log_decay_backward(TensorView dt_raw, TensorView dt_bias, TensorView a_log,
                                           TensorView d_dt, TensorView d_log_decay, TensorView d_dt_raw,
                                           TensorView d_dt_bias, TensorView d_a_log) {
  give([=, this] {
    tandem::stepped_log_decay_backward(context_, dt_raw, dt_bias, a_log, d_dt, d_log_decay, d_dt_raw,
                                       d_dt_bias, d_a_log);
  });
}
void HostQueue::rope_backward(TensorView d_x, std::int64_t heads, std::span<const std::int32_t> positions,
                              std::span<const float> frequencies) {
  give([=, this] { tandem::rope_backward(context_, d_x, heads, positions, frequencies); });
}
void HostQueue::causal_attention_backward(TensorView q, TensorView k, TensorView v, TensorView d_out,
                                          std::int64_t nheads, std::int64_t nheads_kv, float scale,
                                          TensorView d_q, TensorView d_k, TensorView d_v) {
  give([=, this] {
    tandem::causal_attention_backward(context_, q, k, v, d_out, nheads, nheads_kv, scale, d_q, d_k, d_v);
  });
}
void HostQueue::causal_conv_backward(TensorView x, TensorView weight, TensorView bias,
                                     ConvActivation activation, TensorView d_y, TensorView d_x,
                                     TensorView d_weight, TensorView d_bias) {
  give([=, this] {
    tandem::causal_conv_backward(context_, x, weight, bias, activation, d_y, d_x, d_weight, d_bias);
  });
}
void HostQueue::ssd_scan_backward(const SsdOperands& operands, TensorView initial_state, std::int64_t chunk,
                                  TensorView d_y, TensorView d_state, const SsdGradients& gradients) {
  give([=, this] {
    tandem::ssd_scan_backward(context_, operands, initial_state, chunk, d_y, d_state, gradients);
  });
}
void HostQueue::ssd_matrix_backward(const SsdOperands& operands, TensorView d_m,
                                    const SsdGradients& gradients) {
  give([=, this] { tandem::ssd_matrix_backward(context_, operands, d_m, gradients); });
}
void HostQueue::add_diagonals(TensorView values, TensorView m) {
  give([=, this] { tandem::add_diagonals(context_, values, m); });
}
void HostQueue::cross_entropy_loss(TensorView logits, std::span<const std::int32_t> targets,
                                   std::span<const float> weights, TensorView d_logits, TensorView losses) {
  give([=, this] {
    put_sum(tandem::cross_entropy_loss(context_, logits, targets, weights, d_logits), losses);
  });
}
void HostQueue::binary_cross_entropy_loss(TensorView scores, std::span<const std::int32_t> targets,
                                          std::span<const float> weights, TensorView d_scores,
                                          TensorView losses) {
  give([=, this] {
    put_sum(tandem::binary_cross_entropy_loss(context_, scores, targets, weights, d_scores), losses);
  });
}
void HostQueue::kl_loss(TensorView student, TensorView teacher, KlDirection direction,
                        std::span<const float> weights, TensorView d_student, TensorView losses) {
  give([=, this] {
    put_sum(tandem::kl_loss(context_, student, teacher, direction, weights, d_student), losses);
  });
}
void HostQueue::frobenius_loss(TensorView m, TensorView target, float weight, TensorView d_m,
                               TensorView losses) {
  give([=, this] { put_sum(tandem::frobenius_loss(context_, m, target, weight, d_m), losses); });
}
void HostQueue::l2_loss(TensorView y, TensorView target, std::span<const float> weights, TensorView d_y,
                        TensorView losses) {
  give([=, this] { put_sum(tandem::l2_loss(context_, y, target, weights, d_y), losses); });
}
void HostQueue::row_norms(TensorView rows, TensorView norms) {
  give([=, this] { put_sum(tandem::row_norms(context_, rows), norms); });
}
void HostQueue::adamw(TensorView gradient, const AdamWRule& rule, TensorView value, TensorView m,
                      TensorView v) {
  give([=, this] { tandem::adamw(context_, gradient, rule, value, m, v); });
}
void HostQueue::sums_of_squares(TensorView x, TensorView sums) {
  give([=, this] { put_sum(tandem::sum_of_squares(context_, std::span(&x, 1)), sums); });
}

}  // namespace tandem::emulation
