#include "core/training/adamw.h"

#include <cmath>

#include "kernels/ops/adamw.h"

namespace tandem::training {
namespace {

constexpr const char* kMeans = "adam_m.";
constexpr const char* kSquares = "adam_v.";

}  // namespace

AdamW::AdamW(ParameterSet& parameters, const AdamWSettings& settings)
    : parameters_(parameters), settings_(settings) {
  for (const Parameter& parameter : parameters_.all()) {
    means_.emplace_back(parameter.value.shape());
    squares_.emplace_back(parameter.value.shape());
  }
}

void AdamW::place(Context& context) {
  for (std::vector<Tensor>* moments : {&means_, &squares_})
    for (Tensor& moment : *moments) moment = std::move(moment).on_device_of(context);
}

double AdamW::update(Context& context, double learning_rate) {
  std::vector<TensorView> gradients;
  for (const Parameter& parameter : parameters_.all())
    if (parameter.trainable) gradients.emplace_back(parameter.gradient);
  const double norm = std::sqrt(sum_of_squares(context, gradients));
  if (!std::isfinite(norm)) return norm;

  ++updates_;
  const auto t = static_cast<double>(updates_);
  AdamWRule rule;
  rule.learning_rate = static_cast<float>(learning_rate);
  rule.beta1 = static_cast<float>(settings_.beta1);
  rule.beta2 = static_cast<float>(settings_.beta2);
  rule.eps = static_cast<float>(settings_.eps);
  rule.gradient_scale =
      settings_.clip > 0 && norm > settings_.clip ? static_cast<float>(settings_.clip / norm) : 1.0F;
  rule.correction1 = static_cast<float>(1 - std::pow(settings_.beta1, t));
  rule.correction2 = static_cast<float>(1 - std::pow(settings_.beta2, t));
  std::size_t i = 0;
  for (Parameter& parameter : parameters_.all()) {
    rule.weight_decay = parameter.decays ? static_cast<float>(settings_.weight_decay) : 0.0F;
    if (parameter.trainable)
      adamw(context, parameter.gradient, rule, parameter.value, means_[i], squares_[i]);
    ++i;
  }
  return norm;
}

std::vector<NamedTensor> AdamW::tensors() const {
  std::vector<NamedTensor> list;
  std::size_t i = 0;
  for (const Parameter& parameter : parameters_.all()) {
    for (std::size_t part = 0; part < parameter.parts.size(); ++part) {
      const std::string& name = parameter.parts[part].name;
      list.push_back({kMeans + name, parameter.part_view(part, means_[i])});
      list.push_back({kSquares + name, parameter.part_view(part, squares_[i])});
    }
    ++i;
  }
  return list;
}

Status AdamW::read(const Checkpoint& checkpoint, std::int64_t updates) {
  TANDEM_RETURN_IF_ERROR(read_tensors(checkpoint, tensors()));
  updates_ = updates;
  return {};
}

}  // namespace tandem::training
