// Activations, norms, rotary embedding and convolution against double-precision references.
#include <numeric>

#include <QTest>

#include "kernels/ops/activation.h"
#include "kernels/ops/causal_conv.h"
#include "kernels/ops/copy.h"
#include "kernels/ops/norm.h"
#include "kernels/ops/rope.h"
#include "tests/kernels/op_test.h"

using namespace tandem;
using test::Array;
using test::difference;

namespace {

// A few ulp of f32: one exponential or one division, and a product.
constexpr double kFewUlp = 1e-6;

void add_shapes() {
  QTest::addColumn<int>("rows");
  QTest::addColumn<int>("cols");
  for (const int rows : {0, 1, 31, 33}) {
    for (const int cols : {1, 31, 32, 33, 257}) QTest::addRow("[%d, %d]", rows, cols) << rows << cols;
  }
}

template <typename Value>
std::vector<double> table(std::int64_t rows, std::int64_t cols, const Value& value) {
  std::vector<double> result;
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < cols; ++j) result.push_back(value(i, j));
  }
  return result;
}

// y[t][c] over a sequence that follows `window`.
std::vector<double> convolution(Array& x, Array& weight, Array* bias, Array& window, bool with_silu) {
  const std::int64_t kernel = weight.view().extent(1);
  return table(x.view().extent(0), x.view().extent(1), [&](std::int64_t t, std::int64_t c) {
    double sum = bias == nullptr ? 0.0 : bias->data()[static_cast<std::size_t>(c)];
    for (std::int64_t k = 0; k < kernel; ++k) {
      const std::int64_t at = t - kernel + 1 + k;
      sum += weight.at(c, k) * (at >= 0 ? x.at(at, c) : window.at(at + kernel - 1, c));
    }
    return with_silu ? test::silu(sum) : sum;
  });
}

}  // namespace

class TestPointwise : public QObject {
  Q_OBJECT
 private slots:
  void swiglu_data() { add_shapes(); }
  void swiglu() {
    QFETCH(int, rows);
    QFETCH(int, cols);
    for (const int threads : {1, 2}) {
      Context context(threads);
      Array both = Array::padded(rows, 2 * cols, 3, 1, 4.0F);
      const TensorView gate = both.view().columns(0, cols);
      const TensorView up = both.view().columns(cols, cols);
      Array out = Array::padded(rows, cols, 1, 2);
      const auto want = table(rows, cols, [&](std::int64_t i, std::int64_t j) {
        return test::silu(both.at(i, j)) * both.at(i, cols + j);
      });
      tandem::swiglu(context, gate, up, out);
      QCOMPARE(difference(out, want, kFewUlp), QString());
      tandem::swiglu(context, gate, up, gate);
      QCOMPARE(difference(gate, want, kFewUlp), QString());
    }
  }

  void silu_gate_data() { add_shapes(); }
  void silu_gate() {
    QFETCH(int, rows);
    QFETCH(int, cols);
    Context context;
    Array y = Array::padded(rows, cols, 2, 1);
    Array z = Array::padded(rows, cols, 3, 2, 3.0F);
    Array bias = Array::random(Shape{cols}, 3);
    const auto want = table(rows, cols, [&](std::int64_t i, std::int64_t j) {
      return y.at(i, j) * test::silu(z.at(i, j) + bias.data()[static_cast<std::size_t>(j)]);
    });
    tandem::silu_gate(context, y, z, bias);
    QCOMPARE(difference(y, want, kFewUlp), QString());
  }

  void log_decays_data() { add_shapes(); }
  void log_decays() {
    QFETCH(int, rows);
    QFETCH(int, cols);
    Context context;
    Array raw = Array::padded(rows, cols, 5, 1, 10.0F);
    Array bias = Array::random(Shape{cols}, 2);
    Array a_log = Array::random(Shape{cols}, 3);
    Array dt = Array::padded(rows, cols, 1, 4);
    Array log_decay = Array::padded(rows, cols, 1, 5);
    discrete_log_decay(context, raw, log_decay);
    QCOMPARE(
        difference(log_decay,
                   table(rows, cols, [&](auto i, auto j) { return -test::softplus(raw.at(i, j)); }), kFewUlp),
        QString());
    stepped_log_decay(context, raw, bias, a_log, dt, log_decay);
    const auto step = [&](std::int64_t i, std::int64_t j) {
      return test::softplus(raw.at(i, j) + bias.data()[static_cast<std::size_t>(j)]);
    };
    const auto want = table(rows, cols, [&](std::int64_t i, std::int64_t j) {
      return -step(i, j) * std::exp(static_cast<double>(a_log.data()[static_cast<std::size_t>(j)]));
    });
    QCOMPARE(difference(dt, table(rows, cols, step), kFewUlp), QString());
    QCOMPARE(difference(log_decay, want, kFewUlp), QString());
  }

  // Relative, not absolute: for very negative inputs softplus(x) is e^x, and its digits matter.
  void softplus_keeps_relative_precision() {
    Context context;
    for (float x = -80.0F; x < 100.0F; x += 0.37F) {
      Array in(Shape{1, 1}, x);
      Array out(Shape{1, 1});
      discrete_log_decay(context, in, out);
      const double want = -test::softplus(x);
      QVERIFY2(std::abs(out.at(0, 0) / want - 1) < 4e-7, qPrintable(QString("at %1").arg(x)));
    }
  }

  void limits_data() {
    QTest::addColumn<float>("x");
    QTest::addColumn<float>("silu");
    QTest::addColumn<float>("log_decay");
    QTest::newRow("very negative") << -1e4F << -0.0F << -0.0F;
    QTest::newRow("very positive") << 1e4F << 1e4F << -1e4F;
    QTest::newRow("zero") << 0.0F << 0.0F << -0.693147181F;
  }
  void limits() {
    QFETCH(float, x);
    Context context;
    Array in(Shape{1, 1}, x);
    Array one(Shape{1, 1}, 1.0F);
    Array out(Shape{1, 1});
    tandem::swiglu(context, in, one, out);
    QTEST(out.data()[0], "silu");
    discrete_log_decay(context, in, out);
    QTEST(out.data()[0], "log_decay");
  }

  void nan_propagates() {
    Context context;
    Array nan(Shape{1, 33}, std::nanf(""));
    Array one(Shape{1, 33}, 1.0F);
    Array weight(Shape{33}, 1.0F);
    Array dt(Shape{1, 33});
    Array out(Shape{1, 33});
    const auto all_nan = [](Array& a) {
      return std::all_of(a.data().begin(), a.data().end(), [](float v) { return std::isnan(v); });
    };
    tandem::swiglu(context, nan, one, out);
    QVERIFY(all_nan(out));
    discrete_log_decay(context, nan, out);
    QVERIFY(all_nan(out));
    stepped_log_decay(context, nan, weight, weight, dt, out);
    QVERIFY(all_nan(out) && all_nan(dt));
    one.data()[5] = std::nanf("");
    rms_norm(context, one, weight, 1e-5F, out);
    QVERIFY(all_nan(out));
  }

  void add_data() { add_shapes(); }
  void add() {
    QFETCH(int, rows);
    QFETCH(int, cols);
    Context context;
    Array x = Array::padded(rows, cols, 2, 1);
    Array y = Array::padded(rows, cols, 3, 2);
    const auto want = table(rows, cols, [&](auto i, auto j) { return x.at(i, j) + y.at(i, j); });
    tandem::add(context, x, y);
    QCOMPARE(difference(y, want, 1e-7), QString());
  }

  void norms_data() { add_shapes(); }
  void norms() {
    QFETCH(int, rows);
    QFETCH(int, cols);
    const double eps = 1e-5;
    for (const int threads : {1, 2}) {
      Context context(threads);
      Array x = Array::padded(rows, cols, 3, 1);
      Array weight = Array::random(Shape{cols}, 2);
      Array y = Array::padded(rows, cols, 1, 3);
      const auto normalised = [&](const auto& value, std::int64_t i, std::int64_t j, std::int64_t begin,
                                  std::int64_t count) {
        double square = 0;
        for (std::int64_t c = begin; c < begin + count; ++c) square += value(i, c) * value(i, c);
        return value(i, j) / std::sqrt(square / static_cast<double>(count) + eps) *
               static_cast<double>(weight.data()[static_cast<std::size_t>(j)]);
      };
      const auto plain = [&](std::int64_t i, std::int64_t j) { return x.at(i, j); };
      auto want = table(rows, cols, [&](auto i, auto j) { return normalised(plain, i, j, 0, cols); });
      rms_norm(context, x, weight, static_cast<float>(eps), y);
      QCOMPARE(difference(y, want, kFewUlp), QString());

      const std::int64_t group = cols % 3 == 0 ? cols / 3 : cols;
      Array z = Array::padded(rows, cols, 4, 4);
      y = Array::padded(rows, cols, 1, 5);
      Array before = y;
      const auto gated = [&](std::int64_t i, std::int64_t j) {
        return before.at(i, j) * test::silu(z.at(i, j));
      };
      want = table(rows, cols,
                   [&](auto i, auto j) { return normalised(gated, i, j, j / group * group, group); });
      gated_group_norm(context, y, z, weight, group, static_cast<float>(eps));
      QCOMPARE(difference(y, want, kFewUlp), QString());

      want = table(rows, cols, [&](auto i, auto j) { return normalised(plain, i, j, 0, cols); });
      rms_norm(context, x, weight, static_cast<float>(eps), x);  // in place
      QCOMPARE(difference(x, want, kFewUlp), QString());
    }
  }

  void rope_data() {
    QTest::addColumn<int>("heads");
    QTest::addColumn<int>("half");
    QTest::addColumn<int>("rows");
    for (const int heads : {1, 3}) {
      for (const int half : {1, 8, 16, 31, 33}) {
        for (const int rows : {0, 1, 33}) {
          QTest::addRow("%d heads of %d, %d rows", heads, 2 * half, rows) << heads << half << rows;
        }
      }
    }
  }
  void rope() {
    QFETCH(int, heads);
    QFETCH(int, half);
    QFETCH(int, rows);
    Context context;
    std::vector<float> frequencies;
    for (int m = 0; m < half; ++m)
      frequencies.push_back(std::pow(500000.0F, -static_cast<float>(m) / static_cast<float>(half)));
    std::vector<std::int32_t> positions;
    for (int i = 0; i < rows; ++i) positions.push_back(i * i * 117);  // up to 119,808
    Array x = Array::padded(rows, 2L * half * heads, 5, 1);
    const auto want = table(rows, 2L * half * heads, [&](std::int64_t i, std::int64_t j) {
      const std::int64_t m = j % half;
      // The angle is an f32 product, as in the published implementations (models.md 9.2).
      const double angle = static_cast<float>(positions[static_cast<std::size_t>(i)]) *
                           frequencies[static_cast<std::size_t>(m)];
      const bool high = j % (2L * half) >= half;
      return high ? x.at(i, j) * std::cos(angle) + x.at(i, j - half) * std::sin(angle)
                  : x.at(i, j) * std::cos(angle) - x.at(i, j + half) * std::sin(angle);
    });
    tandem::rope(context, x, heads, positions, frequencies);
    QCOMPARE(difference(x, want, kFewUlp), QString());
  }

  void convolution_data() {
    QTest::addColumn<int>("tokens");
    QTest::addColumn<int>("channels");
    QTest::addColumn<int>("kernel");
    for (const int tokens : {0, 1, 2, 3, 4, 5, 127, 129}) {
      for (const int channels : {1, 33}) {
        for (const int kernel : {1, 2, 4}) {
          QTest::addRow("%d tokens, %d channels, kernel %d", tokens, channels, kernel)
              << tokens << channels << kernel;
        }
      }
    }
  }
  void convolution() {
    QFETCH(int, tokens);
    QFETCH(int, channels);
    QFETCH(int, kernel);
    for (const auto activation : {ConvActivation::Identity, ConvActivation::Silu}) {
      for (const bool with_bias : {false, true}) {
        Context context(2);
        Array x = Array::padded(tokens, channels, 3, 1);
        Array weight = Array::random(Shape{channels, kernel}, 2);
        Array bias = Array::random(Shape{channels}, 3);
        Array window = Array::random(Shape{kernel - 1, channels}, 4);
        Array steps_window = window;
        const auto want =
            ::convolution(x, weight, with_bias ? &bias : nullptr, window, activation == ConvActivation::Silu);
        const TensorView bias_view = with_bias ? bias.view() : TensorView();
        Array y = Array::padded(tokens, channels, 1, 5);
        causal_conv(context, x, weight, bias_view, activation, window, y);
        QCOMPARE(difference(y, want, kFewUlp), QString());
        // Token by token it gives the same outputs and leaves the same window.
        Array stepped = Array::padded(tokens, channels, 1, 6);
        const TensorView windows = steps_window.view().reshape({1, (kernel - 1) * channels});
        const std::int32_t slot_ids[] = {0};
        for (std::int64_t t = 0; t < tokens; ++t) {
          causal_conv_step(context, x.view().rows(t, 1), weight, bias_view, activation, windows, slot_ids,
                           stepped.view().rows(t, 1));
        }
        QCOMPARE(difference(stepped, want, kFewUlp), QString());
        QCOMPARE(steps_window.data(), window.data());
      }
    }
  }

  void heads_are_repeated_and_rows_copied() {
    Context context(2);
    Array x = Array::padded(5, 6, 3, 1);
    Array y = Array::padded(5, 12, 2, 2);
    repeat_heads(context, x, 2, 4, y);
    for (std::int64_t t = 0; t < 5; ++t)
      for (std::int64_t i = 0; i < 12; ++i) QCOMPARE(y.view().row(t)[i], x.view().row(t)[i / 6 * 3 + i % 3]);
    Array part(Shape{5, 8}, 7.0F);
    copy(context, x, part.view().columns(1, 6));
    for (std::int64_t t = 0; t < 5; ++t) {
      QCOMPARE(part.view().row(t)[0], 7.0F);
      for (std::int64_t i = 0; i < 6; ++i) QCOMPARE(part.view().row(t)[1 + i], x.view().row(t)[i]);
      QCOMPARE(part.view().row(t)[7], 7.0F);
    }
    clear(context, part);
    QCOMPARE(part.data(), std::vector<float>(40));
  }

  // models.md A.2
  void convolution_golden() {
    Context context;
    Array x(Shape{5, 1});
    std::iota(x.data().begin(), x.data().end(), 1.0F);
    Array weight(Shape{1, 4});
    weight.data() = {0.1F, 0.2F, 0.3F, 0.4F};
    Array bias(Shape{1}, 0.5F);
    Array window(Shape{3, 1});
    Array y(Shape{5, 1});
    causal_conv(context, x, weight, bias, ConvActivation::Identity, window, y);
    QCOMPARE(difference(y, {0.9, 1.6, 2.5, 3.5, 4.5}, kFewUlp), QString());
    QCOMPARE(window.data(), (std::vector<float>{3, 4, 5}));
  }
};

QTEST_GUILESS_MAIN(TestPointwise)
#include "tst_pointwise.moc"
