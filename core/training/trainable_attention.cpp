#include "core/training/trainable_attention.h"

#include <cmath>

#include "core/models/attention_mixer.h"
#include "kernels/ops/attention.h"
#include "kernels/ops/attention_backward.h"
#include "kernels/ops/rope.h"
#include "kernels/ops/rope_backward.h"

namespace tandem::training {

TrainableAttention::TrainableAttention(const ModelConfig& config, const std::string& prefix,
                                       ParameterSet& parameters)
    : nheads_(config.nheads),
      nheads_kv_(config.nheads_kv),
      headdim_(config.headdim),
      frequencies_(rope_frequencies(config.headdim, config.rope_theta,
                                    config.rope_scaling ? &*config.rope_scaling : nullptr)),
      qkv_(parameters.add({{prefix + "q_proj.weight", {nheads_ * headdim_, config.d_model}},
                           {prefix + "k_proj.weight", {nheads_kv_ * headdim_, config.d_model}},
                           {prefix + "v_proj.weight", {nheads_kv_ * headdim_, config.d_model}}},
                          true)),
      out_(parameters.add({{prefix + "o_proj.weight", {config.d_model, nheads_ * headdim_}}}, true)) {}

TrainableAttention::Columns TrainableAttention::columns(const TensorView& qkv) const {
  const std::int64_t q = nheads_ * headdim_;
  const std::int64_t kv = nheads_kv_ * headdim_;
  return {qkv.columns(0, q), qkv.columns(q, kv), qkv.columns(q + kv, kv)};
}

void TrainableAttention::forward(Context& context, const BatchShape& batch, TensorView u, TensorView out) {
  const std::int64_t rows = batch.rows();
  const TensorView projected = projected_.get(context, {rows, width()});
  const TensorView mixed = mixed_.get(context, {rows, nheads_ * headdim_});
  qkv_.forward(context, u, projected);
  positions_.resize(static_cast<std::size_t>(rows));
  for (std::int64_t i = 0; i < rows; ++i)
    positions_[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(i % batch.seqlen);
  const ScratchScope scope(context);
  rope(context, projected.columns(0, (nheads_ + nheads_kv_) * headdim_), nheads_ + nheads_kv_,
       context.place(std::span<const std::int32_t>(positions_)),
       context.place(std::span<const float>(frequencies_)));
  const Columns c = columns(projected);
  const float scale = 1.0F / std::sqrt(static_cast<float>(headdim_));
  for (std::int64_t i = 0; i < rows; i += batch.seqlen)
    causal_attention(context, c.q.rows(i, batch.seqlen), c.k.rows(i, batch.seqlen), c.v.rows(i, batch.seqlen),
                     nheads_, nheads_kv_, scale, mixed.rows(i, batch.seqlen));
  out_.forward(context, mixed, out);
}

void TrainableAttention::backward(Context& context, const BatchShape& batch, TensorView u, TensorView d_out,
                                  TensorView d_u) {
  const std::int64_t rows = batch.rows();
  const std::int64_t n = batch.seqlen;
  const TensorView d_mixed = d_mixed_.get(context, {rows, nheads_ * headdim_});
  const TensorView d_projected = d_projected_.get(context, {rows, width()});
  out_.backward(context, mixed_.get(context, d_mixed.shape()), d_out, d_mixed);
  const Columns c = columns(projected_.get(context, d_projected.shape()));
  const Columns d = columns(d_projected);
  const float scale = 1.0F / std::sqrt(static_cast<float>(headdim_));
  for (std::int64_t i = 0; i < rows; i += n)
    causal_attention_backward(context, c.q.rows(i, n), c.k.rows(i, n), c.v.rows(i, n), d_mixed.rows(i, n),
                              nheads_, nheads_kv_, scale, d.q.rows(i, n), d.k.rows(i, n), d.v.rows(i, n));
  const ScratchScope scope(context);
  rope_backward(context, d_projected.columns(0, (nheads_ + nheads_kv_) * headdim_), nheads_ + nheads_kv_,
                context.place(std::span<const std::int32_t>(positions_)),
                context.place(std::span<const float>(frequencies_)));
  qkv_.backward(context, u, d_projected, d_u);
}

}  // namespace tandem::training
