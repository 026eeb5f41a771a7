#include "kernels/ops/attention.h"

#include <iterator>

#include "kernels/base/parallel.h"
#include "kernels/ops/matmul.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/ops/attention.cpp"
#include <hwy/foreach_target.h>

#include "kernels/ops/attention-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tandem::HWY_NAMESPACE {

std::size_t block_rows() {
  return kMaxBlockVectors * hn::Lanes(FloatTag());
}

// Rows [begin, begin + count) of one query head, count at most block_rows(). q, out: the head's first channel
// of row 0.
void causal_block(const float* q, std::size_t q_stride, const float* k, std::size_t k_stride, const float* v,
                  std::size_t v_stride, std::size_t dim, float scale, std::size_t begin, std::size_t count,
                  float* out, std::size_t out_stride) {
  RowBlock block;
  reset(block, dim, count);
  for (std::size_t i = 0; i < count; ++i) set_query(block, i, q + (begin + i) * q_stride, scale);
  attend_rows(block, {k, k_stride, v, v_stride, begin + count}, begin);
  for (std::size_t i = 0; i < count; ++i) {
    get_output(block, i, 1.0F / block.sum[i], out + (begin + i) * out_stride);
  }
}

// Completions [begin, end) under one KV head: prefix for all their rows together, then each one's suffix.
void decode_block(const DecodeHead& head, std::size_t begin, std::size_t end) {
  const std::size_t dim = head.dim;
  const std::size_t group = head.group;
  const std::size_t rows = (end - begin) * group;
  const auto query = [&](std::size_t i) {
    return head.q + (begin + i / group) * head.q_stride + i % group * dim;
  };
  const auto output = [&](std::size_t i) {
    return head.out + (begin + i / group) * head.out_stride + i % group * dim;
  };
  const auto suffix = [&](std::size_t b) -> Segment {
    if (b == end) return {};
    const std::int32_t slot = head.own->slot_ids[b];
    const auto offset = static_cast<std::int64_t>(head.index) * head.own->keys.stride(1);
    return {head.own->keys.row(slot) + offset, dim, head.own->values.row(slot) + offset, dim,
            static_cast<std::size_t>(head.own->length(static_cast<std::int64_t>(b)))};
  };
  Row row[kMaxRows > kMaxGroup ? kMaxRows : kMaxGroup];
  for (std::size_t i = 0; i < rows; ++i) {
    row[i] = {query(i), output(i)};
    std::fill_n(row[i].output, dim, 0.0F);
  }
  const Segment prefix = {head.prefix_keys, dim, head.prefix_values, dim, head.prefix_length};
  if (end - begin == 1) {
    attend_few(row, rows, dim, head.scale, prefix, suffix(begin));
  } else if (prefix.length > 0) {
    RowBlock block;
    reset(block, dim, rows);
    for (std::size_t i = 0; i < rows; ++i) set_query(block, i, row[i].query, head.scale);
    attend_rows(block, prefix, kSeesAll);
    for (std::size_t i = 0; i < rows; ++i) {
      get_output(block, i, 1.0F, row[i].output);
      row[i].largest = block.largest[i];
      row[i].sum = block.sum[i];
    }
  }
  for (std::size_t b = begin; b < end; ++b) {
    attend_few(row + (b - begin) * group, group, dim, head.scale, suffix(b), suffix(b + 1));
  }
  for (std::size_t i = 0; i < rows; ++i) {
    const float factor = 1.0F / row[i].sum;
    for (std::size_t x = 0; x < dim; ++x) row[i].output[x] *= factor;
  }
}

// The first `seen` of `count` scores become their softmax, the rest 0.
void causal_softmax_row(float* scores, std::size_t seen, std::size_t count) {
  softmax(FloatTag(), scores, seen);
  std::fill(scores + seen, scores + count, 0.0F);
}

}  // namespace tandem::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tandem {
HWY_EXPORT(block_rows);
HWY_EXPORT(causal_block);
HWY_EXPORT(decode_block);
HWY_EXPORT(causal_softmax_row);

namespace {

constexpr double kFlopsPerNs = 100;

std::size_t size(std::int64_t extent) {
  return static_cast<std::size_t>(extent);
}

void check_heads(const TensorView& q, std::int64_t nheads, std::int64_t nheads_kv, const char* op) {
  TANDEM_CHECK(q.rank() == 2 && nheads > 0 && nheads_kv > 0 && nheads % nheads_kv == 0 &&
                   q.extent(1) % nheads == 0 && size(q.extent(1) / nheads) <= kMaxHeadDim &&
                   size(nheads / nheads_kv) <= kMaxGroup,
               std::string(op) + ": q " + q.shape().str() + " for " + std::to_string(nheads) + " heads, " +
                   std::to_string(nheads_kv) + " KV heads");
}

}  // namespace

void causal_attention(Context& context, TensorView q, TensorView k, TensorView v, std::int64_t nheads,
                      std::int64_t nheads_kv, float scale, TensorView out) {
  check_heads(q, nheads, nheads_kv, "causal_attention");
  const std::int64_t rows = q.extent(0);
  const std::int64_t dim = q.extent(1) / nheads;
  const Shape kv_shape = {rows, nheads_kv * dim};
  TANDEM_CHECK(k.shape() == kv_shape && v.shape() == kv_shape && out.shape() == q.shape(),
               "causal_attention: q " + q.shape().str() + ", k " + k.shape().str() + ", v " +
                   v.shape().str() + ", out " + out.shape().str());
  if (DeviceQueue* queue = context.queue())
    return queue->causal_attention(q, k, v, nheads, nheads_kv, scale, out);
  if (q.elements() == 0) return;
  const auto block = static_cast<std::int64_t>(HWY_DYNAMIC_DISPATCH(block_rows)());
  const std::int64_t blocks = (rows + block - 1) / block;
  const double flops = 2.0 * static_cast<double>(rows * std::min(block, rows) * dim);
  parallel_over(context, nheads * blocks, flops / kFlopsPerNs, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) {
      const std::int64_t head = i % nheads;
      const std::int64_t begin = i / nheads * block;
      const std::int64_t kv_column = head / (nheads / nheads_kv) * dim;
      HWY_DYNAMIC_DISPATCH(causal_block)
      (q.f32() + head * dim, size(q.stride(0)), k.f32() + kv_column, size(k.stride(0)), v.f32() + kv_column,
       size(v.stride(0)), size(dim), scale, size(begin), size(std::min(block, rows - begin)),
       out.f32() + head * dim, size(out.stride(0)));
    }
  });
}

void append_heads(Context& context, TensorView x, std::span<const std::int32_t> slots,
                  std::span<const std::int32_t> positions, std::int64_t first, TensorView cache) {
  const std::int64_t rows = x.extent(0);
  TANDEM_CHECK(
      x.rank() == 2 && cache.rank() == 4 && cache.contiguous() &&
          x.extent(1) == cache.extent(1) * cache.extent(3) && (slots.empty() || std::ssize(slots) == rows) &&
          (positions.empty() || std::ssize(positions) == rows),
      "append_heads: x " + x.shape().str() + ", cache " + cache.shape().str() + ", " +
          std::to_string(slots.size()) + " slots, " + std::to_string(positions.size()) + " positions");
  if (DeviceQueue* queue = context.queue()) return queue->append_heads(x, slots, positions, first, cache);
  const std::int64_t dim = cache.extent(3);
  parallel_over(context, rows, 0.1 * static_cast<double>(x.extent(1)),
                [&](std::int64_t begin, std::int64_t end) {
                  for (std::int64_t b = begin; b < end; ++b) {
                    const std::int64_t slot = slots.empty() ? 0 : slots[size(b)];
                    const std::int64_t entry = (positions.empty() ? b : positions[size(b)]) - first;
                    TANDEM_CHECK(entry >= 0 && entry < cache.extent(2), "a completion outgrew its cache");
                    float* to = cache.row(slot) + entry * dim;
                    for (std::int64_t head = 0; head < cache.extent(1); ++head)
                      std::copy_n(x.row(b) + head * dim, dim, to + head * cache.stride(1));
                  }
                });
}

void decode_attention(Context& context, TensorView q, const SharedPrefix& prefix, const SlotCaches& own,
                      std::int64_t nheads, std::int64_t nheads_kv, float scale, TensorView out) {
  check_heads(q, nheads, nheads_kv, "decode_attention");
  const std::int64_t batch = q.extent(0);
  const std::int64_t dim = q.extent(1) / nheads;
  const std::int64_t group = nheads / nheads_kv;
  const std::int64_t prefix_length = prefix.keys.empty() ? 0 : prefix.keys.extent(1);
  TANDEM_CHECK(
      out.shape() == q.shape() && std::ssize(own.slot_ids) == batch && std::ssize(own.positions) == batch &&
          own.keys.rank() == 4 && own.keys.extent(1) == nheads_kv && own.keys.extent(3) == dim &&
          own.keys.contiguous() && own.values.contiguous() && own.values.shape() == own.keys.shape() &&
          prefix.keys.shape() == prefix.values.shape() &&
          (prefix_length == 0 || (prefix.keys.shape() == Shape{nheads_kv, prefix_length, dim})),
      "decode_attention: q " + q.shape().str() + ", prefix " + prefix.keys.shape().str() + " and " +
          prefix.values.shape().str() + ", " + std::to_string(own.slot_ids.size()) + " slots of " +
          own.keys.shape().str() + " and " + own.values.shape().str() + ", out " + out.shape().str());
  if (DeviceQueue* queue = context.queue())
    return queue->decode_attention(q, prefix, own, nheads, nheads_kv, scale, out);
  std::int64_t keys = batch * prefix_length;
  for (std::int64_t b = 0; b < batch; ++b) {
    TANDEM_CHECK(prefix_length + own.length(b) > 0 && own.length(b) <= own.keys.extent(2),
                 "decode_attention: " + std::to_string(own.length(b)) + " tokens in a slot of " +
                     std::to_string(own.keys.extent(2)));
    keys += own.length(b);
  }
  if (q.elements() == 0) return;
  const std::int64_t block =
      std::max<std::int64_t>(1, static_cast<std::int64_t>(HWY_DYNAMIC_DISPATCH(block_rows)()) / group);
  const std::int64_t blocks = (batch + block - 1) / block;
  const double flops = 4.0 * static_cast<double>(keys * group * dim) / static_cast<double>(blocks);
  parallel_over(context, nheads_kv * blocks, flops / kFlopsPerNs, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) {
      const std::int64_t kv_head = i / blocks;
      const std::int64_t begin = i % blocks * block;
      DecodeHead head;
      head.index = size(kv_head);
      head.group = size(group);
      head.dim = size(dim);
      head.scale = scale;
      head.q = q.f32() + kv_head * group * dim;
      head.q_stride = size(q.stride(0));
      head.out = out.f32() + kv_head * group * dim;
      head.out_stride = size(out.stride(0));
      head.prefix_length = size(prefix_length);
      if (prefix_length > 0) {
        head.prefix_keys = prefix.keys.row(kv_head);
        head.prefix_values = prefix.values.row(kv_head);
      }
      head.own = &own;
      HWY_DYNAMIC_DISPATCH(decode_block)(head, size(begin), size(std::min(begin + block, batch)));
    }
  });
}

void attention_matrix(Context& context, TensorView q, TensorView k, std::int64_t nheads,
                      std::int64_t nheads_kv, float scale, std::span<const std::int64_t> heads,
                      TensorView m) {
  check_heads(q, nheads, nheads_kv, "attention_matrix");
  const std::int64_t rows = q.extent(0);
  const std::int64_t dim = q.extent(1) / nheads;
  TANDEM_CHECK(
      (k.shape() == Shape{rows, nheads_kv * dim} && m.shape() == Shape{std::ssize(heads), rows, rows}),
      "attention_matrix: q " + q.shape().str() + ", k " + k.shape().str() + ", m " + m.shape().str());
  if (DeviceQueue* queue = context.queue())
    return queue->attention_matrix(q, k, nheads, nheads_kv, scale, heads, m);
  for (std::int64_t i = 0; i < std::ssize(heads); ++i) {
    const std::int64_t head = heads[size(i)];
    TANDEM_CHECK(head >= 0 && head < nheads, "attention_matrix: head " + std::to_string(head));
    const TensorView scores(m.row(i), Shape{rows, rows});
    matmul(context, q.columns(head * dim, dim), k.columns(head / (nheads / nheads_kv) * dim, dim), true,
           scores, scale);
    parallel_over(context, rows, 0.5 * static_cast<double>(rows), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t t = begin; t < end; ++t) {
        HWY_DYNAMIC_DISPATCH(causal_softmax_row)(scores.row(t), size(t + 1), size(rows));
      }
    });
  }
}

}  // namespace tandem
#endif
