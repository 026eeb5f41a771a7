// Backward passes of all ops but the recurrence, against central differences of double-precision references.
#include <QTest>

#include "kernels/ops/activation_backward.h"
#include "kernels/ops/attention_backward.h"
#include "kernels/ops/causal_conv_backward.h"
#include "kernels/ops/embedding.h"
#include "kernels/ops/linear_backward.h"
#include "kernels/ops/norm_backward.h"
#include "kernels/ops/rope.h"
#include "kernels/ops/rope_backward.h"
#include "tests/kernels/gradient_test.h"

using namespace tandem;
using namespace tandem::test;
using Role = Operand::Role;

namespace {

std::size_t at(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

// The loss of an output [rows, cols]: its product with a fixed random matrix, which is therefore d_out.
struct OutputLoss {
  OutputLoss(std::int64_t rows, std::int64_t cols)
      : operand("d_out", Shape{rows, cols}, Role::Activation, 77) {}
  Operand operand;
  TensorView d_out() { return operand.value(); }
  double operator()(const Vector& out) { return dot(out, operand.values()); }
};

Vector rms_norm(const Vector& x, const Vector& weight, std::int64_t group, double eps) {
  Vector y(x.size());
  for (std::size_t first = 0; first < x.size(); first += at(group)) {
    double square = 0;
    for (std::size_t i = first; i < first + at(group); ++i) square += x[i] * x[i];
    const double r = 1 / std::sqrt(square / static_cast<double>(group) + eps);
    for (std::size_t i = first; i < first + at(group); ++i) y[i] = x[i] * r * weight[i % weight.size()];
  }
  return y;
}

// x [rows, in], w [out, in]
Vector linear(const Vector& x, const Vector& w, std::int64_t in, std::int64_t out) {
  Vector y;
  for (std::size_t row = 0; row < x.size() / at(in); ++row)
    for (std::size_t o = 0; o < at(out); ++o) {
      double sum = 0;
      for (std::size_t i = 0; i < at(in); ++i) sum += x[row * at(in) + i] * w[o * at(in) + i];
      y.push_back(sum);
    }
  return y;
}

struct AttentionShape {
  std::int64_t rows, nheads, nheads_kv, dim;
};

Vector attention(const Vector& q, const Vector& k, const Vector& v, const AttentionShape& s, double scale) {
  Vector out(q.size());
  for (std::int64_t h = 0; h < s.nheads; ++h) {
    const std::int64_t kv = h / (s.nheads / s.nheads_kv);
    const auto q_at = [&](std::int64_t t, std::int64_t i) { return at((t * s.nheads + h) * s.dim + i); };
    const auto kv_at = [&](std::int64_t t, std::int64_t i) { return at((t * s.nheads_kv + kv) * s.dim + i); };
    for (std::int64_t t = 0; t < s.rows; ++t) {
      Vector weight;
      double total = 0;
      for (std::int64_t j = 0; j <= t; ++j) {
        double score = 0;
        for (std::int64_t i = 0; i < s.dim; ++i) score += q[q_at(t, i)] * k[kv_at(j, i)];
        weight.push_back(std::exp(scale * score));
        total += weight.back();
      }
      for (std::int64_t j = 0; j <= t; ++j)
        for (std::int64_t i = 0; i < s.dim; ++i) out[q_at(t, i)] += weight[at(j)] / total * v[kv_at(j, i)];
    }
  }
  return out;
}

// x [rows, C], w [C, W]
Vector convolution(const Vector& x, const Vector& w, const Vector& bias, std::int64_t channels,
                   std::int64_t kernel, bool with_silu) {
  Vector y;
  const std::int64_t rows = static_cast<std::int64_t>(x.size()) / channels;
  for (std::int64_t t = 0; t < rows; ++t)
    for (std::int64_t c = 0; c < channels; ++c) {
      double sum = bias.empty() ? 0 : bias[at(c)];
      for (std::int64_t k = 0; k < kernel; ++k) {
        const std::int64_t source = t - kernel + 1 + k;
        if (source >= 0) sum += w[at(c * kernel + k)] * x[at(source * channels + c)];
      }
      y.push_back(with_silu ? silu(sum) : sum);
    }
  return y;
}

void add_shapes() {
  QTest::addColumn<int>("rows");
  QTest::addColumn<int>("cols");
  QTest::addColumn<int>("threads");
  QTest::newRow("1 x 1") << 1 << 1 << 1;
  QTest::newRow("3 x 17") << 3 << 17 << 1;
  QTest::newRow("130 x 33") << 130 << 33 << 2;
  QTest::newRow("65 x 12") << 65 << 12 << 1;
  QTest::newRow("2 x 516") << 2 << 516 << 1;
  QTest::newRow("none") << 0 << 8 << 1;
}

}  // namespace

class TestBackward : public QObject {
  Q_OBJECT
 private slots:
  void initTestCase_data() { test::backend_rows(); }
  void init() { test::enter_backend(); }

  void linear_layer_data() { add_shapes(); }
  void linear_layer() {
    QFETCH(int, rows);
    QFETCH(int, cols);
    QFETCH(int, threads);
    Context context(threads, test::backend());
    const std::int64_t out = cols + 4;
    Operand x("x", Shape{rows, cols}, Role::Activation, 1);
    Operand w("weight", Shape{out, cols}, Role::Parameter, 2);
    OutputLoss loss(rows, out);
    const auto backward = [&] {
      linear_backward(context, x.value(), w.value(), loss.d_out(), x.gradient(), w.gradient());
    };
    QCOMPARE(gradient_error({&x, &w}, backward,
                            [&](const auto& v) { return loss(linear(v[0], v[1], cols, out)); }),
             QString());
  }

  void embedding_table() {
    Context context(2, test::backend());
    constexpr int kWidth = 132;
    const std::vector<std::int32_t> ids = {3, 0, 3, 3, 2};  // repeated, and one not used
    Operand table("table", Shape{5, kWidth}, Role::Parameter, 1);
    OutputLoss loss(5, kWidth);
    Array rows(Shape{5, kWidth});
    embedding(context, table.value(), ids, rows);
    const auto look_up = [&](const Vector& values) {
      Vector out;
      for (const std::int32_t id : ids)
        for (int c = 0; c < kWidth; ++c) out.push_back(values[at(id * kWidth + c)]);
      return out;
    };
    QCOMPARE(difference(rows, look_up(table.values()), 0), QString());
    const auto backward = [&] { embedding_backward(context, ids, loss.d_out(), table.gradient()); };
    QCOMPARE(gradient_error({&table}, backward, [&](const auto& v) { return loss(look_up(v[0])); }),
             QString());
  }

  void root_mean_square_norm_data() { add_shapes(); }
  void root_mean_square_norm() {
    QFETCH(int, rows);
    QFETCH(int, cols);
    QFETCH(int, threads);
    Context context(threads, test::backend());
    constexpr float kEps = 1e-2F;
    Operand x("x", Shape{rows, cols}, Role::Activation, 1);
    Operand w("weight", Shape{cols}, Role::Parameter, 2);
    OutputLoss loss(rows, cols);
    const auto backward = [&] {
      rms_norm_backward(context, x.value(), w.value(), kEps, loss.d_out(), x.gradient(), w.gradient());
    };
    QCOMPARE(gradient_error(
                 {&x, &w}, backward,
                 [&](const auto& v) { return loss(rms_norm(v[0], v[1], cols, static_cast<double>(kEps))); }),
             QString());
    const TensorView d = loss.d_out();  // in place
    w.reset();
    rms_norm_backward(context, x.value(), w.value(), kEps, d, d, w.gradient());
    QCOMPARE(difference(d, x.gradients(), 1e-6), QString());
  }

  void gated_norm() {
    Context context(2, test::backend());
    constexpr int kRows = 70;
    constexpr int kGroup = 9;
    constexpr int kCols = 3 * kGroup;
    constexpr float kEps = 1e-5F;
    Operand y("y", Shape{kRows, kCols}, Role::Activation, 1);
    Operand z("z", Shape{kRows, kCols}, Role::Activation, 2);
    Operand w("weight", Shape{kCols}, Role::Parameter, 3);
    OutputLoss loss(kRows, kCols);
    const auto backward = [&] {
      gated_group_norm_backward(context, y.value(), z.value(), w.value(), kGroup, kEps, loss.d_out(),
                                y.gradient(), z.gradient(), w.gradient());
    };
    const auto reference = [&](const std::vector<Vector>& v) {
      Vector gated = v[0];
      for (std::size_t i = 0; i < gated.size(); ++i) gated[i] *= silu(v[1][i]);
      return loss(rms_norm(gated, v[2], kGroup, static_cast<double>(kEps)));
    };
    QCOMPARE(gradient_error({&y, &z, &w}, backward, reference), QString());
  }

  void gated_linear_unit_data() { add_shapes(); }
  void gated_linear_unit() {
    QFETCH(int, rows);
    QFETCH(int, cols);
    QFETCH(int, threads);
    Context context(threads, test::backend());
    Operand gate("gate", Shape{rows, cols}, Role::Activation, 1);
    Operand up("up", Shape{rows, cols}, Role::Activation, 2);
    OutputLoss loss(rows, cols);
    const auto backward = [&] {
      swiglu_backward(context, gate.value(), up.value(), loss.d_out(), gate.gradient(), up.gradient());
    };
    const auto reference = [&](const std::vector<Vector>& v) {
      Vector out = v[1];
      for (std::size_t i = 0; i < out.size(); ++i) out[i] *= silu(v[0][i]);
      return loss(out);
    };
    QCOMPARE(gradient_error({&gate, &up}, backward, reference), QString());
  }

  void output_gate_data() { add_shapes(); }
  void output_gate() {
    QFETCH(int, rows);
    QFETCH(int, cols);
    QFETCH(int, threads);
    Context context(threads, test::backend());
    Operand y("y", Shape{rows, cols}, Role::Activation, 1);
    Operand z("z", Shape{rows, cols}, Role::Activation, 2);
    Operand bias("bias", Shape{cols}, Role::Parameter, 3);
    OutputLoss loss(rows, cols);
    const auto backward = [&] {
      silu_gate_backward(context, y.value(), z.value(), bias.value(), loss.d_out(), y.gradient(),
                         z.gradient(), bias.gradient());
    };
    const auto reference = [&](const std::vector<Vector>& v) {
      Vector out = v[0];
      for (std::size_t i = 0; i < out.size(); ++i) out[i] *= silu(v[1][i] + v[2][i % v[2].size()]);
      return loss(out);
    };
    QCOMPARE(gradient_error({&y, &z, &bias}, backward, reference), QString());
  }

  void decays_data() { add_shapes(); }
  void decays() {
    QFETCH(int, rows);
    QFETCH(int, cols);
    QFETCH(int, threads);
    Context context(threads, test::backend());
    Operand raw("a_log", Shape{rows, cols}, Role::Activation, 1, 3.0F);
    OutputLoss d_decay(rows, cols);
    const auto discrete = [&] {
      discrete_log_decay_backward(context, raw.value(), d_decay.d_out(), raw.gradient());
    };
    const auto of_discrete = [&](const std::vector<Vector>& v) {
      Vector out = v[0];
      for (double& a : out) a = -softplus(a);
      return d_decay(out);
    };
    QCOMPARE(gradient_error({&raw}, discrete, of_discrete), QString());

    Operand bias("dt_bias", Shape{cols}, Role::Parameter, 2);
    Operand a_log("a_log", Shape{cols}, Role::Parameter, 3);
    Operand d_dt("d_dt", Shape{rows, cols}, Role::Activation, 4);
    const auto stepped = [&] {
      stepped_log_decay_backward(context, raw.value(), bias.value(), a_log.value(), d_dt.value(),
                                 d_decay.d_out(), raw.gradient(), bias.gradient(), a_log.gradient());
    };
    const auto of_stepped = [&](const std::vector<Vector>& v) {
      Vector dt = v[0];
      Vector decay = v[0];
      for (std::size_t i = 0; i < dt.size(); ++i) {
        dt[i] = softplus(v[0][i] + v[1][i % v[1].size()]);
        decay[i] = -dt[i] * std::exp(v[2][i % v[2].size()]);
      }
      return dot(dt, d_dt.values()) + d_decay(decay);
    };
    QCOMPARE(gradient_error({&raw, &bias, &a_log}, stepped, of_stepped), QString());
  }

  void rotary_embedding() {
    Context context(2, test::backend());
    constexpr int kRows = 40;
    constexpr int kHeads = 3;
    constexpr int kHalf = 5;
    std::vector<std::int32_t> positions(kRows);
    for (int i = 0; i < kRows; ++i) positions[at(i)] = 7 * i;
    std::vector<float> frequencies;
    for (int m = 0; m < kHalf; ++m) frequencies.push_back(std::pow(0.3F, static_cast<float>(m)));
    Operand x("x", Shape{kRows, kHeads * 2 * kHalf}, Role::Activation, 1);
    OutputLoss loss(kRows, kHeads * 2 * kHalf);
    const auto backward = [&] {
      for (int i = 0; i < kRows; ++i)
        std::copy_n(loss.d_out().row(i), x.gradient().extent(1), x.gradient().row(i));
      rope_backward(context, x.gradient(), kHeads, positions, frequencies);
    };
    const auto reference = [&](const std::vector<Vector>& v) {
      Vector out = v[0];
      for (int t = 0; t < kRows; ++t)
        for (int h = 0; h < kHeads; ++h)
          for (int m = 0; m < kHalf; ++m) {
            const double angle =
                static_cast<double>(static_cast<float>(positions[at(t)]) * frequencies[at(m)]);
            const std::size_t low = at((t * kHeads + h) * 2 * kHalf + m);
            const std::size_t high = low + kHalf;
            out[low] = v[0][low] * std::cos(angle) - v[0][high] * std::sin(angle);
            out[high] = v[0][high] * std::cos(angle) + v[0][low] * std::sin(angle);
          }
      return loss(out);
    };
    QCOMPARE(gradient_error({&x}, backward, reference), QString());
  }

  void causal_softmax_attention_data() {
    QTest::addColumn<int>("rows");
    QTest::addColumn<int>("nheads");
    QTest::addColumn<int>("nheads_kv");
    QTest::addColumn<int>("dim");
    QTest::newRow("one token") << 1 << 1 << 1 << 3;
    QTest::newRow("grouped") << 9 << 6 << 2 << 5;
    QTest::newRow("within one tile") << 64 << 2 << 2 << 4;
    QTest::newRow("several tiles") << 131 << 2 << 1 << 8;
    QTest::newRow("several tiles, odd heads") << 130 << 1 << 1 << 33;
    QTest::newRow("wide heads") << 65 << 1 << 1 << 70;
  }
  void causal_softmax_attention() {
    QFETCH(int, rows);
    QFETCH(int, nheads);
    QFETCH(int, nheads_kv);
    QFETCH(int, dim);
    Context context(2, test::backend());
    constexpr float kScale = 0.375F;
    Operand q("q", Shape{rows, nheads * dim}, Role::Activation, 1);
    Operand k("k", Shape{rows, nheads_kv * dim}, Role::Activation, 2);
    Operand v("v", Shape{rows, nheads_kv * dim}, Role::Activation, 3);
    OutputLoss loss(rows, nheads * dim);
    const auto backward = [&] {
      causal_attention_backward(context, q.value(), k.value(), v.value(), loss.d_out(), nheads, nheads_kv,
                                kScale, q.gradient(), k.gradient(), v.gradient());
    };
    const AttentionShape shape{rows, nheads, nheads_kv, dim};
    const auto reference = [&](const std::vector<Vector>& in) {
      return loss(attention(in[0], in[1], in[2], shape, static_cast<double>(kScale)));
    };
    QCOMPARE(gradient_error({&q, &k, &v}, backward, reference), QString());
  }

  void short_convolution_data() {
    QTest::addColumn<int>("rows");
    QTest::addColumn<int>("channels");
    QTest::addColumn<int>("kernel");
    QTest::addColumn<bool>("with_bias");
    QTest::addColumn<bool>("with_silu");
    QTest::newRow("shorter than the kernel") << 2 << 5 << 4 << true << false;
    QTest::newRow("one tap") << 6 << 17 << 1 << true << true;
    QTest::newRow("identity") << 33 << 70 << 4 << true << false;
    QTest::newRow("silu") << 33 << 130 << 4 << true << true;
    QTest::newRow("no bias") << 10 << 64 << 3 << false << true;
    QTest::newRow("many taps") << 70 << 31 << 7 << true << true;
  }
  void short_convolution() {
    QFETCH(int, rows);
    QFETCH(int, channels);
    QFETCH(int, kernel);
    QFETCH(bool, with_bias);
    QFETCH(bool, with_silu);
    Context context(2, test::backend());
    Operand x("x", Shape{rows, channels}, Role::Activation, 1);
    Operand w("weight", Shape{channels, kernel}, Role::Parameter, 2);
    Operand bias("bias", Shape{channels}, Role::Parameter, 3);
    OutputLoss loss(rows, channels);
    const auto activation = with_silu ? ConvActivation::Silu : ConvActivation::Identity;
    const auto backward = [&] {
      causal_conv_backward(context, x.value(), w.value(), with_bias ? bias.value() : TensorView(), activation,
                           loss.d_out(), x.gradient(), w.gradient(),
                           with_bias ? bias.gradient() : TensorView());
    };
    const auto reference = [&](const std::vector<Vector>& v) {
      return loss(convolution(v[0], v[1], with_bias ? v[2] : Vector(), channels, kernel, with_silu));
    };
    std::vector<Operand*> operands = {&x, &w};
    if (with_bias) operands.push_back(&bias);
    QCOMPARE(gradient_error(operands, backward, reference), QString());
  }
};

QTEST_GUILESS_MAIN(TestBackward)
#include "tst_backward.moc"
