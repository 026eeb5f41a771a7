// Losses against their formulas in double, and their gradients against central differences of those.
#include <QTest>

#include "kernels/ops/loss.h"
#include "tests/kernels/gradient_test.h"

using namespace tandem;
using namespace tandem::test;
using Role = Operand::Role;

namespace {

constexpr int kRows = 40;
constexpr int kVocab = 37;

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
  for (std::size_t i = 0; i < log_p.size(); ++i)
    sum += static_cast<double>(weights[i / kVocab]) * std::exp(log_p[i]) * (log_p[i] - log_q[i]);
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
  void cross_entropy() {
    Context context(2);
    Operand logits("logits", Shape{kRows, kVocab}, Role::Activation, 1, 3.0F);
    std::vector<std::int32_t> targets;
    for (int i = 0; i < kRows; ++i) targets.push_back(i * 7 % kVocab);
    const std::vector<float> weights = row_weights();
    double loss = 0;
    const auto backward = [&] {
      loss = cross_entropy_loss(context, logits.value(), targets, weights, logits.gradient());
    };
    const auto reference = [&](const std::vector<Vector>& v) {
      const Vector log_p = log_softmax(v[0], kVocab);
      double sum = 0;
      for (std::size_t i = 0; i < kRows; ++i)
        sum -= static_cast<double>(weights[i]) * log_p[i * kVocab + static_cast<std::size_t>(targets[i])];
      return sum;
    };
    QCOMPARE(gradient_error({&logits}, backward, reference), QString());
    QVERIFY(std::abs(loss - reference({logits.values()})) < 1e-5 * loss);
    QCOMPARE(cross_entropy_loss(context, logits.value(), targets, weights, {}), loss);
    const Vector before = logits.gradients();
    cross_entropy_loss(context, logits.value(), targets, weights, logits.value());  // in place
    QCOMPARE(logits.values(), before);
  }

  void binary_cross_entropy() {
    Context context(2);
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
    QTest::newRow("forward") << true;
    QTest::newRow("reverse") << false;
  }
  void divergences() {
    QFETCH(bool, forward);
    Context context(2);
    const auto direction = forward ? KlDirection::Forward : KlDirection::Reverse;
    Operand student("student", Shape{kRows, kVocab}, Role::Activation, 1, 2.0F);
    Operand teacher("teacher", Shape{kRows, kVocab}, Role::Activation, 2, 2.0F);
    const std::vector<float> weights = row_weights();
    double loss = 0;
    const auto backward = [&] {
      loss = kl_loss(context, student.value(), teacher.value(), direction, weights, student.gradient());
    };
    const Vector log_teacher = log_softmax(teacher.values(), kVocab);
    const auto reference = [&](const std::vector<Vector>& v) {
      const Vector log_student = log_softmax(v[0], kVocab);
      return forward ? divergence(log_teacher, log_student, weights)
                     : divergence(log_student, log_teacher, weights);
    };
    QCOMPARE(gradient_error({&student}, backward, reference), QString());
    QVERIFY(std::abs(loss - reference({student.values()})) < 1e-5 * loss);
    QVERIFY(std::abs(kl_loss(context, teacher.value(), teacher.value(), direction, weights, {})) < 1e-6);
  }

  void matrix_distance() {
    Context context(2);
    Operand m("m", Shape{3, 21, 21}, Role::Activation, 1);
    Operand target("target", Shape{3, 21, 21}, Role::Activation, 2);
    double loss = 0;
    const auto backward = [&] {
      loss = frobenius_loss(context, m.value(), target.value(), 0.5F, m.gradient());
    };
    const std::vector<float> weights(3, 0.5F);
    const auto reference = [&](const std::vector<Vector>& v) {
      return distance(v[0], target.values(), 21 * 21, weights);
    };
    QCOMPARE(gradient_error({&m}, backward, reference), QString());
    QVERIFY(std::abs(loss - reference({m.values()})) < 1e-5 * loss);
    QCOMPARE(frobenius_loss(context, m.value(), m.value(), 1.0F, m.gradient()), 0.0);
    for (double g : m.gradients()) QCOMPARE(g, 0.0);  // equal matrices: no direction, not NaN
  }

  void row_distance() {
    Context context(2);
    Operand y("y", Shape{kRows, kVocab}, Role::Activation, 1);
    Operand target("target", Shape{kRows, kVocab}, Role::Activation, 2);
    const std::vector<float> weights = row_weights();
    double loss = 0;
    const auto backward = [&] { loss = l2_loss(context, y.value(), target.value(), weights, y.gradient()); };
    const auto reference = [&](const std::vector<Vector>& v) {
      return distance(v[0], target.values(), kVocab, weights);
    };
    QCOMPARE(gradient_error({&y}, backward, reference), QString());
    QVERIFY(std::abs(loss - reference({y.values()})) < 1e-5 * loss);
  }
};

QTEST_GUILESS_MAIN(TestLoss)
#include "tst_loss.moc"
