// Activations, norms, rotary embedding and convolution against double-precision references.
#include <numeric>

#include <QTest>

#include "kernels/ops/activation.h"
#include "kernels/ops/causal_conv.h"
#include "kernels/ops/copy.h"
#include "kernels/ops/embedding.h"
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
  QTest::newRow("[3, 1284]") << 3 << 1284;
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
  void initTestCase_data() { test::backend_rows(); }
  void init() { test::enter_backend(); }

  void swiglu_data() { add_shapes(); }
  void swiglu() {
    QFETCH(int, rows);
    QFETCH(int, cols);
    for (const int threads : test::thread_counts()) {
      Context context(threads, test::backend());
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
    Context context(1, test::backend());
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
    Context context(1, test::backend());
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
    Context context(1, test::backend());
    const double few_ulp = test::backend() == nullptr ? 4e-7 : 6e-7;  // a GPU's functions have up to 2 each
    Array in(Shape{487, 1});
    for (std::size_t i = 0; i < in.data().size(); ++i) in.data()[i] = -80.0F + 0.37F * static_cast<float>(i);
    Array out(in.view().shape());
    discrete_log_decay(context, in, out);
    for (std::int64_t i = 0; i < in.view().extent(0); ++i) {
      const double want = -test::softplus(in.at(i, 0));
      QVERIFY2(std::abs(out.at(i, 0) / want - 1) < few_ulp, qPrintable(QString("at %1").arg(in.at(i, 0))));
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
    Context context(1, test::backend());
    Array in(Shape{1, 1}, x);
    Array one(Shape{1, 1}, 1.0F);
    Array out(Shape{1, 1});
    tandem::swiglu(context, in, one, out);
    QTEST(out.data()[0], "silu");
    discrete_log_decay(context, in, out);
    QTEST(out.data()[0], "log_decay");
  }

  void nan_propagates() {
    Context context(1, test::backend());
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
    Context context(1, test::backend());
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
    for (const int threads : test::thread_counts()) {
      Context context(threads, test::backend());
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
    Context context(1, test::backend());
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
    Array counted = x;
    tandem::rope(context, x, heads, positions, frequencies);
    QCOMPARE(difference(x, want, kFewUlp), QString());
    // Without positions row i is at i.
    std::iota(positions.begin(), positions.end(), 0);
    Array given = counted;
    tandem::rope(context, given, heads, positions, frequencies);
    tandem::rope(context, counted, heads, {}, frequencies);
    QCOMPARE(difference(counted, test::reference(given), 0), QString());
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
    QTest::newRow("vectors, 4 taps") << 40 << 24 << 4;
    QTest::newRow("vectors, 7 taps") << 3 << 24 << 7;
    QTest::newRow("odd, 7 taps") << 40 << 31 << 7;
    QTest::newRow("many channels") << 2 << 1284 << 4;
  }
  void convolution() {
    QFETCH(int, tokens);
    QFETCH(int, channels);
    QFETCH(int, kernel);
    for (const auto activation : {ConvActivation::Identity, ConvActivation::Silu}) {
      for (const bool with_bias : {false, true}) {
        Context context(2, test::backend());
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

  // Each row goes on from the window of its slot; other slots stay as they are.
  void convolution_steps_by_slot() {
    constexpr std::int64_t kChannels = 24;
    constexpr std::int64_t kTaps = 4;
    const std::vector<std::int32_t> slot_ids = {4, 0, 3};
    Context context(2, test::backend());
    Array x = Array::padded(3, kChannels, 3, 1);
    Array weight = Array::random(Shape{kChannels, kTaps}, 2);
    Array windows = Array::random(Shape{6, (kTaps - 1) * kChannels}, 3);
    Array moved = windows;
    Array y = Array::padded(3, kChannels, 1, 4);
    causal_conv_step(context, x, weight, {}, ConvActivation::Silu, moved, slot_ids, y);
    for (std::int64_t slot = 0; slot < 6; ++slot) {
      Array window(Shape{kTaps - 1, kChannels});
      std::copy_n(windows.view().row(slot), window.data().size(), window.data().begin());
      const auto row = std::ranges::find(slot_ids, slot) - slot_ids.begin();
      if (row < 3) {
        Array token(Shape{1, kChannels});
        std::copy_n(x.view().row(row), kChannels, token.data().begin());
        const auto want = ::convolution(token, weight, nullptr, window, true);
        QCOMPARE(difference(y.view().rows(row, 1), want, kFewUlp), QString());
        std::copy(window.data().begin() + kChannels, window.data().end(), window.data().begin());
        std::copy(token.data().begin(), token.data().end(), window.data().end() - kChannels);
      }
      QVERIFY(std::equal(window.data().begin(), window.data().end(), moved.view().row(slot)));
    }
  }

  void rows_are_looked_up_data() {
    QTest::addColumn<int>("width");
    for (const int width : {1, 6, 16, 100}) QTest::addRow("%d", width) << width;
  }
  void rows_are_looked_up() {
    QFETCH(int, width);
    Context context(2, test::backend());
    Array table = Array::random(Shape{8, width}, 3);
    std::vector<BFloat16> narrow;
    for (const float value : table.data()) narrow.push_back(to_bfloat16(value));
    const TensorView narrow_table(narrow.data(), DType::BF16, table.view().shape());
    const std::vector<std::int32_t> ids = {7, 0, 3, 3};
    Array exact(Shape{4, width});
    Array rounded(Shape{4, width});
    embedding(context, table, ids, exact);
    embedding(context, narrow_table, ids, rounded);
    for (std::int64_t i = 0; i < 4; ++i) {
      for (std::int64_t j = 0; j < width; ++j) {
        const double want = table.at(ids[static_cast<std::size_t>(i)], j);
        QCOMPARE(exact.at(i, j), want);
        QCOMPARE(rounded.view().row(i)[j], to_float(to_bfloat16(static_cast<float>(want))));
      }
    }
  }

  void heads_are_repeated_data() { rows_are_looked_up_data(); }
  void heads_are_repeated() {
    QFETCH(int, width);
    Context context(2, test::backend());
    Array x = Array::padded(3, 3L * width, 4, 1);
    Array y = Array::padded(3, 12L * width, 2, 2);
    repeat_heads(context, x, 3, 12, y);
    for (std::int64_t t = 0; t < 3; ++t)
      for (std::int64_t i = 0; i < 12L * width; ++i)
        QCOMPARE(y.view().row(t)[i], x.view().row(t)[i / width / 4 * width + i % width]);
  }

  void rows_are_copied() {
    Context context(2, test::backend());
    Array x = Array::padded(5, 6, 3, 1);
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
    Context context(1, test::backend());
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
