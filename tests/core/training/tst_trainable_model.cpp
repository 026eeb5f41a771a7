// Models that can be trained: the same logits and matrices as the models that decode, and gradients of whole
// models against differences.
#include <cmath>

#include <QTest>

#include "core/base/resources.h"
#include "core/checkpoint/checkpoint.h"
#include "core/mixing/capture.h"
#include "core/models/model.h"
#include "core/training/trainable_model.h"
#include "core/training/trainable_ssm.h"
#include "kernels/ops/loss.h"
#include "kernels/ops/norm.h"
#include "tests/core/training/tiny_models.h"

using namespace tandem;
using namespace tandem::training;

Q_DECLARE_METATYPE(tandem::ModelFamily)

namespace {

constexpr BatchShape kBatch{3, 7};

std::vector<std::int32_t> some_ids(std::int64_t count, std::int64_t vocab) {
  std::vector<std::int32_t> ids;
  RandomStream random(5, 6);
  for (std::int64_t i = 0; i < count; ++i)
    ids.push_back(static_cast<std::int32_t>(random.between(0, vocab - 1)));
  return ids;
}

// A tiny model all of whose parameters are random: also the norms, biases and decays.
std::unique_ptr<TrainableModel> random_model(ModelFamily family) {
  auto model = std::make_unique<TrainableModel>(test::tiny_config(family));
  RandomStream random(1, 2);
  for (Parameter& parameter : model->parameters().all())
    for (std::int64_t i = 0; i < parameter.value.elements(); ++i)
      parameter.value.f32()[i] = static_cast<float>(0.4 * random.normal());
  return model;
}

struct CrossEntropy {
  explicit CrossEntropy(TrainableModel& m) : model(m), ids(some_ids(kBatch.rows(), m.config().vocab_size)) {
    for (std::int64_t i = 0; i < kBatch.rows(); ++i) weights.push_back(static_cast<float>(i % 3) * 0.1F);
  }
  double loss(bool with_gradient) {
    const TensorView logits = model.forward(context, kBatch, ids);
    const std::vector<std::int32_t> targets(ids.rbegin(), ids.rend());
    const double value =
        cross_entropy_loss(context, logits, targets, weights, with_gradient ? logits : TensorView());
    if (with_gradient) model.backward(context, logits);
    return value;
  }
  Context context{2};
  TrainableModel& model;
  std::vector<std::int32_t> ids;
  std::vector<float> weights;
};

double norm(const Tensor& x) {
  double square = 0;
  for (std::int64_t i = 0; i < x.elements(); ++i) square += std::pow(static_cast<double>(x.f32()[i]), 2);
  return std::sqrt(square);
}

// The derivative of `loss` along the parameter's own gradient, by differences, over the gradient's length: 1
// when the gradient is right.
template <typename Loss>
double agreement(Parameter& parameter, const Loss& loss) {
  const double length = norm(parameter.gradient);
  const double step = 2e-3;
  const Tensor before = parameter.value.clone();
  double difference = 0;
  for (const double sign : {1.0, -1.0}) {
    for (std::int64_t i = 0; i < before.elements(); ++i)
      parameter.value.f32()[i] =
          before.f32()[i] + static_cast<float>(sign * step / length) * parameter.gradient.f32()[i];
    difference += sign * loss();
  }
  std::copy_n(before.f32(), before.elements(), parameter.value.f32());
  return difference / (2 * step) / length;
}

void add_families() {
  QTest::addColumn<ModelFamily>("family");
  QTest::newRow("llama") << ModelFamily::Llama;
  QTest::newRow("llamba") << ModelFamily::Llamba;
  QTest::newRow("hybrid") << ModelFamily::MambaInLlama;
}

}  // namespace

class TestTrainableModel : public QObject {
  Q_OBJECT
 private slots:
  void logits_are_those_of_decoding_data() {
    QTest::addColumn<QString>("name");
    for (const char* name : {"seed-teacher", "seed-llamba", "seed-hybrid"}) QTest::newRow(name) << name;
  }
  void logits_are_those_of_decoding() {
    QFETCH(QString, name);
    const std::string folder = resource_path("models/" + name.toStdString());
    const auto decoder = open_model(folder);
    const auto config = read_model_config(folder);
    const auto checkpoint = Checkpoint::open(folder);
    QVERIFY(decoder.ok() && config.ok() && checkpoint.ok());
    TrainableModel model(*config);
    const Status read = model.read(**checkpoint);
    QVERIFY2(read.ok(), read.ok() ? "" : read.error().message.c_str());
    QCOMPARE(model.parameters().elements(), (*decoder)->info().parameters);

    Context context(2);
    const BatchShape batch{2, 70};  // more than one chunk of the scan
    const std::vector<std::int32_t> ids = some_ids(batch.rows(), config->vocab_size);
    const TensorView logits = model.forward(context, batch, ids);
    for (std::int64_t s = 0; s < batch.sequences; ++s) {
      Tensor wanted({batch.seqlen, config->vocab_size});
      (*decoder)->prefill(context,
                          std::span(ids).subspan(static_cast<std::size_t>(s * batch.seqlen),
                                                 static_cast<std::size_t>(batch.seqlen)),
                          nullptr, wanted);
      float worst = 0;
      for (std::int64_t i = 0; i < wanted.elements(); ++i)
        worst = std::max(worst, std::abs(wanted.f32()[i] - logits.row(s * batch.seqlen)[i]));
      QVERIFY2(worst < 2e-4F, qPrintable(QString::number(static_cast<double>(worst))));
    }
  }

  void gradients_agree_with_differences_data() { add_families(); }
  void gradients_agree_with_differences() {
    QFETCH(ModelFamily, family);
    const auto model = random_model(family);
    CrossEntropy problem(*model);
    problem.loss(true);
    for (Parameter& parameter : model->parameters().all()) {
      const double ratio = agreement(parameter, [&] { return problem.loss(false); });
      QVERIFY2(std::abs(ratio - 1) < 0.01,
               qPrintable(QString("%1: %2").arg(parameter.parts.front().name.c_str()).arg(ratio)));
    }
  }

  void gradients_accumulate_over_batches_data() { add_families(); }
  void gradients_accumulate_over_batches() {
    QFETCH(ModelFamily, family);
    const auto model = random_model(family);
    CrossEntropy problem(*model);
    problem.loss(true);
    std::vector<Tensor> once;
    for (Parameter& parameter : model->parameters().all()) once.push_back(parameter.gradient.clone());
    problem.loss(true);
    std::size_t p = 0;
    for (Parameter& parameter : model->parameters().all()) {
      const double length = norm(once[p]);
      for (std::int64_t i = 0; i < once[p].elements(); ++i)
        QVERIFY(std::abs(parameter.gradient.f32()[i] - 2 * once[p].f32()[i]) <= 1e-5 * length + 1e-9);
      ++p;
    }
    model->parameters().clear_gradients(problem.context);
    for (Parameter& parameter : model->parameters().all()) QCOMPARE(norm(parameter.gradient), 0.0);
  }

  void bf16_gradients_agree_with_f32_data() { add_families(); }
  void bf16_gradients_agree_with_f32() {
    if (!bf16_products_supported()) QSKIP("this processor has no bf16 products");
    QFETCH(ModelFamily, family);
    const auto model = random_model(family);
    CrossEntropy problem(*model);
    const double loss = problem.loss(true);
    std::vector<Tensor> exact;
    for (Parameter& parameter : model->parameters().all()) exact.push_back(parameter.gradient.clone());
    model->parameters().clear_gradients(problem.context);
    model->parameters().pack_products(problem.context);
    const double rounded_loss = problem.loss(true);
    QVERIFY(rounded_loss != loss);
    QVERIFY2(std::abs(rounded_loss / loss - 1) < 0.01, qPrintable(QString::number(rounded_loss / loss - 1)));
    std::size_t p = 0;
    for (const Parameter& parameter : model->parameters().all()) {
      const double length = norm(exact[p]);
      for (std::int64_t i = 0; i < exact[p].elements(); ++i) exact[p].f32()[i] -= parameter.gradient.f32()[i];
      const double error = norm(exact[p++]) / length;
      // Factors are rounded to 8 bits, 2^-9 each; a dozen products lie between the loss and the first layer.
      QVERIFY2(error < 0.03,
               qPrintable(QString("%1: %2").arg(parameter.parts.front().name.c_str()).arg(error)));
    }
  }

  void initial_weights_have_their_spread() {
    TrainableModel model(test::tiny_config(ModelFamily::Llama));
    model.initialize(RandomStream(3, 4));
    const ParameterSet& set = model.parameters();
    for (const Parameter& parameter : set.all()) {
      const std::string& name = parameter.parts.front().name;
      const double rms = norm(parameter.value) / std::sqrt(static_cast<double>(parameter.value.elements()));
      const double wanted = name.ends_with("norm.weight") ? 1
                            : name.ends_with("o_proj.weight") || name.ends_with("down_proj.weight")
                                ? std::sqrt(2.0 / 60 / 4)
                                : std::sqrt(2.0 / 60);
      QVERIFY2(std::abs(rms / wanted - 1) < 0.2, name.c_str());
    }
    CrossEntropy problem(model);  // a fresh model knows nothing: the loss is that of an even guess
    double weights = 0;
    for (const float w : problem.weights) weights += static_cast<double>(w);
    QVERIFY(std::abs(problem.loss(false) / weights - std::log(23.0)) < 0.3);
  }

  void mixing_matrices_are_those_of_capture() {
    const auto decoder = open_model(resource_path("models/seed-llamba"));
    const auto config = read_model_config(resource_path("models/seed-llamba"));
    const auto checkpoint = Checkpoint::open(resource_path("models/seed-llamba"));
    QVERIFY(decoder.ok() && config.ok() && checkpoint.ok());
    TrainableModel model(*config);
    QVERIFY(model.read(**checkpoint).ok());
    Context context(2);
    const std::vector<std::int32_t> ids = some_ids(40, config->vocab_size);
    const auto captured = capture(**decoder, ids, {}, context);
    QVERIFY(captured.ok());
    for (const LayerMatrices& layer : captured->layers) {
      auto& mixer = dynamic_cast<TrainableSsm&>(model.mixer(layer.layer));
      Tensor normed(layer.input.shape());
      rms_norm(context, layer.input, model.input_norm(layer.layer).value, config->block_norm_eps, normed);
      Tensor m(layer.matrix.shape());
      mixer.matrices(context, normed, m);
      for (std::int64_t h = 0; h < m.shape()[0]; ++h)
        for (std::int64_t i = 0; i < 40; ++i)
          for (std::int64_t j = 0; j < 40; ++j) {
            const std::int64_t at = i * 40 + j;
            const float wanted = layer.matrix.view().row(h)[at] + (i == j ? layer.skip.f32()[h] : 0.0F);
            QVERIFY(std::abs(m.view().row(h)[at] - wanted) < 1e-4F);
          }
    }
  }

  void matrix_gradients_agree_with_differences_data() {
    QTest::addColumn<ModelFamily>("family");
    QTest::newRow("llamba") << ModelFamily::Llamba;
    QTest::newRow("hybrid") << ModelFamily::MambaInLlama;
  }
  void matrix_gradients_agree_with_differences() {
    QFETCH(ModelFamily, family);
    const auto model = random_model(family);
    auto& mixer = dynamic_cast<TrainableSsm&>(model->mixer(0));
    constexpr std::int64_t kRows = 9;
    Context context(2);
    Tensor u({kRows, 12});
    Tensor target({2, kRows, kRows});
    RandomStream random(7, 8);
    for (const Tensor* t : {&u, &target})
      for (std::int64_t i = 0; i < t->elements(); ++i) t->f32()[i] = static_cast<float>(random.normal());
    for (std::int64_t h = 0; h < 2; ++h)
      for (std::int64_t i = 0; i < kRows; ++i)
        std::fill(target.view().row(h) + i * kRows + i + 1, target.view().row(h) + (i + 1) * kRows, 0.0F);
    Tensor m({2, kRows, kRows});
    Tensor d_u(u.shape());
    const auto loss = [&](bool with_gradient) {
      mixer.matrices(context, u, m);
      const double value = frobenius_loss(context, m, target, 0.5F, with_gradient ? m.view() : TensorView());
      if (with_gradient) mixer.matrices_backward(context, u, m, d_u);
      return value;
    };
    loss(true);
    for (Parameter* parameter : {&mixer.in_proj, &mixer.conv_weight, &mixer.conv_bias, &mixer.skip}) {
      const double ratio = agreement(*parameter, [&] { return loss(false); });
      QVERIFY2(std::abs(ratio - 1) < 0.01,
               qPrintable(QString("%1: %2").arg(parameter->parts.front().name.c_str()).arg(ratio)));
    }
    QCOMPARE(norm(mixer.out_proj.gradient), 0.0);  // the matrix ends before it
  }
};

QTEST_GUILESS_MAIN(TestTrainableModel)
#include "tst_trainable_model.moc"
