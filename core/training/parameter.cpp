#include "core/training/parameter.h"

#include <algorithm>

#include "kernels/base/parallel.h"
#include "kernels/ops/copy.h"

namespace tandem::training {
namespace {

TensorView as_matrix(const Tensor& tensor) {
  const Shape& shape = tensor.shape();
  return tensor.view().reshape({shape[0], shape.elements() / shape[0]});
}

}  // namespace

TensorView Parameter::matrix() const {
  return as_matrix(value);
}

TensorView Parameter::d_matrix() const {
  return as_matrix(gradient);
}

TensorView Parameter::part_view(std::size_t part, const Tensor& of) const {
  std::int64_t begin = 0;
  for (std::size_t i = 0; i < part; ++i) begin += parts[i].shape.elements();
  return {of.f32() + begin, parts[part].shape};
}

Parameter& ParameterSet::add(std::vector<Parameter::Part> parts, bool decays) {
  Parameter& parameter = parameters_.emplace_back();
  Shape shape = parts.front().shape;
  if (parts.size() > 1) {
    std::int64_t rows = 0;
    for (const Parameter::Part& part : parts) {
      TANDEM_CHECK(part.shape.rank() == 2 && part.shape[1] == shape[1],
                   part.name + " " + part.shape.str() + " does not fit under rows of " + shape.str());
      rows += part.shape[0];
    }
    shape = {rows, shape[1]};
  }
  parameter.parts = std::move(parts);
  parameter.value = Tensor(shape);
  parameter.gradient = Tensor(shape);
  parameter.decays = decays;
  return parameter;
}

std::int64_t ParameterSet::elements() const {
  std::int64_t count = 0;
  for (const Parameter& parameter : parameters_) count += parameter.value.elements();
  return count;
}

void ParameterSet::place(Context& context) {
  for (Parameter& parameter : parameters_)
    for (Tensor* tensor : {&parameter.value, &parameter.gradient})
      *tensor = std::move(*tensor).on_device_of(context);
}

void ParameterSet::clear_gradients(Context& context) {
  for (Parameter& parameter : parameters_) clear(context, parameter.gradient);
}

void ParameterSet::pack_products(Context& context) {
  if (context.device() != nullptr || !bf16_products_supported()) return;
  std::vector<Parameter*> weights;
  for (Parameter& parameter : parameters_)
    if (parameter.multiplies) weights.push_back(&parameter);
  constexpr double kWeightNs = 50'000;
  parallel_over(context, std::ssize(weights), kWeightNs, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      Parameter& weight = *weights[static_cast<std::size_t>(i)];
      weight.packed = {PackedMatrix::pack_whole(weight.matrix(), false, DType::BF16),
                       PackedMatrix::pack_whole(weight.matrix(), true, DType::BF16)};
    }
  });
}

std::vector<NamedTensor> ParameterSet::tensors() const {
  std::vector<NamedTensor> list;
  for (const Parameter& parameter : parameters_)
    for (std::size_t i = 0; i < parameter.parts.size(); ++i)
      list.push_back({parameter.parts[i].name, parameter.part_view(i, parameter.value)});
  return list;
}

Status read_tensors(const Checkpoint& checkpoint, std::span<const NamedTensor> tensors) {
  for (const NamedTensor& tensor : tensors) {
    std::vector<std::int64_t> shape;
    for (int i = 0; i < tensor.view.rank(); ++i) shape.push_back(tensor.view.extent(i));
    TANDEM_TRY(const Tensor stored, checkpoint.read(tensor.name, shape));
    std::copy_n(stored.f32(), stored.elements(), tensor.view.f32());
  }
  return {};
}

HostTensors::HostTensors(Context& context, std::vector<NamedTensor> tensors) : tensors_(std::move(tensors)) {
  if (context.queue() == nullptr) return;
  for (NamedTensor& tensor : tensors_) {
    const Tensor& copy =
        copies_.emplace_back(Tensor::uninitialized(tensor.view.shape(), tensor.view.dtype()));
    context.queue()->copy_out(copy.data(), tensor.view.data(), copy.bytes());
    tensor.view = copy;
  }
}

}  // namespace tandem::training
