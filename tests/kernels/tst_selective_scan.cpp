// The Mamba-1 recurrence three ways (steps, scan, matrices) against a double-precision loop.
#include <QTest>

#include "kernels/ops/activation.h"
#include "kernels/ops/selective_scan.h"
#include "tests/kernels/op_test.h"

using namespace tandem;
using test::Array;
using test::difference;

namespace {

constexpr double kScan = 2e-5;  // up to some hundred f32 decays multiplied: models.md 9 allows 1e-4

struct Problem {
  Array x, delta, b, c, a, skip;
  SelectiveOperands operands;

  Problem(std::int64_t rows, std::int64_t channels, std::int64_t dstate, std::int64_t b_groups,
          std::int64_t c_groups)
      : x(Array::padded(rows, channels, 3, 1)),
        delta(Array::padded(rows, channels, 2, 2)),
        b(Array::padded(rows, b_groups * dstate, 1, 3)),
        c(Array::padded(rows, c_groups * dstate, 5, 4)),
        a(Array::random(Shape{channels, dstate}, 5)),
        skip(Array::random(Shape{channels}, 6)) {
    Context context;
    Array zeros(Shape{channels});
    step_sizes(context, delta, zeros, delta);
    for (float& value : a.data()) value = -std::exp(value);
    operands = {channels, dstate, b_groups, c_groups, x, delta, b, c, a, skip};
  }

  double at_b(std::int64_t t, std::int64_t e, std::int64_t m) {
    return b.at(t, e / (operands.channels / operands.b_groups) * operands.dstate + m);
  }
  double at_c(std::int64_t t, std::int64_t e, std::int64_t m) {
    return c.at(t, e / (operands.channels / operands.c_groups) * operands.dstate + m);
  }

  /// y [T, E] from `state` [E, N], which it advances; of all rows, or of the first ones.
  std::vector<double> recurrence(std::vector<double>& state, std::int64_t rows = -1) {
    std::vector<double> y;
    for (std::int64_t t = 0; t < (rows < 0 ? x.view().extent(0) : rows); ++t) {
      for (std::int64_t e = 0; e < operands.channels; ++e) {
        double sum = static_cast<double>(skip.data()[static_cast<std::size_t>(e)]) * x.at(t, e);
        for (std::int64_t m = 0; m < operands.dstate; ++m) {
          double& s = state[static_cast<std::size_t>(e * operands.dstate + m)];
          s = std::exp(delta.at(t, e) * a.at(e, m)) * s + delta.at(t, e) * at_b(t, e, m) * x.at(t, e);
          sum += at_c(t, e, m) * s;
        }
        y.push_back(sum);
      }
    }
    return y;
  }
};

}  // namespace

class TestSelectiveScan : public QObject {
  Q_OBJECT
 private slots:
  void initTestCase_data() { test::backend_rows(); }
  void init() { test::enter_backend(); }

  void forms_agree_data() {
    QTest::addColumn<int>("rows");
    QTest::addColumn<int>("channels");
    QTest::addColumn<int>("dstate");
    QTest::addColumn<int>("b_groups");
    QTest::addColumn<int>("c_groups");
    for (const int rows : {0, 1, 31, 33, 257})
      QTest::addRow("%d tokens", rows) << rows << 128 << 16 << 2 << 8;
    QTest::addRow("odd sizes") << 40 << 30 << 5 << 3 << 6;
    QTest::addRow("one group") << 40 << 7 << 3 << 1 << 1;
    QTest::addRow("wide state") << 20 << 6 << 33 << 2 << 2;
    QTest::addRow("large state") << 13 << 4 << 256 << 1 << 2;
    QTest::addRow("Mamba-1") << 5 << 160 << 16 << 1 << 1;
  }
  void forms_agree() {
    QFETCH(int, rows);
    QFETCH(int, channels);
    QFETCH(int, dstate);
    QFETCH(int, b_groups);
    QFETCH(int, c_groups);
    Problem p(rows, channels, dstate, b_groups, c_groups);
    const Array start = Array::random(Shape{channels, dstate}, 7);
    Array first = start;
    std::vector<double> state(first.data().begin(), first.data().end());
    const std::vector<double> want = p.recurrence(state);
    for (const int threads : test::thread_counts()) {
      Context context(threads, test::backend());
      Array scanned = start;
      Array y = Array::padded(rows, channels, 3, 8);
      selective_scan(context, p.operands, scanned, y);
      QCOMPARE(difference(y, want, kScan), QString());
      QCOMPARE(difference(scanned, state, kScan), QString());
    }
    Context context(1, test::backend());
    Array stepped = start;
    Array y = Array::padded(rows, channels, 3, 9);
    const TensorView states = stepped.view().reshape({1, channels * dstate});
    const std::int32_t slot_ids[] = {0};
    for (std::int64_t t = 0; t < rows; ++t) {
      SelectiveOperands token = p.operands;
      for (TensorView* view : {&token.x, &token.delta, &token.b, &token.c}) *view = view->rows(t, 1);
      selective_step(context, token, states, slot_ids, y.view().rows(t, 1));
    }
    QCOMPARE(difference(y, want, kScan), QString());
    QCOMPARE(difference(stepped, state, kScan), QString());
  }

  // Three sequences in slots of their own, among others that stay as they are.
  void steps_by_slot() {
    constexpr std::int64_t kChannels = 24;
    constexpr std::int64_t kState = 8;
    const std::vector<std::int32_t> slot_ids = {4, 0, 3};
    Problem p(3, kChannels, kState, 3, 3);
    const Array states = Array::random(Shape{6, kChannels * kState}, 7);
    Array moved = states;
    Array y = Array::padded(3, kChannels, 3, 8);
    Context context(1, test::backend());
    selective_step(context, p.operands, moved, slot_ids, y);
    Array start = states;
    std::vector<double> want_states(start.data().begin(), start.data().end());
    for (std::int64_t r = 0; r < 3; ++r) {
      const auto state = want_states.begin() + slot_ids[static_cast<std::size_t>(r)] * kChannels * kState;
      std::vector<double> before(state, state + kChannels * kState);
      Problem one(3, kChannels, kState, 3, 3);
      for (Array* array : {&one.x, &one.delta, &one.b, &one.c})
        std::copy_n(array->view().row(r), array->view().extent(1), array->view().row(0));
      std::vector<double> want = one.recurrence(before, 1);
      std::ranges::copy(before, state);
      QCOMPARE(difference(y.view().rows(r, 1), want, kScan), QString());
    }
    QCOMPARE(difference(moved, want_states, kScan), QString());
  }

  void matrix_times_input_is_the_scan_data() {
    QTest::addColumn<int>("rows");
    for (const int rows : {1, 33, 130}) QTest::addRow("%d tokens", rows) << rows;
  }
  void matrix_times_input_is_the_scan() {
    QFETCH(int, rows);
    constexpr std::int64_t kChannels = 12;
    Problem p(rows, kChannels, 5, 2, 4);
    std::vector<double> state(kChannels * 5);
    const std::vector<double> want = p.recurrence(state);
    Context context(2, test::backend());
    const std::vector<std::int64_t> all = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
    Array own(Shape{kChannels, rows, rows}, std::nanf(""));
    selective_matrix(context, p.operands, all, kChannels, own);
    std::vector<double> got;
    for (std::int64_t t = 0; t < rows; ++t) {
      for (std::int64_t e = 0; e < kChannels; ++e) {
        const float* row = own.view().row(e) + t * rows;
        double sum = static_cast<double>(p.skip.data()[static_cast<std::size_t>(e)]) * p.x.at(t, e);
        for (std::int64_t j = 0; j < rows; ++j) {
          if (j > t) QCOMPARE(row[j], 0.0F);
          sum += static_cast<double>(row[j]) * p.x.at(j, e);
        }
        got.push_back(sum);
      }
    }
    double worst = 0;
    for (std::size_t i = 0; i < got.size(); ++i) worst = std::max(worst, std::abs(got[i] - want[i]));
    QVERIFY2(worst < 1e-4, qPrintable(QString::number(worst)));

    const std::vector<std::int64_t> heads = {2, 0};
    Array mean(Shape{2, rows, rows}, std::nanf(""));
    selective_matrix(context, p.operands, heads, 3, mean);
    std::vector<double> of_channels;
    for (const std::int64_t head : heads)
      for (std::int64_t i = 0; i < rows * rows; ++i) {
        double sum = 0;
        for (std::int64_t e = head * 4; e < head * 4 + 4; ++e)
          sum += static_cast<double>(own.data()[static_cast<std::size_t>(e * rows * rows + i)]);
        of_channels.push_back(sum / 4);
      }
    QCOMPARE(difference(mean, of_channels, 1e-6), QString());
  }

  // models.md A.3: the bias of the step sizes counts twice.
  void golden() {
    Context context(1, test::backend());
    Array low(Shape{3, 1});
    low.data() = {0.1F, -0.2F, 0.3F};
    Array bias(Shape{1}, 2 * -1.5F);
    Array delta(Shape{3, 1});
    step_sizes(context, low, bias, delta);
    QCOMPARE(difference(delta, {0.053562776, 0.039953333, 0.065043562}, 1e-7), QString());
    Array x(Shape{3, 1});
    x.data() = {0.5F, -1, 2};
    Array b(Shape{3, 2});
    b.data() = {1, -1, 0.5F, 0.25F, 2, 0};
    Array c(Shape{3, 2});
    c.data() = {1, 1, 0.5F, -2, 0.3F, 0.6F};
    Array a(Shape{1, 2});
    a.data() = {-1, -2};
    Array skip(Shape{1}, 1.0F);
    const SelectiveOperands o = {1, 2, 1, 1, x, delta, b, c, a, skip};
    Array state(Shape{1, 2});
    Array y(Shape{3, 1});
    selective_scan(context, o, state, y);
    QCOMPARE(difference(y, {0.5, -0.927696140, 2.061383087}, 1e-6), QString());
  }

  void nan_propagates() {
    Problem p(20, 8, 4, 2, 4);
    p.delta.view().row(10)[3] = std::nanf("");
    Context context(1, test::backend());
    Array state(Shape{8, 4});
    Array y(Shape{20, 8});
    selective_scan(context, p.operands, state, y);
    for (std::int64_t t = 0; t < 20; ++t) {
      QCOMPARE(std::isnan(y.at(t, 3)), t >= 10);
      QVERIFY(!std::isnan(y.at(t, 4)));
    }
  }
};

QTEST_GUILESS_MAIN(TestSelectiveScan)
#include "tst_selective_scan.moc"
