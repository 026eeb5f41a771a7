#include "kernels/emulation/host_queue.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "kernels/ops/activation.h"
#include "kernels/ops/attention.h"
#include "kernels/ops/causal_conv.h"
#include "kernels/ops/copy.h"
#include "kernels/ops/embedding.h"
#include "kernels/ops/matmul.h"
#include "kernels/ops/norm.h"
#include "kernels/ops/rope.h"
#include "kernels/ops/sampling.h"
#include "kernels/ops/selective_scan.h"
#include "kernels/ops/ssd.h"
#include "kernels/ops/ssm_step.h"

namespace tandem::emulation {

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
void HostQueue::ssm_step(const SsmStep& step, TensorView windows, TensorView states,
                         std::span<const std::int32_t> slots, TensorView y) {
  give([=, this] { tandem::ssm_step(context_, step, windows, states, slots, y); });
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
void HostQueue::sample(TensorView logits, std::int64_t vocab, const SamplingRule& rule,
                       std::span<const float> uniforms, std::span<std::int32_t> tokens,
                       std::span<float> logprobs) {
  give([=, this] { tandem::sample(context_, logits, vocab, rule, uniforms, tokens, logprobs); });
}

}  // namespace tandem::emulation
