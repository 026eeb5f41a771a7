// Models of random weights: their sizes are the published ones, and what they compute stays finite.
#include <cmath>
#include <filesystem>

#include <QTest>

#include "core/models/decode_state.h"
#include "core/models/memory_plan.h"
#include "core/models/random_weights.h"
#include "tests/support/models.h"

using namespace tandem;
using namespace tandem::test;

namespace {

const std::filesystem::path kModels = TANDEM_TEST_DATA "/models";

LoadOptions options_for(Device* device, DType weights = DType::F32) {
  LoadOptions options;
  options.device = device;
  options.weights = weights;
  options.tokenizer = (kModels / "../tokenizer").string();
  return options;
}

std::shared_ptr<const Model> random(const std::string& shape, const LoadOptions& options = {}) {
  auto model = random_model(shape, options);
  TANDEM_CHECK(model.ok(), model.error().message);
  return *model;
}

/// Logits after a short prompt and a step.
std::vector<float> logits_of(const Model& model) {
  Context context(1, model.device());
  const std::int64_t vocab = model.info().vocab;
  const std::vector<std::int32_t> ids = {1, 5, 9, 2, 7, 3};
  const std::int32_t slot = 0;
  DecodeState state(context, model, {std::ssize(ids), 1, 1});
  const Tensor logits = results(context, {1, vocab});
  model.prefill(context, ids, &state, logits);
  state.start_slot(slot);
  model.step(context, state, {&ids[0], 1}, {&slot, 1}, logits);
  const Tensor host = on_host(context, logits);
  return {host.f32(), host.f32() + vocab};
}

}  // namespace

class TestRandomModel : public QObject {
  Q_OBJECT
 private slots:
  void published_sizes_data() {
    QTest::addColumn<qint64>("parameters");
    QTest::addColumn<qint64>("cache_bytes");  // of a token, in f32
    QTest::addColumn<qint64>("state_bytes");
    const auto cache = [](qint64 layers, qint64 width) { return layers * 2 * width * 4; };
    // Llamba: heads * P * N and the last three x, B and C (models.md 2.5).
    const auto llamba = [](qint64 layers, qint64 inner) {
      return layers * 4 * (inner * 64 + 3 * (inner + 2 * 32 * 64));
    };
    // Mamba-1 style: 16 for each channel, and its last three inputs (models.md 3.4).
    const auto selective = [](qint64 layers, qint64 inner) { return layers * 4 * inner * (16 + 3); };
    QTest::newRow("Llama-3.2-1B") << qint64{1'235'814'400} << cache(16, 512) << qint64{0};
    QTest::newRow("Llama-3.2-3B") << qint64{3'212'749'824} << cache(28, 1024) << qint64{0};
    QTest::newRow("Llamba-1B") << qint64{1'405'159'936} << qint64{0} << llamba(16, 2048);
    QTest::newRow("Llamba-3B") << qint64{3'656'994'688} << qint64{0} << llamba(28, 3072);
    QTest::newRow("MambaInLlama-1B") << qint64{1'293'002'752} << cache(4, 512) << selective(12, 2048);
    QTest::newRow("MambaInLlama-3B") << qint64{3'447'874'560} << cache(6, 1024) << selective(22, 3072);
  }
  void published_sizes() {
    QFETCH(qint64, parameters);
    const auto info = inspect_shape(QTest::currentDataTag());
    QVERIFY2(info.ok(), info.ok() ? "" : info.error().message.c_str());
    QVERIFY(info->random_weights);
    QCOMPARE(info->name, std::string(QTest::currentDataTag()));
    QCOMPARE(info->parameters, parameters);
    QTEST(qint64{info->cache_bytes_per_token()}, "cache_bytes");
    QTEST(qint64{info->state_bytes()}, "state_bytes");
    LoadOptions narrow;
    narrow.weights = DType::BF16;
    const auto halved = inspect_shape(QTest::currentDataTag(), narrow);
    QVERIFY(halved->memory_bytes >= 2 * parameters && halved->memory_bytes <= info->memory_bytes);
  }

  void every_family_computes_finite_numbers_data() {
    QTest::addColumn<QString>("folder");
    QTest::addColumn<QString>("device");
    for (const auto& entry : std::filesystem::directory_iterator(kModels))
      for (const auto& [device, unused] : devices())
        QTest::addRow("%s, %s", entry.path().filename().c_str(), device)
            << QString::fromStdString(entry.path().string()) << device;
  }
  void every_family_computes_finite_numbers() {
    QFETCH(QString, folder);
    QFETCH(QString, device);
    const LoadOptions options = options_for(device_of(device));
    const auto stored = inspect_model(folder.toStdString(), options);
    QVERIFY2(stored.ok(), stored.ok() ? "" : stored.error().message.c_str());
    const auto model = random(folder.toStdString(), options);
    QCOMPARE(model->info().parameters, stored->parameters);
    QCOMPARE(model->info().state_bytes(), stored->state_bytes());
    QCOMPARE(model->vocab_size(), model->info().vocab);
    double squares = 0;
    for (const float logit : logits_of(*model)) squares += static_cast<double>(logit) * logit;
    const double size = std::sqrt(squares / static_cast<double>(model->info().vocab));
    QVERIFY2(size > 0.3 && size < 3, QByteArray::number(size).constData());  // NaN is neither
  }

  void weights_are_the_same_every_time() {
    const std::string folder = (kModels / "llamba").string();
    QVERIFY(logits_of(*random(folder)) == logits_of(*random(folder)));
    Tensor wide({64, 256});
    const Tensor narrow = Tensor::uninitialized({64, 256}, DType::BF16);
    fill_random("a.weight", wide);
    fill_random("a.weight", narrow);
    double sum = 0;
    double squares = 0;
    for (std::int64_t i = 0; i < wide.elements(); ++i) {
      const float value = wide.f32()[i];
      QCOMPARE(value, to_float(static_cast<const BFloat16*>(narrow.data())[i]));
      sum += value;
      squares += value * value;
    }
    QVERIFY(std::abs(sum / 64) < 1);             // a row's sum has variance 1
    QVERIFY(std::abs(squares / 64 - 1) < 0.05);  // as its squares add up to
    Tensor other({64, 256});
    fill_random("b.weight", other);
    QVERIFY(max_abs_error(wide, other) > 0.01);
  }

  void unknown_shapes_are_explained() {
    const auto unknown = random_model("Llama-4-1B");
    QVERIFY(!unknown.ok());
    QCOMPARE(unknown.error().code, ErrorCode::NotFound);
    QVERIFY(unknown.error().message.find("MambaInLlama-3B") != std::string::npos);
    const auto empty = random_model((kModels / "..").string());
    QVERIFY(!empty.ok());
    QVERIFY(empty.error().message.find("config.json") != std::string::npos);
  }

  void loading_tells_how_far_it_is_and_stops() {
    LoadOptions options;
    std::int64_t last = 0;
    std::int64_t all = 0;
    options.progress = [&](std::int64_t done, std::int64_t total) {
      last = done;
      all = total;
    };
    const std::string folder = (kModels / "llamba").string();
    QVERIFY(random_model(folder, options).ok());
    QVERIFY(all > 0);
    QCOMPARE(last, all);
    std::stop_source stop;
    stop.request_stop();
    options.stop = stop.get_token();
    QCOMPARE(random_model(folder, options).error().code, ErrorCode::Cancelled);
  }
};

QTEST_GUILESS_MAIN(TestRandomModel)
#include "tst_random_model.moc"
