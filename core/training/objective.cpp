#include "core/training/objective.h"

#include <algorithm>
#include <cmath>

#include "core/mixing/capture.h"
#include "core/training/trainable_ssm.h"
#include "kernels/ops/copy.h"
#include "kernels/ops/loss.h"
#include "kernels/ops/norm.h"

namespace tandem::training {
namespace {

std::span<const std::int32_t> sequence(const Batch& batch, std::int64_t index) {
  return std::span(batch.ids).subspan(static_cast<std::size_t>(index * batch.shape.seqlen),
                                      static_cast<std::size_t>(batch.shape.seqlen));
}

/// The layer's recurrent mixer, or null where the student keeps attention.
TrainableSsm* recurrent_mixer(TrainableModel& model, std::int64_t layer) {
  return dynamic_cast<TrainableSsm*>(&model.mixer(layer));
}

/// A tensor on the host where ops can read it, until the enclosing ScratchScope ends.
TensorView placed(Context& context, const Tensor& tensor) {
  const auto values =
      context.place(std::span<const float>(tensor.f32(), static_cast<std::size_t>(tensor.elements())));
  return {const_cast<float*>(values.data()), tensor.shape()};
}

/// Goals that train layers one by one touch the recurrent mixers alone: what is around them is the teacher's.
class LayerObjective : public Objective {
 public:
  LayerObjective(std::shared_ptr<const Model> teacher, std::int64_t accumulate)
      : teacher_(std::move(teacher)),
        accumulate_(accumulate),
        distances_(teacher_->info().layers.size()),
        norms_(distances_.size()) {}

  void select_parameters(TrainableModel& model) const override {
    for (Parameter& parameter : model.parameters().all()) {
      const std::string& name = parameter.parts.front().name;
      parameter.trainable =
          name.find(".mixer.") != std::string::npos || name.find(".mamba.") != std::string::npos;
    }
  }
  Distances take_distances() override {
    const std::vector<double> none(distances_.size());
    Distances taken{std::exchange(distances_, none), std::exchange(norms_, none)};
    for (std::size_t l = 0; l < none.size(); ++l)
      if (taken.relative[l] > 0) taken.relative[l] = taken.absolute[l] / taken.relative[l];
    return taken;
  }

 protected:
  const Model& teacher() const { return *teacher_; }
  std::int64_t micro_batches() const { return accumulate_; }
  /// `norm`: of what the teacher has, weighted as the distance is.
  void add_distance(std::int64_t layer, double distance, double norm) {
    distances_[static_cast<std::size_t>(layer)] += distance;
    norms_[static_cast<std::size_t>(layer)] += norm;
  }

 private:
  std::shared_ptr<const Model> teacher_;
  std::int64_t accumulate_;
  std::vector<double> distances_, norms_;  // per layer, of the update so far
};

/// A loss of the logits and the batch's own targets: cross_entropy_loss or binary_cross_entropy_loss.
class TargetObjective final : public Objective {
 public:
  using Loss = decltype(cross_entropy_loss);
  explicit TargetObjective(Loss* loss) : loss_(loss) {}

  double accumulate(Context& context, TrainableModel& model, const Batch& batch) override {
    const TensorView logits = model.forward(context, batch.shape, batch.ids);
    const ScratchScope scope(context);
    const double loss = loss_(context, logits, context.place(std::span<const std::int32_t>(batch.targets)),
                              context.place(std::span<const float>(batch.weights)), logits);
    model.backward(context, logits);
    return loss;
  }

 private:
  Loss* loss_;
};

class MatrixObjective final : public LayerObjective {
 public:
  using LayerObjective::LayerObjective;

  double accumulate(Context& context, TrainableModel& model, const Batch& batch) override {
    double loss = 0;
    for (std::int64_t s = 0; s < batch.shape.sequences; ++s) {
      const auto captured = capture(teacher(), sequence(batch, s), {}, context);
      TANDEM_CHECK(captured.ok(), captured.error().message);
      for (const LayerMatrices& layer : captured->layers) {
        TrainableSsm* mixer = recurrent_mixer(model, layer.layer);
        if (mixer == nullptr) continue;
        const std::int64_t heads = layer.matrix.shape()[0];
        const double weight = 1.0 / static_cast<double>(heads * batch.shape.sequences * micro_batches());
        const ScratchScope scope(context);
        const TensorView wanted = placed(context, layer.matrix);
        const double distance = align(context, model, *mixer, layer, wanted, static_cast<float>(weight));
        const TensorView rows = wanted.reshape({heads, wanted.elements() / heads});
        add_distance(layer.layer, distance, weight * row_norms(context, rows));
        loss += distance;
      }
    }
    return loss;
  }

 private:
  double align(Context& context, TrainableModel& model, TrainableSsm& mixer, const LayerMatrices& layer,
               TensorView wanted, float weight) {
    const TensorView normed = normed_.get(context, layer.input.shape());
    const TensorView m = m_.get(context, wanted.shape());
    rms_norm(context, placed(context, layer.input), model.input_norm(layer.layer).value,
             model.config().block_norm_eps, normed);
    mixer.matrices(context, normed, m);
    const double distance = frobenius_loss(context, m, wanted, weight, m);
    mixer.matrices_backward(context, normed, m, d_normed_.get(context, normed.shape()));
    return distance;
  }
  Activation normed_, m_, d_normed_;
};

/// The teacher's layer inputs and mixer outputs, one sequence after the other.
class HiddenCollector final : public Model::LayerObserver {
 public:
  HiddenCollector(Context& context, std::vector<Tensor>& inputs, std::vector<Tensor>& outputs,
                  const Batch& batch, std::int64_t sequence, std::int64_t width)
      : context_(context),
        inputs_(inputs),
        outputs_(outputs),
        batch_(batch),
        sequence_(sequence),
        width_(width) {}

  void on_layer(std::int64_t layer, const Mixer& /*mixer*/, TensorView input, TensorView /*normed*/,
                TensorView output) override {
    store(inputs_[static_cast<std::size_t>(layer)], input);
    store(outputs_[static_cast<std::size_t>(layer)], output);
  }

 private:
  void store(Tensor& all, const TensorView& rows) const {
    if (all.elements() != batch_.shape.rows() * width_)
      all = Tensor::uninitialized({batch_.shape.rows(), width_}, DType::F32, context_.device());
    copy(context_, rows, all.view().rows(sequence_ * batch_.shape.seqlen, batch_.shape.seqlen));
  }
  Context& context_;
  std::vector<Tensor>& inputs_;
  std::vector<Tensor>& outputs_;
  const Batch& batch_;
  std::int64_t sequence_;
  std::int64_t width_;
};

class HiddenObjective final : public LayerObjective {
 public:
  HiddenObjective(std::shared_ptr<const Model> teacher, std::int64_t accumulate)
      : LayerObjective(std::move(teacher), accumulate),
        inputs_(this->teacher().info().layers.size()),
        outputs_(inputs_.size()) {}

  double accumulate(Context& context, TrainableModel& model, const Batch& batch) override {
    const TensorView last_logits = last_logits_.get(context, {1, teacher().info().vocab});
    for (std::int64_t s = 0; s < batch.shape.sequences; ++s) {
      HiddenCollector collector(context, inputs_, outputs_, batch, s, teacher().info().d_model);
      teacher().prefill(context, sequence(batch, s), nullptr, last_logits, &collector);
    }
    const double weight = 1.0 / static_cast<double>(batch.shape.rows() * micro_batches());
    const std::vector<float> weights(static_cast<std::size_t>(batch.shape.rows()),
                                     static_cast<float>(weight));
    const ScratchScope scope(context);
    const std::span<const float> placed_weights = context.place(std::span<const float>(weights));
    double loss = 0;
    for (std::int64_t l = 0; l < model.layers(); ++l) {
      TrainableSsm* mixer = recurrent_mixer(model, l);
      if (mixer == nullptr) continue;
      const Tensor& input = inputs_[static_cast<std::size_t>(l)];
      const TensorView normed = normed_.get(context, input.shape());
      const TensorView out = out_.get(context, input.shape());
      rms_norm(context, input, model.input_norm(l).value, model.config().block_norm_eps, normed);
      mixer->forward(context, batch.shape, normed, out);
      const Tensor& wanted = outputs_[static_cast<std::size_t>(l)];
      const double distance = l2_loss(context, out, wanted, placed_weights, out);
      mixer->backward(context, batch.shape, normed, out, d_normed_.get(context, input.shape()));
      add_distance(l, distance, weight * row_norms(context, wanted));
      loss += distance;
    }
    return loss;
  }

 private:
  std::vector<Tensor> inputs_, outputs_;  // per layer
  Activation last_logits_, normed_, out_, d_normed_;
};

class LogitObjective final : public Objective {
 public:
  LogitObjective(std::shared_ptr<const Model> teacher, KlDirection direction)
      : teacher_(std::move(teacher)), direction_(direction) {}

  double accumulate(Context& context, TrainableModel& model, const Batch& batch) override {
    const TensorView wanted = wanted_.get(context, {batch.shape.rows(), teacher_->info().vocab});
    for (std::int64_t s = 0; s < batch.shape.sequences; ++s)
      teacher_->prefill(context, sequence(batch, s), nullptr,
                        wanted.rows(s * batch.shape.seqlen, batch.shape.seqlen));
    const TensorView logits = model.forward(context, batch.shape, batch.ids);
    const ScratchScope scope(context);
    const double loss = kl_loss(context, logits, wanted, direction_,
                                context.place(std::span<const float>(batch.weights)), logits);
    model.backward(context, logits);
    return loss;
  }

 private:
  std::shared_ptr<const Model> teacher_;
  KlDirection direction_;
  Activation wanted_;
};

}  // namespace

void Objective::select_parameters(TrainableModel& model) const {
  for (Parameter& parameter : model.parameters().all()) parameter.trainable = true;
}

std::unique_ptr<Objective> make_objective(Goal goal, std::shared_ptr<const Model> teacher,
                                          std::int64_t accumulate) {
  TANDEM_CHECK(goal == Goal::Tokens || goal == Goal::Outcome || teacher != nullptr,
               std::string(goal_name(goal)) + " needs a teacher");
  switch (goal) {
    case Goal::Tokens:
      break;
    case Goal::Outcome:
      return std::make_unique<TargetObjective>(binary_cross_entropy_loss);
    case Goal::Matrices:
      return std::make_unique<MatrixObjective>(std::move(teacher), accumulate);
    case Goal::Hidden:
      return std::make_unique<HiddenObjective>(std::move(teacher), accumulate);
    case Goal::Logits:
      return std::make_unique<LogitObjective>(std::move(teacher), KlDirection::Forward);
    case Goal::LogitsReverse:
      return std::make_unique<LogitObjective>(std::move(teacher), KlDirection::Reverse);
  }
  return std::make_unique<TargetObjective>(cross_entropy_loss);
}

}  // namespace tandem::training
