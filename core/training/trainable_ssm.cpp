#include "core/training/trainable_ssm.h"

#include "kernels/ops/activation.h"
#include "kernels/ops/activation_backward.h"
#include "kernels/ops/causal_conv_backward.h"
#include "kernels/ops/copy.h"
#include "kernels/ops/norm.h"
#include "kernels/ops/norm_backward.h"
#include "kernels/ops/ssd.h"

namespace tandem::training {
namespace {

constexpr float kGatedNormEps = 1e-5F;

}  // namespace

TrainableSsm::TrainableSsm(const ModelConfig& config, const SsmMixer::Layout& layout,
                           ConvActivation activation, const std::string& prefix, ParameterSet& parameters)
    : in_proj(parameters.add({{prefix + "in_proj.weight",
                               {layout.inner() + layout.conv_width() + layout.nheads, config.d_model}}},
                             true)),
      conv_weight(
          parameters.add({{prefix + "conv1d.weight", {layout.conv_width(), 1, config.d_conv}}}, false)),
      conv_bias(parameters.add({{prefix + "conv1d.bias", {layout.conv_width()}}}, false)),
      skip(parameters.add({{prefix + "D", {layout.nheads}}}, false)),
      out_proj(parameters.add({{prefix + "out_proj.weight", {config.d_model, layout.inner()}}}, true)),
      layout_(layout),
      conv_activation_(activation),
      in_(in_proj),
      out_(out_proj) {}

TensorView TrainableSsm::conv_columns(const TensorView& projected) const {
  return projected.columns(layout_.conv_begin, layout_.conv_width());
}
TensorView TrainableSsm::gate_columns(const TensorView& projected) const {
  return projected.columns(layout_.gate_begin, layout_.inner());
}
TensorView TrainableSsm::decay_columns(const TensorView& projected) const {
  return projected.columns(layout_.decay_begin, layout_.nheads);
}

TrainableSsm::Pass TrainableSsm::pass(const Context& context, std::int64_t rows) {
  return {projected_.get(context, {rows, in_proj.value.shape()[0]}),
          convolved_.get(context, {rows, layout_.conv_width()}),
          has_step_size() ? dt_.get(context, {rows, layout_.nheads}) : TensorView(),
          log_decay_.get(context, {rows, layout_.nheads})};
}

TrainableSsm::Pass TrainableSsm::d_pass(const Context& context, std::int64_t rows) {
  return {d_projected_.get(context, {rows, in_proj.value.shape()[0]}),
          d_convolved_.get(context, {rows, layout_.conv_width()}),
          has_step_size() ? d_dt_.get(context, {rows, layout_.nheads}) : TensorView(),
          d_log_decay_.get(context, {rows, layout_.nheads})};
}

SsdOperands TrainableSsm::operands(const Pass& pass, std::int64_t begin, std::int64_t count) const {
  const std::int64_t x_width = layout_.x_heads * layout_.headdim;
  const std::int64_t b_width = layout_.b_heads * layout_.dstate;
  const TensorView convolved = pass.convolved.rows(begin, count);
  return {layout_.nheads,
          layout_.headdim,
          layout_.dstate,
          layout_.x_heads,
          layout_.b_heads,
          layout_.c_heads,
          convolved.columns(0, x_width),
          convolved.columns(x_width, b_width),
          convolved.columns(x_width + b_width, layout_.c_heads * layout_.dstate),
          pass.log_decay.rows(begin, count),
          pass.dt.empty() ? TensorView() : pass.dt.rows(begin, count),
          skip.value};
}

SsdGradients TrainableSsm::gradients(const Pass& pass, std::int64_t begin, std::int64_t count) {
  const SsdOperands o = operands(pass, begin, count);
  return {o.x, o.b, o.c, o.log_decay, o.dt, skip.gradient};
}

void TrainableSsm::project(Context& context, const BatchShape& batch, TensorView u) {
  const Pass p = pass(context, batch.rows());
  in_.forward(context, u, p.projected);
  const ScratchScope scope(context);
  const TensorView window =
      context.scratch_tensor({conv_weight.matrix().extent(1) - 1, layout_.conv_width()});
  for (std::int64_t i = 0; i < batch.rows(); i += batch.seqlen) {
    clear(context, window);
    causal_conv(context, conv_columns(p.projected).rows(i, batch.seqlen), conv_weight.matrix(),
                conv_bias.value, conv_activation_, window, p.convolved.rows(i, batch.seqlen));
  }
  decay(context, decay_columns(p.projected), p.dt, p.log_decay);
}

void TrainableSsm::project_backward(Context& context, const BatchShape& batch, TensorView u, TensorView d_u) {
  const Pass p = pass(context, batch.rows());
  const Pass d = d_pass(context, batch.rows());
  decay_backward(context, decay_columns(p.projected), d.dt, d.log_decay, decay_columns(d.projected));
  for (std::int64_t i = 0; i < batch.rows(); i += batch.seqlen)
    causal_conv_backward(context, conv_columns(p.projected).rows(i, batch.seqlen), conv_weight.matrix(),
                         conv_bias.value, conv_activation_, d.convolved.rows(i, batch.seqlen),
                         conv_columns(d.projected).rows(i, batch.seqlen), conv_weight.d_matrix(),
                         conv_bias.gradient);
  in_.backward(context, u, d.projected, d_u);
}

void TrainableSsm::forward(Context& context, const BatchShape& batch, TensorView u, TensorView out) {
  project(context, batch, u);
  const Pass p = pass(context, batch.rows());
  const TensorView mixed = mixed_.get(context, {batch.rows(), layout_.inner()});
  const TensorView gated = gated_.get(context, mixed.shape());
  const ScratchScope scope(context);
  const TensorView state = context.scratch_tensor({layout_.nheads, layout_.headdim, layout_.dstate});
  for (std::int64_t i = 0; i < batch.rows(); i += batch.seqlen) {
    clear(context, state);
    ssd_scan(context, operands(p, i, batch.seqlen), state, chunk_, mixed.rows(i, batch.seqlen));
  }
  gate(context, mixed, gate_columns(p.projected), gated);
  out_.forward(context, gated, out);
}

void TrainableSsm::backward(Context& context, const BatchShape& batch, TensorView u, TensorView d_out,
                            TensorView d_u) {
  const Pass p = pass(context, batch.rows());
  const Pass d = d_pass(context, batch.rows());
  const TensorView mixed = mixed_.get(context, {batch.rows(), layout_.inner()});
  const TensorView d_mixed = d_mixed_.get(context, mixed.shape());
  out_.backward(context, gated_.get(context, mixed.shape()), d_out, d_mixed);
  gate_backward(context, mixed, gate_columns(p.projected), d_mixed, d_mixed, gate_columns(d.projected));
  for (std::int64_t i = 0; i < batch.rows(); i += batch.seqlen)
    ssd_scan_backward(context, operands(p, i, batch.seqlen), {}, chunk_, d_mixed.rows(i, batch.seqlen), {},
                      gradients(d, i, batch.seqlen));
  project_backward(context, batch, u, d_u);
}

void TrainableSsm::matrices(Context& context, TensorView u, TensorView m) {
  const std::int64_t rows = u.extent(0);
  project(context, {1, rows}, u);
  std::vector<std::int64_t> heads;
  for (std::int64_t h = 0; h < layout_.nheads; ++h) heads.push_back(h);
  ssd_matrix(context, operands(pass(context, rows), 0, rows), heads, {}, {}, m);
  add_diagonals(context, skip.value, m);
}

void TrainableSsm::matrices_backward(Context& context, TensorView u, TensorView d_m, TensorView d_u) {
  const std::int64_t rows = u.extent(0);
  const Pass d = d_pass(context, rows);
  clear(context, d.projected);  // the gate
  clear(context, d.convolved);  // x
  ssd_matrix_backward(context, operands(pass(context, rows), 0, rows), d_m, gradients(d, 0, rows));
  project_backward(context, {1, rows}, u, d_u);
}

TrainableDiscreteMamba2::TrainableDiscreteMamba2(const ModelConfig& config, const std::string& prefix,
                                                 ParameterSet& parameters)
    : TrainableSsm(config, llamba_layout(config),
                   config.conv_silu ? ConvActivation::Silu : ConvActivation::Identity, prefix, parameters),
      z_bias(parameters.add({{prefix + "z_bias", {config.d_inner}}}, false)) {}

void TrainableDiscreteMamba2::decay(Context& context, TensorView raw, TensorView /*dt*/,
                                    TensorView log_decay) {
  discrete_log_decay(context, raw, log_decay);
}

void TrainableDiscreteMamba2::decay_backward(Context& context, TensorView raw, TensorView /*d_dt*/,
                                             TensorView d_log_decay, TensorView d_raw) {
  discrete_log_decay_backward(context, raw, d_log_decay, d_raw);
}

void TrainableDiscreteMamba2::gate(Context& context, TensorView y, TensorView z, TensorView gated) {
  copy(context, y, gated);
  silu_gate(context, gated, z, z_bias.value);
}

void TrainableDiscreteMamba2::gate_backward(Context& context, TensorView y, TensorView z, TensorView d_gated,
                                            TensorView d_y, TensorView d_z) {
  silu_gate_backward(context, y, z, z_bias.value, d_gated, d_y, d_z, z_bias.gradient);
}

TrainableHybridMamba2::TrainableHybridMamba2(const ModelConfig& config, const std::string& prefix,
                                             ParameterSet& parameters)
    : TrainableSsm(config, hybrid_layout(config), ConvActivation::Silu, prefix, parameters),
      dt_bias(parameters.add({{prefix + "dt_bias", {config.ngroups}}}, false)),
      a_log(parameters.add({{prefix + "A_log", {config.ngroups}}}, false)),
      norm(parameters.add({{prefix + "norm.weight", {config.d_inner}}}, false)) {}

void TrainableHybridMamba2::decay(Context& context, TensorView raw, TensorView dt, TensorView log_decay) {
  stepped_log_decay(context, raw, dt_bias.value, a_log.value, dt, log_decay);
}

void TrainableHybridMamba2::decay_backward(Context& context, TensorView raw, TensorView d_dt,
                                           TensorView d_log_decay, TensorView d_raw) {
  stepped_log_decay_backward(context, raw, dt_bias.value, a_log.value, d_dt, d_log_decay, d_raw,
                             dt_bias.gradient, a_log.gradient);
}

void TrainableHybridMamba2::gate(Context& context, TensorView y, TensorView z, TensorView gated) {
  copy(context, y, gated);
  gated_group_norm(context, gated, z, norm.value, layout().headdim, kGatedNormEps);
}

void TrainableHybridMamba2::gate_backward(Context& context, TensorView y, TensorView z, TensorView d_gated,
                                          TensorView d_y, TensorView d_z) {
  gated_group_norm_backward(context, y, z, norm.value, layout().headdim, kGatedNormEps, d_gated, d_y, d_z,
                            norm.gradient);
}

}  // namespace tandem::training
