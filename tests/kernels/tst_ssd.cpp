// The state-space recurrence: step, chunked scan and matrix against a double-precision loop, and models.md
// A.1.
#include <QTest>

#include "kernels/ops/activation.h"
#include "kernels/ops/ssd.h"
#include "kernels/ops/ssm_step.h"
#include "tests/kernels/op_test.h"

using namespace tandem;
using test::Array;
using test::difference;

namespace {

// Products of up to some hundred decays, summed in f32: models.md 9 allows 1e-4 relative to the largest.
constexpr double kScan = 2e-5;

struct Problem {
  Array x, b, c, log_decay, dt, skip;
  SsdOperands operands;

  Problem(std::int64_t rows, std::int64_t nheads, std::int64_t headdim, std::int64_t dstate,
          std::int64_t shared, bool with_dt)
      : x(Array::padded(rows, nheads / shared * headdim, 3, 1)),
        b(Array::padded(rows, nheads / shared * dstate, 1, 2)),
        c(Array::padded(rows, nheads * dstate, 5, 3)),
        log_decay(Array::padded(rows, nheads, 2, 4)),
        dt(Array::padded(rows, nheads, 3, 5)),
        skip(Array::random(Shape{nheads}, 6)) {
    Context context;
    discrete_log_decay(context, log_decay, log_decay);
    Array zeros(Shape{nheads});
    Array unused(Shape{rows, nheads});
    stepped_log_decay(context, dt, zeros, zeros, dt, unused);
    operands = {nheads,
                headdim,
                dstate,
                nheads / shared,
                nheads / shared,
                nheads,
                x,
                b,
                c,
                log_decay,
                with_dt ? dt.view() : TensorView(),
                skip};
  }

  double decay(std::int64_t t, std::int64_t h) { return std::exp(log_decay.at(t, h)); }
  double step(std::int64_t t, std::int64_t h) { return operands.dt.data() == nullptr ? 1.0 : dt.at(t, h); }
};

// y [T, H*P] of the recurrence from `state` [H*P*N], which it advances.
std::vector<double> recurrence(Problem& p, std::vector<double>& state) {
  const SsdOperands& o = p.operands;
  const std::int64_t shared = o.nheads / o.x_heads;
  std::vector<double> y;
  for (std::int64_t t = 0; t < o.x.extent(0); ++t) {
    for (std::int64_t h = 0; h < o.nheads; ++h) {
      for (std::int64_t i = 0; i < o.headdim; ++i) {
        const double x = p.x.at(t, h / shared * o.headdim + i);
        double sum = static_cast<double>(p.skip.data()[static_cast<std::size_t>(h)]) * x;
        for (std::int64_t n = 0; n < o.dstate; ++n) {
          double& s = state[static_cast<std::size_t>((h * o.headdim + i) * o.dstate + n)];
          s = p.decay(t, h) * s + p.step(t, h) * x * p.b.at(t, h / shared * o.dstate + n);
          sum += s * p.c.at(t, h * o.dstate + n);
        }
        y.push_back(sum);
      }
    }
  }
  return y;
}

}  // namespace

class TestSsd : public QObject {
  Q_OBJECT
 private slots:
  void initTestCase_data() { test::backend_rows(); }
  void init() { test::enter_backend(); }

  void forms_agree_data() {
    QTest::addColumn<int>("rows");
    QTest::addColumn<int>("headdim");
    QTest::addColumn<int>("dstate");
    QTest::addColumn<int>("chunk");
    QTest::addColumn<bool>("with_dt");
    for (const int rows : {0, 1, 31, 32, 33, 257}) {
      for (const int chunk : {1, 32, 1000}) {
        QTest::addRow("%d tokens in chunks of %d", rows, chunk) << rows << 32 << 32 << chunk << (chunk == 32);
      }
    }
    QTest::addRow("odd sizes") << 70 << 5 << 7 << 16 << true;
    QTest::addRow("narrow state") << 70 << 33 << 1 << 64 << false;
    QTest::addRow("wide state") << 40 << 3 << 129 << 33 << true;
    QTest::addRow("one chunk of a GPU") << 64 << 64 << 64 << 16 << false;
    QTest::addRow("ten chunks of a GPU") << 600 << 4 << 4 << 16 << true;
    QTest::addRow("large state") << 65 << 65 << 130 << 16 << false;
  }
  void forms_agree() {
    QFETCH(int, rows);
    QFETCH(int, headdim);
    QFETCH(int, dstate);
    QFETCH(int, chunk);
    QFETCH(bool, with_dt);
    const std::int64_t nheads = 4;
    Problem p(rows, nheads, headdim, dstate, 2, with_dt);
    Array state = Array::random(Shape{nheads, headdim, dstate}, 7);
    std::vector<double> want_state(state.data().begin(), state.data().end());
    const auto want = recurrence(p, want_state);
    for (const int threads : test::thread_counts()) {
      Context context(threads, test::backend());
      Array scanned = state;
      Array y = Array::padded(rows, nheads * headdim, 3, 8);
      ssd_scan(context, p.operands, scanned, chunk, y);
      QCOMPARE(difference(y, want, kScan), QString());
      QCOMPARE(difference(scanned, want_state, kScan), QString());
    }
    if (test::backend() != nullptr) return;  // steps by ssm_step
    Context context;
    Array stepped = state;
    Array y = Array::padded(rows, nheads * headdim, 3, 9);
    const TensorView states = stepped.view().reshape({1, nheads * headdim * dstate});
    const std::int32_t slot_ids[] = {0};
    for (std::int64_t t = 0; t < rows; ++t) {
      SsdOperands token = p.operands;
      for (TensorView* view : {&token.x, &token.b, &token.c, &token.log_decay}) *view = view->rows(t, 1);
      if (with_dt) token.dt = token.dt.rows(t, 1);
      ssd_step(context, token, states, slot_ids, y.view().rows(t, 1));
    }
    QCOMPARE(difference(y, want, kScan), QString());
    QCOMPARE(difference(stepped, want_state, kScan), QString());
  }

  void matrix_times_input_is_the_scan_data() {
    QTest::addColumn<int>("rows");
    QTest::addColumn<bool>("with_dt");
    for (const int rows : {0, 1, 33, 257}) {
      for (const bool with_dt : {false, true}) {
        QTest::addRow("%d tokens, dt %d", rows, with_dt) << rows << with_dt;
      }
    }
  }
  void matrix_times_input_is_the_scan() {
    QFETCH(int, rows);
    QFETCH(bool, with_dt);
    Problem p(rows, 4, 8, 16, 2, with_dt);
    Context context(1, test::backend());
    const std::vector<std::int64_t> heads = {3, 0, 1};
    const Shape shape = {3, rows, rows};
    Array decay(shape, std::nanf(""));
    Array content(shape, std::nanf(""));
    Array m(shape, std::nanf(""));
    Array only_m(shape, std::nanf(""));
    ssd_matrix(context, p.operands, heads, decay, content, m);
    ssd_matrix(context, p.operands, heads, {}, {}, only_m);
    QCOMPARE(only_m.data(), m.data());

    std::vector<double> state(4 * 8 * 16);
    const auto y = recurrence(p, state);
    for (std::size_t i = 0; i < heads.size(); ++i) {
      const std::int64_t h = heads[i];
      const auto at = [&](Array& a, std::int64_t t, std::int64_t j) {
        return a.data()[(i * static_cast<std::size_t>(rows) + static_cast<std::size_t>(t)) *
                            static_cast<std::size_t>(rows) +
                        static_cast<std::size_t>(j)];
      };
      double worst = 0;
      for (std::int64_t t = 0; t < rows; ++t) {
        for (std::int64_t j = 0; j < rows; ++j) {
          QCOMPARE(at(m, t, j), at(decay, t, j) * at(content, t, j));
          if (j > t) QCOMPARE(at(m, t, j), 0.0F);
        }
        QCOMPARE(at(decay, t, t), 1.0F);
        for (std::int64_t x = 0; x < 8; ++x) {
          double sum =
              static_cast<double>(p.skip.data()[static_cast<std::size_t>(h)]) * p.x.at(t, h / 2 * 8 + x);
          for (std::int64_t j = 0; j <= t; ++j)
            sum += static_cast<double>(at(m, t, j)) * p.x.at(j, h / 2 * 8 + x);
          worst = std::max(worst, std::abs(sum - y[static_cast<std::size_t>((t * 4 + h) * 8 + x)]));
        }
      }
      QVERIFY2(worst < 1e-4, qPrintable(QString::number(worst)));
    }
  }

  void whole_steps_data() {
    QTest::addColumn<int>("nheads");
    QTest::addColumn<int>("headdim");
    QTest::addColumn<int>("dstate");
    QTest::addColumn<int>("shared");
    QTest::addColumn<int>("taps");
    QTest::newRow("Llamba") << 2 << 64 << 64 << 1 << 4;
    QTest::newRow("Mamba-2") << 2 << 64 << 128 << 2 << 4;
    QTest::newRow("large state") << 1 << 8 << 256 << 1 << 4;
    QTest::newRow("small") << 4 << 8 << 16 << 2 << 4;
    QTest::newRow("odd") << 3 << 5 << 7 << 3 << 3;
    QTest::newRow("odd and long") << 1 << 133 << 70 << 1 << 5;
    QTest::newRow("one tap") << 2 << 16 << 16 << 1 << 1;
  }
  // Three sequences in slots of their own, among others that stay as they are.
  void whole_steps() {
    QFETCH(int, nheads);
    QFETCH(int, headdim);
    QFETCH(int, dstate);
    QFETCH(int, shared);
    QFETCH(int, taps);
    const std::vector<std::int32_t> slot_ids = {4, 0, 3};
    const std::int64_t inner = nheads * headdim;
    const std::int64_t columns = (inner + nheads * dstate) / shared + nheads * dstate;
    Context context(1, test::backend());
    Array input = Array::padded(3, columns, 1, 1);
    Array weight = Array::random(Shape{columns, taps}, 2);
    Array bias = Array::random(Shape{columns}, 3);
    Array decay = Array::padded(3, nheads, 2, 4);
    Array dt_bias = Array::random(Shape{nheads}, 5);
    Array a_log = Array::random(Shape{nheads}, 6);
    Array skip = Array::random(Shape{nheads}, 7);
    Array z = Array::padded(3, inner, 1, 8);
    Array z_bias = Array::random(Shape{inner}, 9);
    const Array windows = Array::random(Shape{6, (taps - 1) * columns}, 10);
    const Array states = Array::random(Shape{6, inner * dstate}, 11);
    for (const bool llamba : {false, true}) {  // with a gate; else, as in Mamba-2, with steps and biases
      SsmStep step;
      step.heads = {nheads, headdim, dstate, nheads / shared, nheads / shared, nheads, {}, {}, {},
                    {},     {},      skip};
      step.input = input;
      step.conv_weight = weight;
      step.decay = decay;
      if (llamba) {
        step.gate = z;
        step.gate_bias = z_bias;
      } else {
        step.conv_bias = bias;
        step.activation = ConvActivation::Silu;
        step.dt_bias = dt_bias;
        step.a_log = a_log;
      }
      Array moved_windows = windows;
      Array moved_states = states;
      Array y = Array::padded(3, inner, 3, 12);
      ssm_step(context, step, moved_windows, moved_states, slot_ids, y);

      Array want_windows = windows;
      Array start = states;
      std::vector<double> want_states(start.data().begin(), start.data().end());
      std::vector<double> want_y;
      const auto number = [](Array& array, std::int64_t i) {
        return static_cast<double>(array.data()[static_cast<std::size_t>(i)]);
      };
      for (std::int64_t r = 0; r < 3; ++r) {
        const std::int64_t slot = slot_ids[static_cast<std::size_t>(r)];
        float* window = want_windows.view().row(slot);
        std::vector<double> convolved;
        for (std::int64_t c = 0; c < columns; ++c) {
          double sum = (llamba ? 0 : number(bias, c)) + weight.at(c, taps - 1) * input.at(r, c);
          for (std::int64_t k = 0; k < taps - 1; ++k)
            sum += weight.at(c, k) * static_cast<double>(window[k * columns + c]);
          convolved.push_back(llamba ? sum : test::silu(sum));
        }
        if (taps > 1) {
          std::copy(window + columns, window + (taps - 1) * columns, window);
          std::copy_n(input.view().row(r), columns, window + (taps - 2) * columns);
        }
        const double* b = convolved.data() + inner / shared;
        const double* c = b + nheads * dstate / shared;
        for (std::int64_t h = 0; h < nheads; ++h) {
          const double dt = llamba ? 1 : test::softplus(decay.at(r, h) + number(dt_bias, h));
          const double keep =
              std::exp(llamba ? -test::softplus(decay.at(r, h)) : -dt * std::exp(number(a_log, h)));
          for (std::int64_t p = 0; p < headdim; ++p) {
            const double x = convolved[static_cast<std::size_t>(h / shared * headdim + p)];
            double sum = number(skip, h) * x;
            for (std::int64_t n = 0; n < dstate; ++n) {
              double& s = want_states[static_cast<std::size_t>(slot * inner * dstate +
                                                               (h * headdim + p) * dstate + n)];
              s = keep * s + dt * x * b[h / shared * dstate + n];
              sum += s * c[h * dstate + n];
            }
            const std::int64_t channel = h * headdim + p;
            if (llamba) sum *= test::silu(z.at(r, channel) + number(z_bias, channel));
            want_y.push_back(sum);
          }
        }
      }
      QCOMPARE(difference(y, want_y, kScan), QString());
      QCOMPARE(difference(moved_states, want_states, kScan), QString());
      QCOMPARE(moved_windows.data(), want_windows.data());
    }
  }

  // models.md A.1; the last row is the linear-attention limit, where nothing decays.
  void golden_data() {
    QTest::addColumn<std::vector<float>>("a_log");
    QTest::addColumn<std::vector<double>>("matrix");
    QTest::newRow("A.1") << std::vector<float>{0.5F, -1.0F, 2.0F}
                         << std::vector<double>{0.2,          0,    0, 0.731058579, -0.5, 0, -0.043572159,
                                                -0.268206575, 1.375};
    QTest::newRow("no decay") << std::vector<float>(3, -1e4F)
                              << std::vector<double>{0.2, 0, 0, 1, -0.5, 0, -0.5, -2.25, 1.375};
  }
  void golden() {
    QFETCH(std::vector<float>, a_log);
    QFETCH(std::vector<double>, matrix);
    Context context(1, test::backend());
    Array raw(Shape{3, 1});
    raw.data() = a_log;
    Array log_decay(Shape{3, 1});
    discrete_log_decay(context, raw, log_decay);
    Array x(Shape{3, 2});
    x.data() = {1, 2, 3, -1, 0.5, 0.25};
    Array b(Shape{3, 2});
    b.data() = {1, 0, 0.5, -1, 0.25, 0.75};
    Array c(Shape{3, 2});
    c.data() = {0.2F, 0.4F, 1, 1, -0.5, 2};
    Array skip(Shape{1}, 0.7F);
    const SsdOperands o = {1, 2, 2, 1, 1, 1, x, b, c, log_decay, {}, skip};
    Array m(Shape{1, 3, 3});
    const std::vector<std::int64_t> heads = {0};
    ssd_matrix(context, o, heads, {}, {}, m);
    QCOMPARE(difference(m, matrix, 1e-6), QString());
    Array state(Shape{1, 2, 2});
    Array y(Shape{3, 2});
    ssd_scan(context, o, state, 2, y);
    if (a_log[0] == 0.5F) {
      QCOMPARE(difference(y, {0.9, 1.8, 1.331058579, 1.262117157, 0.189308117, 0.699812256}, 1e-6),
               QString());
      QCOMPARE(difference(state, {0.390948702, 0.017391234, 0.177187176, 0.306702922}, 1e-6), QString());
    }
  }

  void nan_propagates() {
    Context context(2, test::backend());
    Problem p(40, 4, 8, 16, 2, true);
    p.b.view().row(20)[0] = std::nanf("");
    Array state(Shape{4, 8, 16});
    Array y(Shape{40, 32});
    ssd_scan(context, p.operands, state, 16, y);
    QVERIFY(!std::isnan(y.at(15, 0)));  // the chunk before
    for (std::int64_t t = 20; t < 40; ++t) QVERIFY(std::isnan(y.at(t, 0)));
  }
};

QTEST_GUILESS_MAIN(TestSsd)
#include "tst_ssd.moc"
