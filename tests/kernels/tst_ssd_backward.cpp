// Backward passes of the state-space recurrence, against central differences of the recurrence in double.
#include <QTest>

#include "kernels/ops/ssd_backward.h"
#include "tests/kernels/gradient_test.h"

using namespace tandem;
using namespace tandem::test;
using Role = Operand::Role;

namespace {

struct SsdShape {
  std::int64_t rows, nheads, headdim, dstate, x_heads, b_heads, c_heads;
};

std::size_t at(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

// Order of the values that the references take.
enum Input { X, B, C, LogDecay, Skip, State, Dt };

// y [R, H*P] of the recurrence, then the final state.
std::pair<Vector, Vector> recurrence(const SsdShape& s, const std::vector<Vector>& v) {
  Vector y;
  Vector state = v[State];
  for (std::int64_t t = 0; t < s.rows; ++t)
    for (std::int64_t h = 0; h < s.nheads; ++h) {
      const double decay = std::exp(v[LogDecay][at(t * s.nheads + h)]);
      const double dt = v.size() > Dt ? v[Dt][at(t * s.nheads + h)] : 1;
      const std::int64_t x_head = t * s.x_heads + h / (s.nheads / s.x_heads);
      const std::int64_t b_head = t * s.b_heads + h / (s.nheads / s.b_heads);
      const std::int64_t c_head = t * s.c_heads + h / (s.nheads / s.c_heads);
      for (std::int64_t p = 0; p < s.headdim; ++p) {
        const double x = v[X][at(x_head * s.headdim + p)];
        double sum = v[Skip][at(h)] * x;
        for (std::int64_t n = 0; n < s.dstate; ++n) {
          double& element = state[at((h * s.headdim + p) * s.dstate + n)];
          element = decay * element + dt * x * v[B][at(b_head * s.dstate + n)];
          sum += element * v[C][at(c_head * s.dstate + n)];
        }
        y.push_back(sum);
      }
    }
  return {y, state};
}

// Mixing matrices [H, R, R] with the skip on the diagonal, from the definition (models.md 2.6, 3.5).
Vector matrices(const SsdShape& s, const std::vector<Vector>& v) {
  Vector m(at(s.nheads * s.rows * s.rows), 0.0);
  for (std::int64_t h = 0; h < s.nheads; ++h)
    for (std::int64_t i = 0; i < s.rows; ++i)
      for (std::int64_t j = 0; j <= i; ++j) {
        double log_decay = 0;
        for (std::int64_t k = j + 1; k <= i; ++k) log_decay += v[LogDecay][at(k * s.nheads + h)];
        double content = 0;
        for (std::int64_t n = 0; n < s.dstate; ++n)
          content += v[C][at((i * s.c_heads + h / (s.nheads / s.c_heads)) * s.dstate + n)] *
                     v[B][at((j * s.b_heads + h / (s.nheads / s.b_heads)) * s.dstate + n)];
        const double dt = v.size() > Dt ? v[Dt][at(j * s.nheads + h)] : 1;
        m[at((h * s.rows + i) * s.rows + j)] =
            std::exp(log_decay) * content * dt + (i == j ? v[Skip][at(h)] : 0);
      }
  return m;
}

struct Fixture {
  explicit Fixture(const SsdShape& s, bool with_dt)
      : x("x", Shape{s.rows, s.x_heads * s.headdim}, Role::Activation, 1),
        b("b", Shape{s.rows, s.b_heads * s.dstate}, Role::Activation, 2),
        c("c", Shape{s.rows, s.c_heads * s.dstate}, Role::Activation, 3),
        log_decay("log_decay", Shape{s.rows, s.nheads}, Role::Activation, 4),
        skip("skip", Shape{s.nheads}, Role::Parameter, 5),
        state("state", Shape{s.nheads, s.headdim, s.dstate}, Role::Activation, 6),
        dt("dt", Shape{s.rows, s.nheads}, Role::Activation, 7) {
    for (std::int64_t t = 0; t < s.rows; ++t)
      for (std::int64_t h = 0; h < s.nheads; ++h) {
        log_decay.value().row(t)[h] = -0.3F * std::abs(log_decay.value().row(t)[h]);
        dt.value().row(t)[h] = std::abs(dt.value().row(t)[h]);
      }
    operands = {s.nheads,
                s.headdim,
                s.dstate,
                s.x_heads,
                s.b_heads,
                s.c_heads,
                x.value(),
                b.value(),
                c.value(),
                log_decay.value(),
                with_dt ? dt.value() : TensorView(),
                skip.value()};
    gradients = {x.gradient(),
                 b.gradient(),
                 c.gradient(),
                 log_decay.gradient(),
                 with_dt ? dt.gradient() : TensorView(),
                 skip.gradient()};
  }
  std::vector<Operand*> inputs(bool with_dt) {
    std::vector<Operand*> list = {&x, &b, &c, &log_decay, &skip, &state};
    if (with_dt) list.push_back(&dt);
    return list;
  }

  Operand x, b, c, log_decay, skip, state, dt;
  SsdOperands operands;
  SsdGradients gradients;
};

void add_rows() {
  QTest::addColumn<QList<int>>("shape");  // rows, nheads, headdim, dstate, x_heads, b_heads, c_heads
  QTest::addColumn<int>("chunk");
  QTest::addColumn<bool>("with_dt");
  QTest::newRow("one token") << QList<int>{1, 1, 2, 3, 1, 1, 1} << 4 << false;
  QTest::newRow("own heads, one chunk") << QList<int>{7, 3, 5, 4, 3, 3, 3} << 16 << false;
  QTest::newRow("own heads, chunks of 5") << QList<int>{23, 2, 5, 4, 2, 2, 2} << 5 << false;
  QTest::newRow("shared x and b, step size") << QList<int>{19, 4, 3, 5, 2, 2, 4} << 8 << true;
  QTest::newRow("one b and c for all heads") << QList<int>{33, 4, 3, 17, 4, 1, 1} << 32 << true;
  QTest::newRow("one chunk of a GPU") << QList<int>{64, 2, 20, 64, 2, 2, 2} << 16 << false;
  QTest::newRow("chunks of a GPU, shared") << QList<int>{130, 2, 32, 16, 1, 1, 2} << 16 << true;
  QTest::newRow("large state") << QList<int>{65, 1, 65, 130, 1, 1, 1} << 16 << false;
}

SsdShape shape_of(const QList<int>& list) {
  return {list[0], list[1], list[2], list[3], list[4], list[5], list[6]};
}

}  // namespace

class TestSsdBackward : public QObject {
  Q_OBJECT
 private slots:
  void initTestCase_data() { test::backend_rows(); }
  void init() { test::enter_backend(); }

  void scan_data() { add_rows(); }
  void scan() {
    QFETCH(QList<int>, shape);
    QFETCH(int, chunk);
    QFETCH(bool, with_dt);
    const SsdShape s = shape_of(shape);
    Context context(2, test::backend());
    Fixture f(s, with_dt);
    Operand d_y("d_y", Shape{s.rows, s.nheads * s.headdim}, Role::Activation, 8);
    Operand d_state("d_state", Shape{s.nheads, s.headdim, s.dstate}, Role::Activation, 9);
    const auto backward = [&] {
      std::copy_n(d_state.value().f32(), d_state.value().elements(), f.state.gradient().f32());
      ssd_scan_backward(context, f.operands, f.state.value(), chunk, d_y.value(), f.state.gradient(),
                        f.gradients);
    };
    const auto loss = [&](const std::vector<Vector>& v) {
      const auto [y, final_state] = recurrence(s, v);
      return dot(y, d_y.values()) + dot(final_state, d_state.values());
    };
    QCOMPARE(gradient_error(f.inputs(with_dt), backward, loss), QString());
  }

  void scan_from_an_empty_state() {
    const SsdShape s{21, 2, 4, 6, 2, 2, 2};
    Context context(1, test::backend());
    Fixture f(s, false);
    Operand d_y("d_y", Shape{s.rows, s.nheads * s.headdim}, Role::Activation, 8);
    const auto backward = [&] {
      ssd_scan_backward(context, f.operands, {}, 8, d_y.value(), {}, f.gradients);
    };
    const auto loss = [&](const std::vector<Vector>& v) {
      std::vector<Vector> with_state = v;
      with_state.emplace_back(at(s.nheads * s.headdim * s.dstate), 0.0);
      return dot(recurrence(s, with_state).first, d_y.values());
    };
    QCOMPARE(gradient_error({&f.x, &f.b, &f.c, &f.log_decay, &f.skip}, backward, loss), QString());
  }

  void matrix_data() { add_rows(); }
  void matrix() {
    QFETCH(QList<int>, shape);
    QFETCH(bool, with_dt);
    const SsdShape s = shape_of(shape);
    Context context(2, test::backend());
    Fixture f(s, with_dt);
    Operand d_m("d_m", Shape{s.nheads, s.rows, s.rows}, Role::Activation, 8);
    f.gradients.x = {};
    const auto backward = [&] { ssd_matrix_backward(context, f.operands, d_m.value(), f.gradients); };
    const auto loss = [&](const std::vector<Vector>& v) { return dot(matrices(s, v), d_m.values()); };
    std::vector<Operand*> inputs = f.inputs(with_dt);
    // The matrix depends on neither x nor a state; their places in the list stay.
    const auto of_five = [&](const std::vector<Vector>& v) {
      std::vector<Vector> all = {f.x.values(), v[0], v[1], v[2], v[3], f.state.values()};
      if (with_dt) all.push_back(v[4]);
      return loss(all);
    };
    inputs.erase(inputs.begin());
    inputs.erase(inputs.begin() + 4);
    QCOMPARE(gradient_error(inputs, backward, of_five), QString());
  }

  void long_decays_stay_precise() {
    // Decays so strong that a chunk forgets everything: no overflow, no NaN, no gradient through the state.
    const SsdShape s{40, 1, 2, 2, 1, 1, 1};
    Context context(1, test::backend());
    Fixture f(s, false);
    for (std::int64_t t = 0; t < s.rows; ++t) f.log_decay.value().row(t)[0] = -50.0F;
    Operand d_y("d_y", Shape{s.rows, s.nheads * s.headdim}, Role::Activation, 8);
    Array d_state(Shape{1, 2, 2});
    ssd_scan_backward(context, f.operands, f.state.value(), 16, d_y.value(), d_state, f.gradients);
    for (Operand* operand : {&f.x, &f.b, &f.c, &f.log_decay, &f.skip})
      for (double g : operand->gradients()) QVERIFY(std::isfinite(g));
    for (float g : d_state.data()) QVERIFY(std::abs(g) < 1e-15F);
  }
};

QTEST_GUILESS_MAIN(TestSsdBackward)
#include "tst_ssd_backward.moc"
