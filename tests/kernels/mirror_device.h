// A device for tests of ops, whose operands are the host's arrays: every op runs on the GPU, on copies of its
// operands, each in memory of its own, which come back when it is done. The emulated GPU does it under
// several orders of blocks and threads, and must find the same bits.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <tuple>
#include <type_traits>
#include <vector>

#include <QTest>

#include "kernels/base/check.h"
#include "kernels/base/device.h"
#include "kernels/cuda/stream.h"
#include "kernels/ops/adamw.h"
#include "kernels/ops/attention.h"
#include "kernels/ops/sampling.h"
#include "kernels/ops/selective_scan.h"
#include "kernels/ops/ssd_backward.h"
#include "kernels/ops/ssm_step.h"
#ifdef TANDEM_CUDA_EMULATED
#include "kernels/emulation/grid.h"
#endif

namespace tandem::test {

// each_memory(operand, visit): visit(begin, bytes) for every piece of memory that the operand names, whose
// place is taken by what visit returns. Numbers name none, and lists of heads stay the host's.

template <typename Number, typename Visit>
void each_memory(Number& /*number*/, const Visit& /*visit*/) {}

template <typename Visit>
void each_memory(TensorView& view, const Visit& visit) {
  if (view.empty()) return;
  const Shape shape = view.shape();
  const bool matrix = view.rank() == 2;
  TANDEM_CHECK(matrix || view.contiguous(), "operand " + shape.str());
  const std::int64_t stride = matrix ? view.stride(0) : 0;
  const std::int64_t elements = matrix ? (shape[0] - 1) * stride + shape[1] : shape.elements();
  void* place = visit(view.data(), elements * element_bytes(view.dtype()));
  view = matrix ? TensorView(place, view.dtype(), Shape{shape[0], stride}).columns(0, shape[1])
                : TensorView(place, view.dtype(), shape);
}
template <typename T, typename Visit>
void each_memory(std::span<T>& values, const Visit& visit) {
  if constexpr (!std::is_same_v<T, const std::int64_t>) {
    if (values.empty()) return;
    void* begin = const_cast<std::remove_const_t<T>*>(values.data());
    const void* place = visit(begin, static_cast<std::int64_t>(values.size_bytes()));
    values = {static_cast<T*>(const_cast<void*>(place)), values.size()};
  }
}
template <typename Visit>
void each_memory(SharedPrefix& prefix, const Visit& visit) {
  for (TensorView* view : {&prefix.keys, &prefix.values}) each_memory(*view, visit);
}
template <typename Visit>
void each_memory(SlotCaches& own, const Visit& visit) {
  for (TensorView* view : {&own.keys, &own.values}) each_memory(*view, visit);
  for (auto* ids : {&own.slot_ids, &own.positions}) each_memory(*ids, visit);
}
template <typename Visit>
void each_memory(SsdOperands& o, const Visit& visit) {
  for (TensorView* view : {&o.x, &o.b, &o.c, &o.log_decay, &o.dt, &o.skip}) each_memory(*view, visit);
}
template <typename Visit>
void each_memory(SsdGradients& g, const Visit& visit) {
  for (TensorView* view : {&g.x, &g.b, &g.c, &g.log_decay, &g.dt, &g.skip}) each_memory(*view, visit);
}
template <typename Visit>
void each_memory(SelectiveOperands& o, const Visit& visit) {
  for (TensorView* view : {&o.x, &o.delta, &o.b, &o.c, &o.a, &o.skip}) each_memory(*view, visit);
}
template <typename Visit>
void each_memory(StateRing& ring, const Visit& visit) {
  for (TensorView* view : {&ring.inputs, &ring.decays}) each_memory(*view, visit);
  each_memory(ring.positions, visit);
}
template <typename Visit>
void each_memory(Draws& draws, const Visit& visit) {
  each_memory(draws.uniforms, visit);
  for (auto* ids : {&draws.completions, &draws.positions}) each_memory(*ids, visit);
}
template <typename Visit>
void each_memory(SsmStep& s, const Visit& visit) {
  each_memory(s.heads, visit);
  each_memory(s.ring, visit);
  for (TensorView* view :
       {&s.input, &s.conv_weight, &s.conv_bias, &s.decay, &s.dt_bias, &s.a_log, &s.gate, &s.gate_bias})
    each_memory(*view, visit);
}

class MirrorQueue final : public DeviceQueue {
 public:
  explicit MirrorQueue(Device& device) : queue_(device.make_queue()) {}

  void synchronize() override {}
  void copy_in(void* to, const void* from, std::int64_t bytes) override { move(to, from, bytes); }
  void copy_out(void* to, const void* from, std::int64_t bytes) override { move(to, from, bytes); }
  std::unique_ptr<DeviceRead> start_copy_out(const void* /*from*/, std::int64_t /*bytes*/) override {
    TANDEM_CHECK(false, "nothing is read later here");
  }
  void start_recording() override { TANDEM_CHECK(false, "nothing is recorded here"); }
  std::unique_ptr<DeviceRecording> finish_recording() override { return nullptr; }
  void repeat(const DeviceRecording& /*recording*/) override {}

  void copy(TensorView from, TensorView to) override { run(&DeviceQueue::copy, from, to); }
  void clear(TensorView x) override { run(&DeviceQueue::clear, x); }
  void repeat_heads(TensorView x, std::int64_t heads, std::int64_t nheads, TensorView y) override {
    run(&DeviceQueue::repeat_heads, x, heads, nheads, y);
  }
  void embedding(TensorView table, std::span<const std::int32_t> ids, TensorView x) override {
    run(&DeviceQueue::embedding, table, ids, x);
  }
  void linear(TensorView x, TensorView weight, TensorView y, bool accumulate) override {
    run(&DeviceQueue::linear, x, weight, y, accumulate);
  }
  void rms_norm(TensorView x, TensorView weight, float eps, TensorView y) override {
    run(&DeviceQueue::rms_norm, x, weight, eps, y);
  }
  void add_rms_norm(TensorView x, TensorView residual, TensorView weight, float eps, TensorView y) override {
    run(&DeviceQueue::add_rms_norm, x, residual, weight, eps, y);
  }
  void gated_group_norm(TensorView y, TensorView z, TensorView weight, std::int64_t group,
                        float eps) override {
    run(&DeviceQueue::gated_group_norm, y, z, weight, group, eps);
  }
  void swiglu(TensorView gate, TensorView up, TensorView out) override {
    run(&DeviceQueue::swiglu, gate, up, out);
  }
  void silu_gate(TensorView y, TensorView z, TensorView bias) override {
    run(&DeviceQueue::silu_gate, y, z, bias);
  }
  void discrete_log_decay(TensorView a_log, TensorView log_decay) override {
    run(&DeviceQueue::discrete_log_decay, a_log, log_decay);
  }
  void stepped_log_decay(TensorView dt_raw, TensorView dt_bias, TensorView a_log, TensorView dt,
                         TensorView log_decay) override {
    run(&DeviceQueue::stepped_log_decay, dt_raw, dt_bias, a_log, dt, log_decay);
  }
  void step_sizes(TensorView dt_raw, TensorView dt_bias, TensorView dt) override {
    run(&DeviceQueue::step_sizes, dt_raw, dt_bias, dt);
  }
  void add(TensorView x, TensorView y) override { run(&DeviceQueue::add, x, y); }
  void rope(TensorView x, std::int64_t heads, std::span<const std::int32_t> positions,
            std::span<const float> frequencies) override {
    run(&DeviceQueue::rope, x, heads, positions, frequencies);
  }
  void append_heads(TensorView x, std::span<const std::int32_t> slot_ids,
                    std::span<const std::int32_t> positions, std::int64_t first, TensorView cache) override {
    run(&DeviceQueue::append_heads, x, slot_ids, positions, first, cache);
  }
  void rope_append(TensorView qkv, std::int64_t nheads, std::span<const float> frequencies,
                   const SlotCaches& own) override {
    run(&DeviceQueue::rope_append, qkv, nheads, frequencies, own);
  }
  void causal_attention(TensorView q, TensorView k, TensorView v, std::int64_t nheads, std::int64_t nheads_kv,
                        float scale, TensorView out) override {
    run(&DeviceQueue::causal_attention, q, k, v, nheads, nheads_kv, scale, out);
  }
  void decode_attention(TensorView q, const SharedPrefix& prefix, const SlotCaches& own, std::int64_t nheads,
                        std::int64_t nheads_kv, float scale, TensorView out) override {
    run(&DeviceQueue::decode_attention, q, prefix, own, nheads, nheads_kv, scale, out);
  }
  void attention_matrix(TensorView q, TensorView k, std::int64_t nheads, std::int64_t nheads_kv, float scale,
                        std::span<const std::int64_t> heads, TensorView m) override {
    run(&DeviceQueue::attention_matrix, q, k, nheads, nheads_kv, scale, heads, m);
  }
  void causal_conv(TensorView x, TensorView weight, TensorView bias, ConvActivation activation,
                   TensorView window, TensorView y) override {
    run(&DeviceQueue::causal_conv, x, weight, bias, activation, window, y);
  }
  void causal_conv_step(TensorView x, TensorView weight, TensorView bias, ConvActivation activation,
                        TensorView windows, std::span<const std::int32_t> slot_ids, TensorView y) override {
    run(&DeviceQueue::causal_conv_step, x, weight, bias, activation, windows, slot_ids, y);
  }
  void ssm_step(const SsmStep& step, TensorView windows, TensorView states,
                std::span<const std::int32_t> slot_ids, TensorView y) override {
    run(&DeviceQueue::ssm_step, step, windows, states, slot_ids, y);
  }
  void ssd_scan(const SsdOperands& operands, TensorView state, std::int64_t chunk, TensorView y) override {
    run(&DeviceQueue::ssd_scan, operands, state, chunk, y);
  }
  void ssd_matrix(const SsdOperands& operands, std::span<const std::int64_t> heads, TensorView decay,
                  TensorView content, TensorView m) override {
    run(&DeviceQueue::ssd_matrix, operands, heads, decay, content, m);
  }
  void selective_step(const SelectiveOperands& operands, TensorView states,
                      std::span<const std::int32_t> slot_ids, TensorView y) override {
    run(&DeviceQueue::selective_step, operands, states, slot_ids, y);
  }
  void selective_scan(const SelectiveOperands& operands, TensorView state, TensorView y) override {
    run(&DeviceQueue::selective_scan, operands, state, y);
  }
  void selective_matrix(const SelectiveOperands& operands, std::span<const std::int64_t> heads,
                        std::int64_t nheads, TensorView m) override {
    run(&DeviceQueue::selective_matrix, operands, heads, nheads, m);
  }
  void matrix_sums(TensorView m, TensorView a, TensorView sums) override {
    run(&DeviceQueue::matrix_sums, m, a, sums);
  }
  void sample(TensorView logits, std::int64_t vocab, const SamplingRule& rule, const Draws& draws,
              std::span<std::int32_t> tokens, std::span<float> logprobs) override {
    run(&DeviceQueue::sample, logits, vocab, rule, draws, tokens, logprobs);
  }
  void gather_slots(TensorView table, std::span<const std::int32_t> slot_ids, TensorView rows) override {
    run(&DeviceQueue::gather_slots, table, slot_ids, rows);
  }
  void put_tokens(std::span<const std::int32_t> tokens, std::span<const std::int32_t> slot_ids,
                  TensorView table) override {
    run(&DeviceQueue::put_tokens, tokens, slot_ids, table);
  }
  void linear_backward(TensorView x, TensorView weight, TensorView d_y, TensorView d_x,
                       TensorView d_weight) override {
    run(&DeviceQueue::linear_backward, x, weight, d_y, d_x, d_weight);
  }
  void embedding_backward(std::span<const std::int32_t> ids, TensorView d_x, TensorView d_table) override {
    run(&DeviceQueue::embedding_backward, ids, d_x, d_table);
  }
  void rms_norm_backward(TensorView x, TensorView weight, float eps, TensorView d_y, TensorView d_x,
                         TensorView d_weight) override {
    run(&DeviceQueue::rms_norm_backward, x, weight, eps, d_y, d_x, d_weight);
  }
  void gated_group_norm_backward(TensorView y, TensorView z, TensorView weight, std::int64_t group, float eps,
                                 TensorView d_out, TensorView d_y, TensorView d_z,
                                 TensorView d_weight) override {
    run(&DeviceQueue::gated_group_norm_backward, y, z, weight, group, eps, d_out, d_y, d_z, d_weight);
  }
  void swiglu_backward(TensorView gate, TensorView up, TensorView d_out, TensorView d_gate,
                       TensorView d_up) override {
    run(&DeviceQueue::swiglu_backward, gate, up, d_out, d_gate, d_up);
  }
  void silu_gate_backward(TensorView y, TensorView z, TensorView bias, TensorView d_out, TensorView d_y,
                          TensorView d_z, TensorView d_bias) override {
    run(&DeviceQueue::silu_gate_backward, y, z, bias, d_out, d_y, d_z, d_bias);
  }
  void discrete_log_decay_backward(TensorView a_log, TensorView d_log_decay, TensorView d_a_log) override {
    run(&DeviceQueue::discrete_log_decay_backward, a_log, d_log_decay, d_a_log);
  }
  void stepped_log_decay_backward(TensorView dt_raw, TensorView dt_bias, TensorView a_log, TensorView d_dt,
                                  TensorView d_log_decay, TensorView d_dt_raw, TensorView d_dt_bias,
                                  TensorView d_a_log) override {
    run(&DeviceQueue::stepped_log_decay_backward, dt_raw, dt_bias, a_log, d_dt, d_log_decay, d_dt_raw,
        d_dt_bias, d_a_log);
  }
  void rope_backward(TensorView d_x, std::int64_t heads, std::span<const std::int32_t> positions,
                     std::span<const float> frequencies) override {
    run(&DeviceQueue::rope_backward, d_x, heads, positions, frequencies);
  }
  void causal_attention_backward(TensorView q, TensorView k, TensorView v, TensorView d_out,
                                 std::int64_t nheads, std::int64_t nheads_kv, float scale, TensorView d_q,
                                 TensorView d_k, TensorView d_v) override {
    run(&DeviceQueue::causal_attention_backward, q, k, v, d_out, nheads, nheads_kv, scale, d_q, d_k, d_v);
  }
  void causal_conv_backward(TensorView x, TensorView weight, TensorView bias, ConvActivation activation,
                            TensorView d_y, TensorView d_x, TensorView d_weight, TensorView d_bias) override {
    run(&DeviceQueue::causal_conv_backward, x, weight, bias, activation, d_y, d_x, d_weight, d_bias);
  }
  void ssd_scan_backward(const SsdOperands& operands, TensorView initial_state, std::int64_t chunk,
                         TensorView d_y, TensorView d_state, const SsdGradients& gradients) override {
    run(&DeviceQueue::ssd_scan_backward, operands, initial_state, chunk, d_y, d_state, gradients);
  }
  void ssd_matrix_backward(const SsdOperands& operands, TensorView d_m,
                           const SsdGradients& gradients) override {
    run(&DeviceQueue::ssd_matrix_backward, operands, d_m, gradients);
  }
  void add_diagonals(TensorView values, TensorView m) override {
    run(&DeviceQueue::add_diagonals, values, m);
  }
  void cross_entropy_loss(TensorView logits, std::span<const std::int32_t> targets,
                          std::span<const float> weights, TensorView d_logits, TensorView losses) override {
    run(&DeviceQueue::cross_entropy_loss, logits, targets, weights, d_logits, losses);
  }
  void binary_cross_entropy_loss(TensorView scores, std::span<const std::int32_t> targets,
                                 std::span<const float> weights, TensorView d_scores,
                                 TensorView losses) override {
    run(&DeviceQueue::binary_cross_entropy_loss, scores, targets, weights, d_scores, losses);
  }
  void kl_loss(TensorView student, TensorView teacher, KlDirection direction, std::span<const float> weights,
               TensorView d_student, TensorView losses) override {
    run(&DeviceQueue::kl_loss, student, teacher, direction, weights, d_student, losses);
  }
  void frobenius_loss(TensorView m, TensorView target, float weight, TensorView d_m,
                      TensorView losses) override {
    run(&DeviceQueue::frobenius_loss, m, target, weight, d_m, losses);
  }
  void l2_loss(TensorView y, TensorView target, std::span<const float> weights, TensorView d_y,
               TensorView losses) override {
    run(&DeviceQueue::l2_loss, y, target, weights, d_y, losses);
  }
  void row_norms(TensorView rows, TensorView norms) override { run(&DeviceQueue::row_norms, rows, norms); }
  void adamw(TensorView gradient, const AdamWRule& rule, TensorView value, TensorView m,
             TensorView v) override {
    run(&DeviceQueue::adamw, gradient, rule, value, m, v);
  }
  void sums_of_squares(TensorView x, TensorView sums) override {
    run(&DeviceQueue::sums_of_squares, x, sums);
  }

 private:
  /// Memory of the host that operands of a call name, and its copy on the GPU.
  struct Piece {
    std::byte* begin = nullptr;
    std::byte* end = nullptr;
    cuda::Buffer copy;
    std::vector<std::byte> result;

    /// Bytes before the copy, which begins at as odd an address as the original.
    std::int64_t lead() const {
      return static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(begin) % 16);
    }
    std::byte* copied() const { return static_cast<std::byte*>(copy.data()) + lead(); }
  };

  static void move(void* to, const void* from, std::int64_t bytes) {
    if (bytes > 0) std::memmove(to, from, static_cast<std::size_t>(bytes));
  }

  template <typename... Arguments>
  void run(void (DeviceQueue::*op)(Arguments...), std::type_identity_t<Arguments>... arguments) {
    std::tuple<std::decay_t<Arguments>...> operands(arguments...);
    std::vector<Piece> pieces = pieces_of(operands);
#ifdef TANDEM_CUDA_EMULATED
    for (std::uint32_t schedule = 0; schedule < 4; ++schedule) {  // forward, reversed, two shuffled
      emulation::set_schedule(schedule);
      run_once(op, operands, pieces);
    }
    emulation::set_schedule(0);
#else
    run_once(op, operands, pieces);
#endif
    for (const Piece& piece : pieces) move(piece.begin, piece.result.data(), std::ssize(piece.result));
  }

  /// Pieces that share memory become one.
  template <typename Operands>
  static std::vector<Piece> pieces_of(Operands operands) {
    std::vector<std::pair<std::byte*, std::byte*>> named;
    const auto note = [&](void* begin, std::int64_t bytes) {
      named.emplace_back(static_cast<std::byte*>(begin), static_cast<std::byte*>(begin) + bytes);
      return begin;
    };
    std::apply([&](auto&... operand) { (each_memory(operand, note), ...); }, operands);
    std::ranges::sort(named);
    std::vector<Piece> pieces;
    for (const auto& [begin, end] : named) {
      if (pieces.empty() || begin >= pieces.back().end) {
        pieces.push_back({begin, end, {}, {}});
      } else {
        pieces.back().end = std::max(pieces.back().end, end);
      }
    }
    return pieces;
  }

  template <typename Op, typename Operands>
  void run_once(Op op, Operands operands, std::vector<Piece>& pieces) {
    for (Piece& piece : pieces) {
      piece.copy = cuda::Buffer(stream_, piece.lead() + (piece.end - piece.begin));
      stream_.synchronize();
      queue_->copy_in(piece.copied(), piece.begin, piece.end - piece.begin);
    }
    const auto place = [&](void* begin, std::int64_t /*bytes*/) -> void* {
      const auto* at = static_cast<std::byte*>(begin);
      const auto piece =
          std::ranges::find_if(pieces, [&](const Piece& p) { return at >= p.begin && at < p.end; });
      return piece->copied() + (at - piece->begin);
    };
    std::apply([&](auto&... operand) { (each_memory(operand, place), ...); }, operands);
    std::apply([&](auto&... operand) { (*queue_.*op)(operand...); }, operands);
    for (Piece& piece : pieces) {
      std::vector<std::byte> result(static_cast<std::size_t>(piece.end - piece.begin));
      queue_->copy_out(result.data(), piece.copied(), std::ssize(result));
      if (!piece.result.empty() && piece.result != result)
        QTest::qFail("another order of threads gives other bits", __FILE__, __LINE__);
      piece.result = std::move(result);
    }
  }

  std::unique_ptr<DeviceQueue> queue_;
  cuda::Stream stream_;
};

class MirrorDevice final : public Device {
 public:
  explicit MirrorDevice(Device& device) : device_(device) {}
  const DeviceInfo& info() const override { return device_.info(); }
  std::int64_t free_bytes() const override { return device_.free_bytes(); }
  void reserve(std::int64_t /*bytes*/) override {}
  void* allocate(std::int64_t bytes) override {
    const auto size = static_cast<std::size_t>(bytes);
    return std::memset(::operator new (size, std::align_val_t{64}), 0xFF, size);  // NaN
  }
  void release(void* memory) override { ::operator delete (memory, std::align_val_t{64}); }
  std::unique_ptr<DeviceQueue> make_queue() override { return std::make_unique<MirrorQueue>(device_); }

 private:
  Device& device_;
};

}  // namespace tandem::test
