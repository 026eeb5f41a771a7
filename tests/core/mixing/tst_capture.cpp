// The matrices shown are the ones the layer used: M times the layer's values is what the layer itself
// computed.
#include <cmath>

#include <QTest>

#include "core/mixing/capture.h"
#include "tests/support/models.h"

using namespace tandem;
using namespace tandem::test;

namespace {

const std::string kText =
    "Problem: Noah has 27 apples. Noah splits the apples equally among 9 friends and keeps one share. How "
    "many apples does Noah have "
    "now? Reason: Noah starts with 27 apples. Each share is 27 / 9 = 3. The final answer is 3.";

Capture capture_text(const Model& model, const CaptureOptions& options = {}) {
  Context context(2, model.device());
  auto result = capture(model, model.tokenizer().encode(kText), options, context);
  TANDEM_CHECK(result.ok(), result.error().message);
  return *std::move(result);
}

}  // namespace

class TestCapture : public QObject {
  Q_OBJECT
 private slots:
  void matrix_times_values_is_the_layers_output_data() { model_rows(); }
  void matrix_times_values_is_the_layers_output() {
    QFETCH(QString, model);
    QFETCH(QString, device);
    const auto loaded = bundled(model.toStdString(), device_of(device));
    const Capture captured = capture_text(*loaded);
    QCOMPARE(captured.layers.size(), std::size_t{6});
    const auto tokens = static_cast<std::int64_t>(captured.ids.size());
    for (const LayerMatrices& layer : captured.layers) {
      const std::int64_t nheads = layer.values.shape()[1];
      const std::int64_t width = layer.values.shape()[2];
      double worst = 0;
      double scale = 0;
      for (std::int64_t h = 0; h < nheads; ++h)
        for (std::int64_t i = 0; i < tokens; ++i)
          for (std::int64_t p = 0; p < width; ++p) {
            const auto value = [&](std::int64_t t) {
              return static_cast<double>(layer.values.view().row(t)[h * width + p]);
            };
            double sum = layer.skip.empty() ? 0 : static_cast<double>(layer.skip.f32()[h]) * value(i);
            for (std::int64_t j = 0; j < tokens; ++j)
              sum += static_cast<double>(layer.matrix.f32()[(h * tokens + i) * tokens + j]) * value(j);
            const double computed = static_cast<double>(layer.mixed.view().row(i)[h * width + p]);
            worst = std::max(worst, std::abs(sum - computed));
            scale = std::max(scale, std::abs(computed));
          }
      QVERIFY2(worst <= 1e-4 * scale,
               qPrintable(QString("layer %1: %2 of %3").arg(layer.layer).arg(worst).arg(scale)));
    }
  }

  void factors_multiply_to_the_matrix_and_nothing_looks_ahead_data() { model_rows(); }
  void factors_multiply_to_the_matrix_and_nothing_looks_ahead() {
    QFETCH(QString, model);
    QFETCH(QString, device);
    const Capture captured = capture_text(*bundled(model.toStdString(), device_of(device)));
    const auto tokens = static_cast<std::int64_t>(captured.ids.size());
    for (const LayerMatrices& layer : captured.layers) {
      QCOMPARE(layer.decay.empty(), layer.kind == MixerKind::Attention);
      for (std::int64_t h = 0; h < layer.matrix.shape()[0]; ++h)
        for (std::int64_t i = 0; i < tokens; ++i) {
          double row_sum = 0;
          for (std::int64_t j = 0; j < tokens; ++j) {
            const std::int64_t at = (h * tokens + i) * tokens + j;
            const float m = layer.matrix.f32()[at];
            if (j > i) QCOMPARE(m, 0.0F);
            row_sum += static_cast<double>(m);
            if (layer.kind == MixerKind::Attention) continue;
            const float product = layer.decay.f32()[at] * layer.content.f32()[at];
            QVERIFY(std::abs(m - product) <= 1e-6F * std::max(1.0F, std::abs(product)));
            if (j == i) QCOMPARE(layer.decay.f32()[at], 1.0F);
          }
          if (layer.kind == MixerKind::Attention) QVERIFY(std::abs(row_sum - 1) < 1e-5);
        }
    }
  }

  void chosen_layers_and_heads_equal_the_whole() {
    const auto model = bundled("seed-llamba");
    const Capture whole = capture_text(*model);
    CaptureOptions options;
    options.layers = {3};
    options.heads = {2, 0};
    const Capture part = capture_text(*model, options);
    QCOMPARE(part.layers.size(), std::size_t{1});
    QCOMPARE(part.layers[0].layer, std::int64_t{3});
    const auto tokens = static_cast<std::int64_t>(part.ids.size());
    const TensorView stack = whole.layers[3].matrix;
    QCOMPARE(max_abs_error(part.layers[0].matrix.view().rows(0, 1), stack.rows(2, 1)), 0.0);
    QCOMPARE(max_abs_error(part.layers[0].matrix.view().rows(1, 1), stack.rows(0, 1)), 0.0);
    QCOMPARE(part.layers[0].matrix.shape(), (Shape{2, tokens, tokens}));
  }

  void impossible_captures_are_refused() {
    const auto model = bundled("seed-teacher");
    Context context;
    const std::vector<std::int32_t> ids(10, 5);
    CaptureOptions options;
    options.layers = {6};
    QVERIFY(!capture(*model, ids, options, context).ok());
    options = {};
    options.heads = {-1};
    QVERIFY(!capture(*model, ids, options, context).ok());
    options = {};
    options.max_tokens = 9;
    const auto long_prompt = capture(*model, ids, options, context);
    QVERIFY(!long_prompt.ok());
    QCOMPARE(long_prompt.error().code, ErrorCode::OutOfRange);
    QVERIFY(!capture(*model, {}, {}, context).ok());
    const std::vector<std::int32_t> outside{103};
    QVERIFY(!capture(*model, outside, {}, context).ok());
  }
};

QTEST_GUILESS_MAIN(TestCapture)
#include "tst_capture.moc"
