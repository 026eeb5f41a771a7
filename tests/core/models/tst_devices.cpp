// The bundled models write the same tokens on every device, and what devices lack is said.
#include <QTest>

#include "core/generation/generate.h"
#include "tests/support/models.h"

using namespace tandem;
using namespace tandem::test;

class TestDevices : public QObject {
  Q_OBJECT
 private slots:
  void the_same_tokens_are_written_data() {
    QTest::addColumn<QString>("model");
    QTest::addColumn<QString>("device");
    QTest::addColumn<float>("temperature");
    if (devices().size() == 1) QSKIP("there is no GPU");
    for (const char* name : {"pocket-small-teacher", "pocket-small-llamba", "pocket-small-hybrid"})
      for (const auto& [device, unused] : devices())
        for (const float temperature : {0.0F, 1.0F})
          if (unused != nullptr)
            QTest::addRow("%s, %s, temperature %g", name, device, static_cast<double>(temperature))
                << name << device << temperature;
  }
  void the_same_tokens_are_written() {
    QFETCH(QString, model);
    QFETCH(QString, device);
    QFETCH(float, temperature);
    const auto write = [&](Device* on) {
      const auto loaded = bundled(model.toStdString(), on);
      GenerationRequest request =
          make_request(*loaded, loaded->prompt(), "Ava has 2 pens and buys 3. How many?");
      request.completions = 3;
      request.batch = 2;  // the third takes a slot that was used before
      request.max_new_tokens = 5;
      request.sampling.temperature = temperature;
      Context context(1, on);
      auto result = generate(*loaded, request, context);
      TANDEM_CHECK(result.ok(), result.error().message);
      return *std::move(result);
    };
    const GenerationResult want = write(nullptr);
    const GenerationResult got = write(device_of(device));
    for (std::size_t i = 0; i < 3; ++i) {
      QCOMPARE(got.completions[i].tokens, want.completions[i].tokens);
      for (std::size_t t = 0; t < want.completions[i].logprobs.size(); ++t)
        QCOMPARE_LE(std::abs(got.completions[i].logprobs[t] - want.completions[i].logprobs[t]), 1e-3F);
    }
  }
};

QTEST_GUILESS_MAIN(TestDevices)
#include "tst_devices.moc"
