// With P = softmax(scale Q K^T): dV = P^T dO, dP = dO V^T, dS = P o (dP - rowsum(P o dP)), dQ = scale dS K,
// dK = scale dS^T Q. Matrix products over tiles of rows; each tile stops at the last key its rows see.
#include "kernels/ops/attention_backward.h"

#include "kernels/base/parallel.h"
#include "kernels/ops/matmul.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/ops/attention_backward.cpp"
#include <hwy/foreach_target.h>

#include "kernels/ops/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tandem::HWY_NAMESPACE {

// The first `seen` of `count` scores become their softmax, the rest 0.
void masked_softmax_row(float* scores, std::size_t seen, std::size_t count) {
  softmax(FloatTag(), scores, seen);
  std::fill(scores + seen, scores + count, 0.0F);
}

// d_p becomes scale * p o (d_p - sum(p o d_p)).
void softmax_backward_row(const float* p, float* d_p, float scale, std::size_t count) {
  const FloatTag d;
  const FloatVec mean = hn::Set(d, dot(d, p, d_p, count));
  const FloatVec factor = hn::Set(d, scale);
  for_vectors(d, count, [&](std::size_t i, std::size_t n) HWY_ATTR {
    const FloatVec weight = hn::Mul(factor, load_n(d, p + i, n));
    store_n(hn::Mul(weight, hn::Sub(load_n(d, d_p + i, n), mean)), d, d_p + i, n);
  });
}

}  // namespace tandem::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tandem {
HWY_EXPORT(masked_softmax_row);
HWY_EXPORT(softmax_backward_row);

namespace {

constexpr std::int64_t kTile = 64;  // rows

struct Head {
  TensorView q, k, v, d_out, d_q, d_k, d_v;
};

std::size_t size(std::int64_t extent) {
  return static_cast<std::size_t>(extent);
}

// One query head. d_k and d_v are added to. scratch: two tiles of [kTile, T].
void head_backward(const Head& head, float scale, float* scratch) {
  const std::int64_t tokens = head.q.extent(0);
  for (std::int64_t begin = 0; begin < tokens; begin += kTile) {
    const std::int64_t rows = std::min(kTile, tokens - begin);
    const std::int64_t keys = begin + rows;
    const TensorView p(scratch, Shape{rows, keys});
    const TensorView d_s(scratch + rows * keys, Shape{rows, keys});
    const TensorView q = head.q.rows(begin, rows);
    const TensorView d_out = head.d_out.rows(begin, rows);
    const TensorView k = head.k.rows(0, keys);
    matmul_here(q, k, true, p, scale);
    for (std::int64_t i = 0; i < rows; ++i)
      HWY_DYNAMIC_DISPATCH(masked_softmax_row)(p.row(i), size(begin + i + 1), size(keys));
    matmul_transposed_here(p, d_out, head.d_v.rows(0, keys), true);
    matmul_here(d_out, head.v.rows(0, keys), true, d_s);
    for (std::int64_t i = 0; i < rows; ++i)
      HWY_DYNAMIC_DISPATCH(softmax_backward_row)(p.row(i), d_s.row(i), scale, size(keys));
    matmul_here(d_s, k, false, head.d_q.rows(begin, rows));
    matmul_transposed_here(d_s, q, head.d_k.rows(0, keys), true);
  }
}

void zero_rows(const TensorView& x) {
  for (std::int64_t i = 0; i < x.extent(0); ++i) std::fill_n(x.row(i), x.extent(1), 0.0F);
}

}  // namespace

void causal_attention_backward(Context& context, TensorView q, TensorView k, TensorView v, TensorView d_out,
                               std::int64_t nheads, std::int64_t nheads_kv, float scale, TensorView d_q,
                               TensorView d_k, TensorView d_v) {
  TANDEM_CHECK(q.rank() == 2 && nheads > 0 && nheads_kv > 0 && nheads % nheads_kv == 0 &&
                   q.extent(1) % nheads == 0 && d_out.shape() == q.shape() && d_q.shape() == q.shape() &&
                   (k.shape() == Shape{q.extent(0), q.extent(1) / nheads * nheads_kv}) &&
                   v.shape() == k.shape() && d_k.shape() == k.shape() && d_v.shape() == k.shape(),
               "causal_attention_backward: q " + q.shape().str() + ", k " + k.shape().str() + ", v " +
                   v.shape().str() + ", d_out " + d_out.shape().str() + " for " + std::to_string(nheads) +
                   " heads, " + std::to_string(nheads_kv) + " KV heads");
  if (DeviceQueue* queue = context.queue())
    return queue->causal_attention_backward(q, k, v, d_out, nheads, nheads_kv, scale, d_q, d_k, d_v);
  const std::int64_t tokens = q.extent(0);
  if (tokens == 0) return;
  const std::int64_t dim = q.extent(1) / nheads;
  const std::int64_t group = nheads / nheads_kv;
  const ScratchScope scope(context);
  const std::int64_t floats = 2 * kTile * tokens;
  float* memory = context.scratch(nheads_kv * floats);
  const double head_ns = static_cast<double>(5 * group * tokens * tokens * dim) / 80.0;
  parallel_over(context, nheads_kv, head_ns, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t kv = first; kv < last; ++kv) {
      Head head;
      head.k = k.columns(kv * dim, dim);
      head.v = v.columns(kv * dim, dim);
      head.d_k = d_k.columns(kv * dim, dim);
      head.d_v = d_v.columns(kv * dim, dim);
      zero_rows(head.d_k);
      zero_rows(head.d_v);
      for (std::int64_t h = kv * group; h < (kv + 1) * group; ++h) {
        head.q = q.columns(h * dim, dim);
        head.d_out = d_out.columns(h * dim, dim);
        head.d_q = d_q.columns(h * dim, dim);
        head_backward(head, scale, memory + kv * floats);
      }
    }
  });
}

}  // namespace tandem
#endif
