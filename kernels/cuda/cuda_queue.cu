#include "kernels/cuda/cuda_queue.h"

#include <algorithm>
#include <vector>

#include "kernels/cuda/activation.h"
#include "kernels/cuda/activation_backward.h"
#include "kernels/cuda/adamw.h"
#include "kernels/cuda/attention.h"
#include "kernels/cuda/attention_backward.h"
#include "kernels/cuda/causal_conv.h"
#include "kernels/cuda/causal_conv_backward.h"
#include "kernels/cuda/copy.h"
#include "kernels/cuda/embedding_backward.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/loss.h"
#include "kernels/cuda/matrix_sums.h"
#include "kernels/cuda/norm.h"
#include "kernels/cuda/norm_backward.h"
#include "kernels/cuda/rope.h"
#include "kernels/cuda/sampling.h"
#include "kernels/cuda/selective_scan.h"
#include "kernels/cuda/slots.h"
#include "kernels/cuda/ssd.h"
#include "kernels/cuda/ssd_backward.h"
#include "kernels/cuda/ssm_step.h"

namespace tandem::cuda {

CudaQueue::BindFirst::BindFirst(int index) {
  CUDA_CHECK(cudaSetDevice(index));
}

CudaQueue::CudaQueue(Device& device, int index) : device_(device), index_(index), bind_(index) {}

Stream& CudaQueue::stream() {
  thread_local int bound = -1;
  if (bound != index_) CUDA_CHECK(cudaSetDevice(index_));
  bound = index_;
  return stream_;
}

TensorView CudaQueue::scratch(std::int64_t floats) {
  if (floats > scratch_floats_) {
    scratch_floats_ = std::max(floats, 2 * scratch_floats_);
    scratch_.emplace_back(&device_, scratch_floats_ * element_bytes(DType::F32));
  }
  if (scratch_.empty()) return {};
  return {static_cast<float*>(scratch_.back().get()), Shape{floats}};
}

void CudaQueue::synchronize() {
  stream().synchronize();
}
void CudaQueue::copy_in(void* to, const void* from, std::int64_t bytes) {
  staging_.copy_in(stream(), to, from, bytes);
}
void CudaQueue::copy_out(void* to, const void* from, std::int64_t bytes) {
  copy_to_host(stream(), to, from, bytes);
  stream().synchronize();
}

std::unique_ptr<DeviceRead> CudaQueue::start_copy_out(const void* from, std::int64_t bytes) {
  return readback_.start(stream(), from, bytes);
}

#ifndef TANDEM_CUDA_EMULATED
namespace {

struct GraphRecording final : DeviceRecording {
  explicit GraphRecording(cudaGraph_t graph) {
    const cudaError_t made = cudaGraphInstantiate(&executable, graph, 0);
    static_cast<void>(cudaGraphDestroy(graph));
    CUDA_CHECK(made);
  }
  ~GraphRecording() override { static_cast<void>(cudaGraphExecDestroy(executable)); }

  cudaGraphExec_t executable = nullptr;
};

}  // namespace

void CudaQueue::start_recording() {
  CUDA_CHECK(cudaStreamBeginCapture(stream().handle(), cudaStreamCaptureModeThreadLocal));
}

std::unique_ptr<DeviceRecording> CudaQueue::finish_recording() {
  cudaGraph_t graph = nullptr;
  CUDA_CHECK(cudaStreamEndCapture(stream().handle(), &graph));
  return std::make_unique<GraphRecording>(graph);
}

void CudaQueue::repeat(const DeviceRecording& recording) {
  CUDA_CHECK(cudaGraphLaunch(static_cast<const GraphRecording&>(recording).executable, stream().handle()));
}

void CudaQueue::linear(TensorView x, TensorView weight, TensorView y, bool accumulate) {
  product_.run(stream(), x, weight, y, accumulate, scratch(Product::scratch(x, weight)));
}

void CudaQueue::linear_backward(TensorView x, TensorView weight, TensorView d_y, TensorView d_x,
                                TensorView d_weight) {
  if (!d_x.empty()) product_.multiply(stream(), {d_y, false}, {weight, false}, d_x, false);
  if (!d_weight.empty()) product_.multiply(stream(), {d_y, true}, {x, false}, d_weight, true);
}
#endif

void CudaQueue::copy(TensorView from, TensorView to) {
  give([=, this] { cuda::copy(stream(), from, to); });
}
void CudaQueue::clear(TensorView x) {
  give([=, this] { fill_bytes(stream(), x.data(), 0, x.elements() * element_bytes(x.dtype())); });
}
void CudaQueue::repeat_heads(TensorView x, std::int64_t heads, std::int64_t nheads, TensorView y) {
  give([=, this] { cuda::repeat_heads(stream(), x, heads, nheads, y); });
}
void CudaQueue::embedding(TensorView table, std::span<const std::int32_t> ids, TensorView x) {
  give([=, this] { cuda::embedding(stream(), table, ids, x); });
}
void CudaQueue::rms_norm(TensorView x, TensorView weight, float eps, TensorView y) {
  give([=, this] { cuda::rms_norm(stream(), x, weight, eps, y); });
}
void CudaQueue::add_rms_norm(TensorView x, TensorView residual, TensorView weight, float eps, TensorView y) {
  give([=, this] { cuda::add_rms_norm(stream(), x, residual, weight, eps, y); });
}
void CudaQueue::gated_group_norm(TensorView y, TensorView z, TensorView weight, std::int64_t group,
                                 float eps) {
  give([=, this] { cuda::gated_group_norm(stream(), y, z, weight, group, eps); });
}
void CudaQueue::swiglu(TensorView gate, TensorView up, TensorView out) {
  give([=, this] { cuda::swiglu(stream(), gate, up, out); });
}
void CudaQueue::silu_gate(TensorView y, TensorView z, TensorView bias) {
  give([=, this] { cuda::silu_gate(stream(), y, z, bias); });
}
void CudaQueue::discrete_log_decay(TensorView a_log, TensorView log_decay) {
  give([=, this] { cuda::discrete_log_decay(stream(), a_log, log_decay); });
}
void CudaQueue::stepped_log_decay(TensorView dt_raw, TensorView dt_bias, TensorView a_log, TensorView dt,
                                  TensorView log_decay) {
  give([=, this] { cuda::stepped_log_decay(stream(), dt_raw, dt_bias, a_log, dt, log_decay); });
}
void CudaQueue::step_sizes(TensorView dt_raw, TensorView dt_bias, TensorView dt) {
  give([=, this] { cuda::step_sizes(stream(), dt_raw, dt_bias, dt); });
}
void CudaQueue::add(TensorView x, TensorView y) {
  give([=, this] { cuda::add(stream(), x, y); });
}
void CudaQueue::rope(TensorView x, std::int64_t heads, std::span<const std::int32_t> positions,
                     std::span<const float> frequencies) {
  give([=, this] { cuda::rope(stream(), x, heads, positions, frequencies); });
}
void CudaQueue::append_heads(TensorView x, std::span<const std::int32_t> slots,
                             std::span<const std::int32_t> positions, std::int64_t first, TensorView cache) {
  give([=, this] { cuda::append_heads(stream(), x, slots, positions, first, cache); });
}
void CudaQueue::rope_append(TensorView qkv, std::int64_t nheads, std::span<const float> frequencies,
                            const SlotCaches& own) {
  give([=, this] { cuda::rope_append(stream(), qkv, nheads, frequencies, own); });
}
void CudaQueue::causal_attention(TensorView q, TensorView k, TensorView v, std::int64_t nheads,
                                 std::int64_t nheads_kv, float scale, TensorView out) {
  give([=, this] { cuda::causal_attention(stream(), q, k, v, nheads, nheads_kv, scale, out); });
}
void CudaQueue::decode_attention(TensorView q, const SharedPrefix& prefix, const SlotCaches& own,
                                 std::int64_t nheads, std::int64_t nheads_kv, float scale, TensorView out) {
  const std::int64_t prefix_length = prefix.keys.empty() ? 0 : prefix.keys.extent(1);
  const TensorView memory = scratch(decode_attention_scratch(
      q.extent(0), nheads, nheads_kv, own.keys.extent(3), prefix_length, own.keys.extent(2)));
  give(
      [=, this] { cuda::decode_attention(stream(), q, prefix, own, nheads, nheads_kv, scale, memory, out); });
}
void CudaQueue::attention_matrix(TensorView q, TensorView k, std::int64_t nheads, std::int64_t nheads_kv,
                                 float scale, std::span<const std::int64_t> heads, TensorView m) {
  give([=, this, list = std::vector(heads.begin(), heads.end())] {
    cuda::attention_matrix(stream(), q, k, nheads, nheads_kv, scale, list, m);
  });
}
void CudaQueue::causal_conv(TensorView x, TensorView weight, TensorView bias, ConvActivation activation,
                            TensorView window, TensorView y) {
  give([=, this] { cuda::causal_conv(stream(), x, weight, bias, activation, window, y); });
}
void CudaQueue::causal_conv_step(TensorView x, TensorView weight, TensorView bias, ConvActivation activation,
                                 TensorView windows, std::span<const std::int32_t> slots, TensorView y) {
  give([=, this] { cuda::causal_conv_step(stream(), x, weight, bias, activation, windows, slots, y); });
}
void CudaQueue::ssm_step(const SsmStep& step, TensorView windows, TensorView states,
                         std::span<const std::int32_t> slots, TensorView y) {
  give([=, this] { cuda::ssm_step(stream(), step, windows, states, slots, y); });
}
/// In chunks of its own.
void CudaQueue::ssd_scan(const SsdOperands& operands, TensorView state, std::int64_t /*chunk*/,
                         TensorView y) {
  const TensorView memory = scratch(ssd_scan_scratch(operands));
  give([=, this] { cuda::ssd_scan(stream(), operands, state, memory, y); });
}
void CudaQueue::ssd_matrix(const SsdOperands& operands, std::span<const std::int64_t> heads, TensorView decay,
                           TensorView content, TensorView m) {
  give([=, this, list = std::vector(heads.begin(), heads.end())] {
    cuda::ssd_matrix(stream(), operands, list, decay, content, m);
  });
}
void CudaQueue::selective_step(const SelectiveOperands& operands, TensorView states,
                               std::span<const std::int32_t> slots, TensorView y) {
  give([=, this] { cuda::selective_step(stream(), operands, states, slots, y); });
}
void CudaQueue::selective_scan(const SelectiveOperands& operands, TensorView state, TensorView y) {
  give([=, this] { cuda::selective_scan(stream(), operands, state, y); });
}
void CudaQueue::selective_matrix(const SelectiveOperands& operands, std::span<const std::int64_t> heads,
                                 std::int64_t nheads, TensorView m) {
  give([=, this, list = std::vector(heads.begin(), heads.end())] {
    cuda::selective_matrix(stream(), operands, list, nheads, m);
  });
}
void CudaQueue::matrix_sums(TensorView m, TensorView a, TensorView sums) {
  const TensorView memory = scratch(matrix_sums_scratch(m));
  give([=, this] { cuda::matrix_sums(stream(), m, a, memory, sums); });
}
void CudaQueue::gather_slots(TensorView table, std::span<const std::int32_t> slots, TensorView rows) {
  give([=, this] { cuda::gather_slots(stream(), table, slots, rows); });
}
void CudaQueue::put_tokens(std::span<const std::int32_t> tokens, std::span<const std::int32_t> slots,
                           TensorView table) {
  give([=, this] { cuda::put_tokens(stream(), tokens, slots, table); });
}
void CudaQueue::sample(TensorView logits, std::int64_t vocab, const SamplingRule& rule, const Draws& draws,
                       std::span<std::int32_t> tokens, std::span<float> logprobs) {
  give([=, this] { cuda::sample(stream(), logits, vocab, rule, draws, tokens, logprobs); });
}

void CudaQueue::embedding_backward(std::span<const std::int32_t> ids, TensorView d_x, TensorView d_table) {
  give([=, this] { cuda::embedding_backward(stream(), ids, d_x, d_table); });
}
void CudaQueue::rms_norm_backward(TensorView x, TensorView weight, float eps, TensorView d_y, TensorView d_x,
                                  TensorView d_weight) {
  const TensorView memory = scratch(rms_norm_backward_scratch(x));
  give([=, this] { cuda::rms_norm_backward(stream(), x, weight, eps, d_y, d_x, d_weight, memory); });
}
void CudaQueue::gated_group_norm_backward(TensorView y, TensorView z, TensorView weight, std::int64_t group,
                                          float eps, TensorView d_out, TensorView d_y, TensorView d_z,
                                          TensorView d_weight) {
  const TensorView memory = scratch(gated_group_norm_backward_scratch(y, group));
  give([=, this] {
    cuda::gated_group_norm_backward(stream(), y, z, weight, group, eps, d_out, d_y, d_z, d_weight, memory);
  });
}
void CudaQueue::swiglu_backward(TensorView gate, TensorView up, TensorView d_out, TensorView d_gate,
                                TensorView d_up) {
  give([=, this] { cuda::swiglu_backward(stream(), gate, up, d_out, d_gate, d_up); });
}
void CudaQueue::silu_gate_backward(TensorView y, TensorView z, TensorView bias, TensorView d_out,
                                   TensorView d_y, TensorView d_z, TensorView d_bias) {
  const TensorView memory = scratch(silu_gate_backward_scratch(y));
  give([=, this] { cuda::silu_gate_backward(stream(), y, z, bias, d_out, d_y, d_z, d_bias, memory); });
}
void CudaQueue::discrete_log_decay_backward(TensorView a_log, TensorView d_log_decay, TensorView d_a_log) {
  give([=, this] { cuda::discrete_log_decay_backward(stream(), a_log, d_log_decay, d_a_log); });
}
void CudaQueue::stepped_log_decay_backward(TensorView dt_raw, TensorView dt_bias, TensorView a_log,
                                           TensorView d_dt, TensorView d_log_decay, TensorView d_dt_raw,
                                           TensorView d_dt_bias, TensorView d_a_log) {
  const TensorView memory = scratch(stepped_log_decay_backward_scratch(dt_raw));
  give([=, this] {
    cuda::stepped_log_decay_backward(stream(), dt_raw, dt_bias, a_log, d_dt, d_log_decay, d_dt_raw, d_dt_bias,
                                     d_a_log, memory);
  });
}
void CudaQueue::rope_backward(TensorView d_x, std::int64_t heads, std::span<const std::int32_t> positions,
                              std::span<const float> frequencies) {
  give([=, this] { cuda::rope_backward(stream(), d_x, heads, positions, frequencies); });
}
void CudaQueue::causal_attention_backward(TensorView q, TensorView k, TensorView v, TensorView d_out,
                                          std::int64_t nheads, std::int64_t nheads_kv, float scale,
                                          TensorView d_q, TensorView d_k, TensorView d_v) {
  const TensorView memory = scratch(causal_attention_backward_scratch(q, nheads));
  give([=, this] {
    cuda::causal_attention_backward(stream(), q, k, v, d_out, nheads, nheads_kv, scale, d_q, d_k, d_v,
                                    memory);
  });
}
void CudaQueue::causal_conv_backward(TensorView x, TensorView weight, TensorView bias,
                                     ConvActivation activation, TensorView d_y, TensorView d_x,
                                     TensorView d_weight, TensorView d_bias) {
  const TensorView memory = scratch(causal_conv_backward_scratch(x, weight));
  give([=, this] {
    cuda::causal_conv_backward(stream(), x, weight, bias, activation, d_y, d_x, d_weight, d_bias, memory);
  });
}
void CudaQueue::ssd_scan_backward(const SsdOperands& operands, TensorView initial_state,
                                  std::int64_t /*chunk*/, TensorView d_y, TensorView d_state,
                                  const SsdGradients& gradients) {
  const TensorView memory = scratch(ssd_scan_backward_scratch(operands));
  give([=, this] {
    cuda::ssd_scan_backward(stream(), operands, initial_state, d_y, d_state, gradients, memory);
  });
}
void CudaQueue::ssd_matrix_backward(const SsdOperands& operands, TensorView d_m,
                                    const SsdGradients& gradients) {
  const TensorView memory = scratch(ssd_matrix_backward_scratch(operands));
  give([=, this] { cuda::ssd_matrix_backward(stream(), operands, d_m, gradients, memory); });
}
void CudaQueue::add_diagonals(TensorView values, TensorView m) {
  give([=, this] { cuda::add_diagonals(stream(), values, m); });
}
void CudaQueue::cross_entropy_loss(TensorView logits, std::span<const std::int32_t> targets,
                                   std::span<const float> weights, TensorView d_logits, TensorView losses) {
  give([=, this] { cuda::cross_entropy_loss(stream(), logits, targets, weights, d_logits, losses); });
}
void CudaQueue::binary_cross_entropy_loss(TensorView scores, std::span<const std::int32_t> targets,
                                          std::span<const float> weights, TensorView d_scores,
                                          TensorView losses) {
  give([=, this] { cuda::binary_cross_entropy_loss(stream(), scores, targets, weights, d_scores, losses); });
}
void CudaQueue::kl_loss(TensorView student, TensorView teacher, KlDirection direction,
                        std::span<const float> weights, TensorView d_student, TensorView losses) {
  give([=, this] { cuda::kl_loss(stream(), student, teacher, direction, weights, d_student, losses); });
}
void CudaQueue::frobenius_loss(TensorView m, TensorView target, float weight, TensorView d_m,
                               TensorView losses) {
  const TensorView memory = scratch(frobenius_loss_scratch(m));
  give([=, this] { cuda::frobenius_loss(stream(), m, target, weight, d_m, memory, losses); });
}
void CudaQueue::l2_loss(TensorView y, TensorView target, std::span<const float> weights, TensorView d_y,
                        TensorView losses) {
  const TensorView memory = scratch(l2_loss_scratch(y));
  give([=, this] { cuda::l2_loss(stream(), y, target, weights, d_y, memory, losses); });
}
void CudaQueue::row_norms(TensorView rows, TensorView norms) {
  const TensorView memory = scratch(row_norms_scratch(rows));
  give([=, this] { cuda::row_norms(stream(), rows, memory, norms); });
}
void CudaQueue::adamw(TensorView gradient, const AdamWRule& rule, TensorView value, TensorView m,
                      TensorView v) {
  give([=, this] { cuda::adamw(stream(), gradient, rule, value, m, v); });
}
void CudaQueue::sums_of_squares(TensorView x, TensorView sums) {
  give([=, this] { cuda::sums_of_squares(stream(), x, sums); });
}

}  // namespace tandem::cuda
