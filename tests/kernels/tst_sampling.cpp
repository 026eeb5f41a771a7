// Softmax and the sampler: against double precision, against a full sort, and by frequency.
#include <numeric>

#include <QTest>

#include "kernels/ops/sampling.h"
#include "tests/kernels/op_test.h"

using namespace tandem;
using test::Array;
using test::difference;

namespace {

struct Draw {
  std::int32_t token = -1;
  float logprob = 0;
};

Draw draw(Array& logits, std::int64_t vocab, const SamplingRule& rule, float uniform) {
  Context context(1, test::backend());
  Draw result;
  sample(context, logits, vocab, rule, {.uniforms = {&uniform, 1}}, {&result.token, 1}, {&result.logprob, 1});
  return result;
}

// A row of logits for each of the uniforms.
std::vector<std::int32_t> draw_all(Array& logits, std::int64_t vocab, const SamplingRule& rule,
                                   const std::vector<float>& uniforms) {
  Context context(1, test::backend());
  std::vector<std::int32_t> tokens(uniforms.size());
  std::vector<float> logprobs(uniforms.size());
  sample(context, logits, vocab, rule, {.uniforms = uniforms}, tokens, logprobs);
  return tokens;
}

// Probabilities that the rule leaves, by sorting everything.
std::vector<double> distribution(Array& logits, std::int64_t vocab, const SamplingRule& rule) {
  std::vector<double> p;
  for (std::int64_t i = 0; i < vocab; ++i)
    p.push_back(std::exp((logits.at(0, i) - 5) / static_cast<double>(rule.temperature)));
  std::vector<std::size_t> order(p.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return p[a] > p[b]; });
  if (rule.top_k > 0) order.resize(std::min(order.size(), static_cast<std::size_t>(rule.top_k)));
  const auto mass_of = [&] {
    return std::accumulate(order.begin(), order.end(), 0.0, [&](double sum, auto i) { return sum + p[i]; });
  };
  if (rule.top_p < 1) {
    const double limit = mass_of() * static_cast<double>(rule.top_p);
    double mass = 0;
    std::size_t kept = 0;
    while (kept < order.size() && mass < limit) mass += p[order[kept++]];
    order.resize(kept);
  }
  const double total = mass_of();
  std::vector<double> result(p.size());
  for (const std::size_t i : order) result[i] = p[i] / total;
  return result;
}

}  // namespace

class TestSampling : public QObject {
  Q_OBJECT
 private slots:
  void initTestCase_data() { test::backend_rows(); }
  void init() { test::enter_backend(); }

  void softmax_equals_reference_data() {
    QTest::addColumn<int>("rows");
    QTest::addColumn<int>("cols");
    for (const int rows : {0, 1, 33}) {
      for (const int cols : {1, 31, 32, 33, 257}) QTest::addRow("[%d, %d]", rows, cols) << rows << cols;
    }
  }
  void softmax_equals_reference() {
    QFETCH(int, rows);
    QFETCH(int, cols);
    if (test::backend() != nullptr) QSKIP("a GPU has softmax within other ops only");
    Context context(2);
    Array x = Array::padded(rows, cols, 3, 1, 10.0F);
    std::vector<double> want;
    for (std::int64_t i = 0; i < rows; ++i) {
      double sum = 0;
      for (std::int64_t j = 0; j < cols; ++j) sum += std::exp(x.at(i, j));
      for (std::int64_t j = 0; j < cols; ++j) want.push_back(std::exp(x.at(i, j)) / sum);
    }
    softmax(context, x);
    QCOMPARE(difference(x, want, 2e-6), QString());  // scores of magnitude 30 carry 2^-24 * 30 into exp
  }

  // Two logits, one of them 0: the other's probability shows its exponential. Two ulp, and one each for the
  // sum and the quotient.
  void exponential_is_accurate() {
    if (test::backend() != nullptr) QSKIP("a GPU has softmax within other ops only");
    Context context;
    for (float x = -87.0F; x < 0; x += 0.0173F) {
      Array pair(Shape{1, 2});
      pair.data()[0] = x;
      softmax(context, pair);
      const double want = std::exp(static_cast<double>(x)) / (1 + std::exp(static_cast<double>(x)));
      QVERIFY2(std::abs(pair.at(0, 0) / want - 1) < 4 * 0x1p-23, qPrintable(QString("at %1").arg(x)));
    }
  }

  // Uniforms on a fine grid hit each token as often as its probability says.
  void frequencies_data() {
    QTest::addColumn<float>("temperature");
    QTest::addColumn<int>("top_k");
    QTest::addColumn<float>("top_p");
    QTest::addColumn<int>("vocab");
    for (const int vocab : {1, 31, 103}) {
      for (const float temperature : {0.5F, 1.0F, 2.0F}) {
        for (const int top_k : {0, 1, 7, 200}) {
          for (const float top_p : {0.1F, 0.9F, 1.0F}) {
            QTest::addRow("%d tokens, T %.1f, k %d, p %.1f", vocab, static_cast<double>(temperature), top_k,
                          static_cast<double>(top_p))
                << temperature << top_k << top_p << vocab;
          }
        }
      }
    }
  }
  void frequencies() {
    QFETCH(float, temperature);
    QFETCH(int, top_k);
    QFETCH(float, top_p);
    QFETCH(int, vocab);
    const SamplingRule rule{temperature, top_k, top_p};
    Array row = Array::random(Shape{1, vocab + 5}, 1, 2.0F);  // the last 5 are padding
    for (int i = 0; i < 5; ++i) row.data()[static_cast<std::size_t>(vocab + i)] = 100;
    const auto want = distribution(row, vocab, rule);
    if (test::emulated()) QSKIP("takes long emulated; that tokens are those of the CPU says as much");
    constexpr int kDraws = 2000;
    Array logits = Array::padded(kDraws, vocab + 5, 3, 1);
    std::vector<float> uniforms;
    for (int i = 0; i < kDraws; ++i) {
      std::copy(row.data().begin(), row.data().end(), logits.view().row(i));
      uniforms.push_back((static_cast<float>(i) + 0.5F) / kDraws);
    }
    std::vector<double> seen(static_cast<std::size_t>(vocab));
    for (const std::int32_t token : draw_all(logits, vocab, rule, uniforms)) {
      QVERIFY(token >= 0 && token < vocab);
      seen[static_cast<std::size_t>(token)] += 1.0 / kDraws;
    }
    for (std::size_t i = 0; i < seen.size(); ++i) {
      QVERIFY2(std::abs(seen[i] - want[i]) <= 1.001 / kDraws,
               qPrintable(QString("token %1: %2, wanted %3").arg(i).arg(seen[i]).arg(want[i])));
    }
  }

  // Whatever draws: runs of a seed can be repeated elsewhere.
  void tokens_are_those_of_the_cpu_data() {
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
  void tokens_are_those_of_the_cpu() {
    if (test::backend() == nullptr) QSKIP("this is the CPU");
    QFETCH(float, temperature);
    QFETCH(int, top_k);
    QFETCH(float, top_p);
    const SamplingRule rule = {temperature, top_k, top_p};
    const std::vector<float> uniforms = {0.0F, 0.25F, 0.51F, 0.77F, 0.99999F};
    Context cpu;
    for (const int vocab : {1, 31, 60, 1500}) {
      Array logits = Array::padded(5, vocab + 5, 3, 1, 3.0F);
      if (vocab == 60)  // many equal ones, which go by id
        for (std::int64_t b = 0; b < 5; ++b)
          for (int id = 0; id < vocab; ++id)
            logits.view().row(b)[id] = id % 3 == 2 ? 1.0F : id % 3 == 1 ? -0.0F : 0.0F;
      std::vector<std::int32_t> want(5);
      std::vector<float> logprobs(5);
      sample(cpu, logits, vocab, rule, {.uniforms = uniforms}, want, logprobs);
      QCOMPARE(draw_all(logits, vocab, rule, uniforms), want);
    }
  }

  void log_probability_is_untruncated() {
    Array logits = Array::random(Shape{1, 103}, 1);
    double sum = 0;
    for (const float value : logits.data()) sum += std::exp(static_cast<double>(value));
    for (const float uniform : {0.0F, 0.3F, 0.999999F}) {
      const Draw d = draw(logits, 103, {0.7F, 5, 0.8F}, uniform);
      QVERIFY(std::abs(d.logprob - (logits.at(0, d.token) - std::log(sum))) < 2e-6);
    }
  }

  void greedy_takes_the_lowest_of_equals() {
    Array logits(Shape{1, 40}, 1.0F);
    logits.data()[17] = logits.data()[33] = 2.0F;
    QCOMPARE(draw(logits, 40, {0.0F, 0, 1.0F}, 0.9F).token, 17);
    QCOMPARE(draw(logits, 17, {0.0F, 0, 1.0F}, 0.9F).token, 0);
    QCOMPARE(draw(logits, 40, {1.0F, 1, 1.0F}, 0.9F).token, 17);
  }

  void impossible_tokens_are_never_drawn() {
    Array logits(Shape{1, 50}, -std::numeric_limits<float>::infinity());
    logits.data()[20] = 0;
    for (const float uniform : {0.0F, 0.5F, std::nextafter(1.0F, 0.0F)}) {
      QCOMPARE(draw(logits, 50, {1.0F, 0, 1.0F}, uniform).token, 20);
      QCOMPARE(draw(logits, 50, {1.0F, 3, 1.0F}, uniform).token, 20);
      QCOMPARE(draw(logits, 50, {1.0F, 0, 0.5F}, uniform).token, 20);
    }
  }

  void large_vocabulary() {
    if (test::emulated()) QSKIP("takes long emulated");
    Array logits = Array::random(Shape{3, 128256}, 1, 2.0F);
    Context context(2, test::backend());
    const std::vector<float> uniforms = {0.1F, 0.5F, 0.9F};
    std::vector<std::int32_t> tokens(3);
    std::vector<float> logprobs(3);
    const SamplingRule rule{1.0F, 0, 0.9F};
    sample(context, logits, 128256, rule, {.uniforms = uniforms}, tokens, logprobs);
    for (std::size_t b = 0; b < 3; ++b) {
      Array row(Shape{1, 128256});
      std::copy_n(logits.view().row(static_cast<std::int64_t>(b)), 128256, row.data().begin());
      const auto p = distribution(row, 128256, rule);
      QVERIFY(p[static_cast<std::size_t>(tokens[b])] > 0);
    }
  }

  void nan_shows_in_the_log_probability() {
    Array logits = Array::random(Shape{1, 40}, 1);
    logits.data()[13] = std::nanf("");
    for (const SamplingRule& rule : {SamplingRule{0.0F, 0, 1.0F}, SamplingRule{1.0F, 0, 1.0F},
                                     SamplingRule{1.0F, 5, 0.9F}, SamplingRule{0.5F, 0, 0.9F}}) {
      const Draw d = draw(logits, 40, rule, 0.5F);
      QVERIFY(std::isnan(d.logprob));
      QVERIFY(d.token >= 0 && d.token < 40);
    }
  }
};

QTEST_GUILESS_MAIN(TestSampling)
#include "tst_sampling.moc"
