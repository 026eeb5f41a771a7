// Sampling against the CPU's op: the same uniforms give the same tokens.
#include <QTest>

#include "kernels/cuda/sampling.h"
#include "tests/kernels/cuda/device_test.h"

using namespace tandem;
using test::Array;
using test::device_difference;
using test::TestDevice;

namespace {

constexpr std::int64_t kRows = 5;

/// Tokens, then log-probabilities.
std::vector<float> on_device(TestDevice& device, Array& logits, std::int64_t vocab, const SamplingRule& rule,
                             Array& uniforms) {
  const auto rows = static_cast<std::size_t>(logits.view().extent(0));
  const TensorView tokens = device.put(
      TensorView(std::vector<std::int32_t>(rows).data(), DType::I32, Shape{static_cast<std::int64_t>(rows)}));
  const TensorView logprobs = device.empty(tokens.shape());
  cuda::sample(device.stream(), device.put(logits), vocab, rule, {.uniforms = {device.put(uniforms).f32(), rows}},
               {static_cast<std::int32_t*>(tokens.data()), rows}, {logprobs.f32(), rows});
  std::vector<float> result;
  for (const std::int32_t token : device.get_ids(tokens)) result.push_back(static_cast<float>(token));
  const std::vector<float> probabilities = device.get(logprobs);
  result.insert(result.end(), probabilities.begin(), probabilities.end());
  return result;
}

std::vector<double> on_cpu(Array& logits, std::int64_t vocab, const SamplingRule& rule, Array& uniforms) {
  const auto rows = static_cast<std::size_t>(logits.view().extent(0));
  std::vector<std::int32_t> tokens(rows);
  std::vector<float> logprobs(rows);
  Context context;
  sample(context, logits, vocab, rule, {.uniforms = uniforms.data()}, tokens, logprobs);
  std::vector<double> result(tokens.begin(), tokens.end());
  result.insert(result.end(), logprobs.begin(), logprobs.end());
  return result;
}

}  // namespace

class TestCudaSampling : public QObject {
  Q_OBJECT
 private slots:
  void draws_data() {
    QTest::addColumn<float>("temperature");
    QTest::addColumn<int>("top_k");
    QTest::addColumn<float>("top_p");
    QTest::newRow("greedy") << 0.0F << 0 << 1.0F;
    QTest::newRow("plain") << 1.0F << 0 << 1.0F;
    QTest::newRow("warm") << 1.7F << 0 << 1.0F;
    QTest::newRow("one of one") << 0.8F << 1 << 1.0F;
    QTest::newRow("top 5") << 0.8F << 5 << 1.0F;
    QTest::newRow("top 10,000") << 1.0F << 10000 << 1.0F;
    QTest::newRow("top 90 %") << 1.0F << 0 << 0.9F;
    QTest::newRow("top 1 %") << 1.0F << 0 << 0.01F;
    QTest::newRow("both") << 1.5F << 20 << 0.7F;
  }
  void draws() {
    QFETCH(float, temperature);
    QFETCH(int, top_k);
    QFETCH(float, top_p);
    const SamplingRule rule = {temperature, top_k, top_p};
    Array uniforms(Shape{kRows});
    for (std::size_t b = 0; b < kRows; ++b)
      uniforms.data()[b] = static_cast<float>(b) / (kRows - 0.999F) * 0.99999F;
    for (const std::int64_t vocab : {1, 31, 1500}) {
      Array logits = Array::padded(kRows, vocab + 5, 3, 1, 3.0F);  // five ids too many
      for (std::int64_t b = 0; b < kRows; ++b) logits.view().row(b)[vocab] = 100.0F;
      const auto run = [&](TestDevice& device) { return on_device(device, logits, vocab, rule, uniforms); };
      QCOMPARE(device_difference(run, on_cpu(logits, vocab, rule, uniforms), 1e-7), QString());
    }
  }

  void equals_go_by_id_data() { draws_data(); }
  void equals_go_by_id() {
    QFETCH(float, temperature);
    QFETCH(int, top_k);
    QFETCH(float, top_p);
    constexpr std::int64_t kVocab = 60;
    const SamplingRule rule = {temperature, top_k, top_p};
    Array logits(Shape{kRows, kVocab});
    Array uniforms(Shape{kRows});
    for (std::int64_t b = 0; b < kRows; ++b) {
      uniforms.data()[static_cast<std::size_t>(b)] = (static_cast<float>(b) + 0.37F) / kRows;
      for (std::int64_t id = 0; id < kVocab; ++id)
        logits.view().row(b)[id] = id % 3 == 2 ? 1.0F : id % 3 == 1 ? -0.0F : 0.0F;
    }
    const auto run = [&](TestDevice& device) { return on_device(device, logits, kVocab, rule, uniforms); };
    QCOMPARE(device_difference(run, on_cpu(logits, kVocab, rule, uniforms), 1e-7), QString());
  }

  void nan_leaves_nothing_to_draw_from() {
    Array logits = Array::random(Shape{2, 40}, 1);
    logits.view().row(1)[7] = std::nanf("");
    Array uniforms(Shape{2}, 0.5F);
    for (const SamplingRule& rule : {SamplingRule{}, SamplingRule{0.0F}, SamplingRule{1.0F, 3, 0.5F}}) {
      TestDevice device;
      const std::vector<float> got = on_device(device, logits, 40, rule, uniforms);
      QVERIFY(got[1] >= 0 && got[1] < 40 && std::isnan(got[3]) && !std::isnan(got[2]));
    }
  }
};

QTEST_APPLESS_MAIN(TestCudaSampling)
#include "tst_cuda_sampling.moc"
