// Losses against their formulas in double, and their gradients against central differences of those; the
// update of weights.
#include <QTest>

#include "kernels/ops/adamw.h"
#include "kernels/ops/loss.h"
#include "kernels/ops/ssd.h"
#include "tests/kernels/gradient_test.h"

using namespace tandem;
using namespace tandem::test;
using Role = Operand::Role;

namespace {

constexpr int kRows = 40;

// log softmax of every row
Vector log_softmax(const Vector& logits, std::size_t vocab) {
  Vector out = logits;
  for (std::size_t first = 0; first < out.size(); first += vocab) {
    double sum = 0;
    for (std::size_t i = 0; i < vocab; ++i) sum += std::exp(logits[first + i]);
    for (std::size_t i = 0; i < vocab; ++i) out[first + i] -= std::log(sum);
  }
  return out;
}

double divergence(const Vector& log_p, const Vector& log_q, const std::vector<float>& weights) {
  double sum = 0;
  const std::size_t vocab = log_p.size() / weights.size();
  for (std::size_t i = 0; i < log_p.size(); ++i)
    sum += static_cast<double>(weights[i / vocab]) * std::exp(log_p[i]) * (log_p[i] - log_q[i]);
  return sum;
}

double distance(const Vector& a, const Vector& b, std::size_t group, const std::vector<float>& weights) {
  double sum = 0;
  for (std::size_t first = 0; first < a.size(); first += group) {
    double square = 0;
    for (std::size_t i = first; i < first + group; ++i) square += (a[i] - b[i]) * (a[i] - b[i]);
    sum += static_cast<double>(weights[first / group]) * std::sqrt(square);
  }
  return sum;
}

void add_widths() {
  QTest::addColumn<int>("width");
  for (const int width : {1, 37, 700}) QTest::addRow("%d", width) << width;
}

// Some zero, to be skipped.
std::vector<float> row_weights() {
  std::vector<float> weights;
  for (int i = 0; i < kRows; ++i) weights.push_back(static_cast<float>(i % 4) * 0.25F);
  return weights;
}

}  // namespace

class TestLoss : public QObject {
  Q_OBJECT
 private slots:
  void initTestCase_data() { test::backend_rows(); }
  void init() { test::enter_backend(); }

  void cross_entropy_data() { add_widths(); }
  void cross_entropy() {
    QFETCH(int, width);
    Context context(2, test::backend());
    Operand logits("logits", Shape{kRows, width}, Role::Activation, 1, 3.0F);
    std::vector<std::int32_t> targets;
    for (int i = 0; i < kRows; ++i) targets.push_back(i * 7 % width);
    const std::vector<float> weights = row_weights();
    double loss = 0;
    const auto backward = [&] {
      loss = cross_entropy_loss(context, logits.value(), targets, weights, logits.gradient());
    };
    const auto reference = [&](const std::vector<Vector>& v) {
      const auto vocab = static_cast<std::size_t>(width);
      const Vector log_p = log_softmax(v[0], vocab);
      double sum = 0;
      for (std::size_t i = 0; i < kRows; ++i)
        sum -= static_cast<double>(weights[i]) * log_p[i * vocab + static_cast<std::size_t>(targets[i])];
      return sum;
    };
    QCOMPARE(gradient_error({&logits}, backward, reference), QString());
    QVERIFY(std::abs(loss - reference({logits.values()})) <= 1e-5 * loss + 1e-12);
    logits.value().row(0)[0] = std::nanf("");  // of weight 0: not read
    QCOMPARE(cross_entropy_loss(context, logits.value(), targets, weights, {}), loss);
    const Vector before = logits.gradients();
    cross_entropy_loss(context, logits.value(), targets, weights, logits.value());  // in place
    QCOMPARE(logits.values(), before);
  }

  void binary_cross_entropy() {
    Context context(2, test::backend());
    Operand scores("scores", Shape{kRows, 1}, Role::Activation, 1, 3.0F);
    std::vector<std::int32_t> targets;
    for (int i = 0; i < kRows; ++i) targets.push_back(i / 2 % 2);
    const std::vector<float> weights = row_weights();
    double loss = 0;
    const auto backward = [&] {
      loss = binary_cross_entropy_loss(context, scores.value(), targets, weights, scores.gradient());
    };
    const auto reference = [&](const std::vector<Vector>& v) {
      double sum = 0;
      for (std::size_t i = 0; i < kRows; ++i) {
        const double p = 1 / (1 + std::exp(-v[0][i]));
        sum -= static_cast<double>(weights[i]) * std::log(targets[i] == 1 ? p : 1 - p);
      }
      return sum;
    };
    QCOMPARE(gradient_error({&scores}, backward, reference), QString());
    QVERIFY(std::abs(loss - reference({scores.values()})) < 1e-5 * loss);
    std::vector<float> far = {500.0F, -500.0F};  // no overflow
    const std::vector<std::int32_t> wrong = {0, 1};
    const std::vector<float> halves = {0.5F, 0.5F};
    const TensorView view(far.data(), Shape{2, 1});
    QCOMPARE(binary_cross_entropy_loss(context, view, wrong, halves, view), 500.0);
    QCOMPARE(far, (std::vector<float>{0.5F, -0.5F}));
  }

  void divergences_data() {
    QTest::addColumn<bool>("forward");
    QTest::addColumn<int>("width");
    for (const int width : {1, 37, 700}) {
      QTest::addRow("forward, %d", width) << true << width;
      QTest::addRow("reverse, %d", width) << false << width;
    }
  }
  void divergences() {
    QFETCH(bool, forward);
    QFETCH(int, width);
    Context context(2, test::backend());
    const auto direction = forward ? KlDirection::Forward : KlDirection::Reverse;
    Operand student("student", Shape{kRows, width}, Role::Activation, 1, 2.0F);
    Operand teacher("teacher", Shape{kRows, width}, Role::Activation, 2, 2.0F);
    const std::vector<float> weights = row_weights();
    double loss = 0;
    const auto backward = [&] {
      loss = kl_loss(context, student.value(), teacher.value(), direction, weights, student.gradient());
    };
    const auto vocab = static_cast<std::size_t>(width);
    const Vector log_teacher = log_softmax(teacher.values(), vocab);
    const auto reference = [&](const std::vector<Vector>& v) {
      const Vector log_student = log_softmax(v[0], vocab);
      return forward ? divergence(log_teacher, log_student, weights)
                     : divergence(log_student, log_teacher, weights);
    };
    QCOMPARE(gradient_error({&student}, backward, reference), QString());
    QVERIFY(std::abs(loss - reference({student.values()})) <= 1e-5 * loss + 1e-12);
    QVERIFY(std::abs(kl_loss(context, teacher.value(), teacher.value(), direction, weights, {})) < 1e-6);
  }

  void matrix_distance() {
    Context context(2, test::backend());
    Operand m("m", Shape{3, 70, 70}, Role::Activation, 1);
    Operand target("target", Shape{3, 70, 70}, Role::Activation, 2);
    double loss = 0;
    const auto backward = [&] {
      loss = frobenius_loss(context, m.value(), target.value(), 0.5F, m.gradient());
    };
    const std::vector<float> weights(3, 0.5F);
    const auto reference = [&](const std::vector<Vector>& v) {
      return distance(v[0], target.values(), 70 * 70, weights);
    };
    QCOMPARE(gradient_error({&m}, backward, reference), QString());
    QVERIFY(std::abs(loss - reference({m.values()})) < 1e-5 * loss);
    QCOMPARE(frobenius_loss(context, m.value(), m.value(), 1.0F, m.gradient()), 0.0);
    for (double g : m.gradients()) QCOMPARE(g, 0.0);  // equal matrices: no direction, not NaN
  }

  void row_distance_data() {
    add_widths();
    QTest::newRow("5000") << 5000;
  }
  void row_distance() {
    QFETCH(int, width);
    Context context(2, test::backend());
    Operand y("y", Shape{kRows, width}, Role::Activation, 1);
    Operand target("target", Shape{kRows, width}, Role::Activation, 2);
    const std::vector<float> weights = row_weights();
    double loss = 0;
    const auto backward = [&] { loss = l2_loss(context, y.value(), target.value(), weights, y.gradient()); };
    const auto reference = [&](const std::vector<Vector>& v) {
      return distance(v[0], target.values(), static_cast<std::size_t>(width), weights);
    };
    QCOMPARE(gradient_error({&y}, backward, reference), QString());
    QVERIFY(std::abs(loss - reference({y.values()})) < 1e-5 * loss);
    const Vector zeros(static_cast<std::size_t>(kRows * width));
    const double norms =
        distance(target.values(), zeros, static_cast<std::size_t>(width), std::vector<float>(kRows, 1.0F));
    QVERIFY(std::abs(row_norms(context, target.value()) - norms) < 1e-5 * norms);
    // Equal rows: no direction, not NaN.
    std::copy_n(target.value().row(3), width, y.value().row(3));
    backward();
    for (int i = 0; i < width; ++i) QCOMPARE(y.gradient().row(3)[i], 0.0F);
  }

  void diagonals_are_added() {
    Context context(2, test::backend());
    Array m = Array::random(Shape{2, 70, 70}, 1);
    Array values = Array::random(Shape{2}, 2);
    Array want = m;
    for (std::int64_t h = 0; h < 2; ++h)
      for (std::int64_t t = 0; t < 70; ++t)
        want.view().row(h)[t * 71] += values.data()[static_cast<std::size_t>(h)];
    add_diagonals(context, values, m);
    QCOMPARE(m.data(), want.data());
  }

  void updates_data() {
    QTest::addColumn<int>("elements");
    for (const int elements : {1, 4096, 9001, 8196}) QTest::addRow("%d", elements) << elements;
  }
  void updates() {
    QFETCH(int, elements);
    Context context(2, test::backend());
    Array gradient = Array::random(Shape{elements}, 1), value = Array::random(Shape{elements}, 2);
    Array m = Array::random(Shape{elements}, 3), v = Array::random(Shape{elements}, 4);
    for (float& square : v.data()) square = std::abs(square);
    AdamWRule rule;
    rule.learning_rate = 0.125F;
    rule.weight_decay = 0.25F;
    rule.gradient_scale = 0.75F;
    rule.correction1 = 0.5F;
    rule.correction2 = 0.375F;
    Vector values, means, squares;
    double sum = 0;
    for (std::size_t i = 0; i < value.data().size(); ++i) {
      const double g = 0.75 * static_cast<double>(gradient.data()[i]);
      means.push_back(0.9 * static_cast<double>(m.data()[i]) + 0.1 * g);
      squares.push_back(0.95 * static_cast<double>(v.data()[i]) + 0.05 * g * g);
      const double step = means.back() / 0.5 / (std::sqrt(squares.back() / 0.375) + 1e-8);
      const auto before = static_cast<double>(value.data()[i]);
      values.push_back(before - 0.125 * (step + 0.25 * before));
      sum += g * g / (0.75 * 0.75);
    }
    adamw(context, gradient, rule, value, m, v);
    QCOMPARE(difference(value, values, 1e-5), QString());
    QCOMPARE(difference(m, means, 1e-6), QString());
    QCOMPARE(difference(v, squares, 1e-6), QString());
    const TensorView tensor = gradient;
    QVERIFY(std::abs(sum_of_squares(context, std::span(&tensor, 1)) - sum) < 1e-5 * sum);
  }
};

QTEST_GUILESS_MAIN(TestLoss)
#include "tst_loss.moc"
