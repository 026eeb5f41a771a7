// The referee: an independent implementation's ids, logits, matrices, hidden states and greedy continuations
// for the bundled models. tests/data holds a part (trim_golden.py); the whole file is used where it is at
// hand.
#include <filesystem>

#include <QTest>

#include "core/generation/generate.h"
#include "core/mixing/capture.h"
#include "tests/support/models.h"

using namespace tandem;
using namespace tandem::test;

namespace {

constexpr double kLogitsTolerance = 2e-4;  // f32 against f32 in another order of summation
constexpr double kMatrixTolerance = 1e-4;

const char* golden_name(const QString& model) {
  if (model == "seed-teacher") return "teacher";
  return model == "seed-llamba" ? "student-llamba" : "student-hybrid";
}

std::shared_ptr<const Checkpoint> open_golden(const std::string& path) {
  auto file = Checkpoint::open(path);
  TANDEM_CHECK(file.ok(), file.error().message);
  return *file;
}

Tensor read(const Checkpoint& file, const std::string& name) {
  auto tensor = file.read(name, file.shape(name));
  TANDEM_CHECK(tensor.ok(), tensor.error().message);
  return *std::move(tensor);
}

std::vector<std::int32_t> read_ids(const Checkpoint& file, const std::string& name) {
  auto ids = file.read_ids(name);
  TANDEM_CHECK(ids.ok(), ids.error().message);
  return *std::move(ids);
}

}  // namespace

class TestGolden : public QObject {
  Q_OBJECT
 private slots:
  void matches_referee_data() {
    QTest::addColumn<QString>("file");
    QTest::addColumn<QString>("model");
    QTest::addColumn<QString>("device");
    std::vector<std::pair<QString, QString>> files;
    for (const char* name : {"golden_logits", "golden_layer1", "golden_layer2"})
      files.emplace_back(name, QString(TANDEM_TEST_DATA "/%1.safetensors").arg(name));
    const QString whole = TANDEM_SHARED_DATA "/seed_pair/golden.safetensors";
    if (std::filesystem::exists(whole.toStdString())) files.emplace_back("whole", whole);
    for (const auto& [name, path] : files)
      for (const char* model : {"seed-teacher", "seed-llamba", "seed-hybrid"})
        for (const auto& [device, unused] : devices())
          QTest::addRow("%s, %s, %s", qPrintable(name), model, device) << path << model << device;
  }

  void matches_referee() {
    QFETCH(QString, file);
    QFETCH(QString, model);
    QFETCH(QString, device);
    const auto golden = open_golden(file.toStdString());
    const auto loaded = bundled(model.toStdString(), device_of(device));
    const std::string prefix = golden_name(model);
    Context context(2, loaded->device());
    int compared = 0;
    double worst_logits = 0;
    double worst_matrix = 0;
    for (int p = 0; p < 4; ++p) {
      const std::string prompt = std::to_string(p);
      if (!golden->contains("ids." + prompt)) continue;
      const auto ids = read_ids(*golden, "ids." + prompt);
      auto captured = capture(*loaded, ids, {}, context);
      QVERIFY2(captured.ok(), captured.ok() ? "" : captured.error().message.c_str());
      if (golden->contains(prefix + ".logits." + prompt)) {
        worst_logits = std::max(worst_logits,
                                max_abs_error(captured->logits, read(*golden, prefix + ".logits." + prompt)));
        ++compared;
      }
      for (const LayerMatrices& layer : captured->layers) {
        const std::string suffix = "." + std::to_string(layer.layer) + "." + prompt;
        if (golden->contains(prefix + ".matrix" + suffix)) {
          worst_matrix =
              std::max(worst_matrix, max_abs_error(layer.matrix, read(*golden, prefix + ".matrix" + suffix)));
          ++compared;
        }
        if (golden->contains(prefix + ".input" + suffix))
          QCOMPARE_LE(max_abs_error(layer.input, read(*golden, prefix + ".input" + suffix)),
                      kLogitsTolerance);
      }
      if (golden->contains(prefix + ".greedy." + prompt)) {
        const auto expected = read_ids(*golden, prefix + ".greedy." + prompt);
        GenerationRequest request;
        request.prompt = ids;
        request.sampling.temperature = 0;
        request.max_new_tokens = 120;
        request.stop_ids = loaded->info().eos_ids;
        auto generated = generate(*loaded, request, context);
        QVERIFY(generated.ok());
        auto tokens = generated->completions[0].tokens;
        if (generated->completions[0].finish == FinishReason::Eos && tokens.size() + 1 == expected.size())
          tokens.push_back(loaded->info().eos_ids[0]);
        QCOMPARE(tokens, expected);
        ++compared;
      }
    }
    qInfo("max abs error: logits %.2g, matrices %.2g", worst_logits, worst_matrix);
    QCOMPARE_LE(worst_logits, kLogitsTolerance);
    QCOMPARE_LE(worst_matrix, kMatrixTolerance);
    QVERIFY(compared > 0);
  }
};

QTEST_GUILESS_MAIN(TestGolden)
#include "tst_golden.moc"
