// Short convolution and the recurrences, a step and whole sequences, against the CPU's ops.
#include <QTest>

#include "kernels/cuda/causal_conv.h"
#include "kernels/cuda/selective_scan.h"
#include "kernels/cuda/ssd.h"
#include "kernels/cuda/ssd_backward.h"
#include "kernels/cuda/ssm_step.h"
#include "kernels/ops/activation.h"
#include "tests/kernels/cuda/device_test.h"

using namespace tandem;
using test::Array;
using test::device_difference;
using test::reference;
using test::TestDevice;
using test::together;

namespace {

constexpr std::int64_t kSlots = 6;
const std::vector<std::int32_t> kSlotIds = {4, 0, 3};
// A step sums up to some hundred products in f32 on either side.
constexpr double kStep = 5e-6;
// Over a sequence decays multiply, too.
constexpr double kScan = 2e-5;

/// Operands of R rows; heads share x and b, but not c.
struct SsdProblem {
  Array x, b, c, log_decay, dt, skip;
  SsdOperands shape;

  SsdProblem(std::int64_t rows, std::int64_t nheads, std::int64_t headdim, std::int64_t dstate,
             std::int64_t shared, std::int64_t padding)
      : x(Array::padded(rows, nheads / shared * headdim, padding, 1)),
        b(Array::padded(rows, nheads / shared * dstate, padding, 2)),
        c(Array::padded(rows, nheads * dstate, padding, 3)),
        log_decay(Array::padded(rows, nheads, 2, 4)),
        dt(Array::padded(rows, nheads, 3, 5)),
        skip(Array::random(Shape{nheads}, 6)) {
    Context context;
    discrete_log_decay(context, log_decay, log_decay);
    Array zeros(Shape{nheads});
    step_sizes(context, dt, zeros, dt);
    shape = {nheads, headdim, dstate, nheads / shared, nheads / shared, nheads, {}, {}, {}, {}, {}, {}};
  }
  /// With the operands where put() puts them; dt only when heads are shared.
  template <typename Put>
  SsdOperands operands(const Put& put) {
    SsdOperands o = shape;
    o.x = put(x);
    o.b = put(b);
    o.c = put(c);
    o.log_decay = put(log_decay);
    if (o.x_heads < o.nheads) o.dt = put(dt);
    o.skip = put(skip);
    return o;
  }
  SsdOperands host() {
    return operands([](Array& array) { return array.view(); });
  }
  SsdOperands on(TestDevice& device) {
    return operands([&](Array& array) { return device.put(array); });
  }
};

/// Gradients of an SsdProblem's operands, with what was in them before.
struct SsdResults {
  Array x, b, c, log_decay, dt, skip;
  bool has_dt;

  explicit SsdResults(SsdProblem& problem)
      : x(problem.x.view().shape()),
        b(problem.b.view().shape()),
        c(problem.c.view().shape()),
        log_decay(problem.log_decay.view().shape()),
        dt(problem.dt.view().shape()),
        skip(problem.skip),
        has_dt(problem.shape.x_heads < problem.shape.nheads) {}
  SsdGradients on_host() { return {x, b, c, log_decay, has_dt ? dt.view() : TensorView(), skip}; }
  SsdGradients on(TestDevice& device) {
    return {device.empty(x.view().shape()),
            device.empty(b.view().shape()),
            device.empty(c.view().shape()),
            device.empty(log_decay.view().shape()),
            has_dt ? device.empty(dt.view().shape()) : TensorView(),
            device.put(skip)};
  }
};

std::vector<TensorView> parts(const SsdGradients& g) {
  std::vector<TensorView> views = {g.b, g.c, g.log_decay, g.skip};
  if (g.x.data() != nullptr) views.push_back(g.x);
  if (g.dt.data() != nullptr) views.push_back(g.dt);
  return views;
}

struct SelectiveProblem {
  Array x, delta, b, c, a, skip;
  SelectiveOperands shape;

  SelectiveProblem(std::int64_t rows, std::int64_t channels, std::int64_t dstate, std::int64_t b_groups,
                   std::int64_t c_groups, std::int64_t padding)
      : x(Array::padded(rows, channels, padding, 1)),
        delta(Array::padded(rows, channels, 3, 2)),
        b(Array::padded(rows, b_groups * dstate, padding, 3)),
        c(Array::padded(rows, c_groups * dstate, padding, 4)),
        a(Array::random(Shape{channels, dstate}, 5)),
        skip(Array::random(Shape{channels}, 6)) {
    Context context;
    Array zeros(Shape{channels});
    step_sizes(context, delta, zeros, delta);
    for (float& value : a.data()) value = -std::abs(value);
    shape = {channels, dstate, b_groups, c_groups, {}, {}, {}, {}, {}, {}};
  }
  template <typename Put>
  SelectiveOperands operands(const Put& put) {
    SelectiveOperands o = shape;
    o.x = put(x);
    o.delta = put(delta);
    o.b = put(b);
    o.c = put(c);
    o.a = put(a);
    o.skip = put(skip);
    return o;
  }
  SelectiveOperands host() {
    return operands([](Array& array) { return array.view(); });
  }
  SelectiveOperands on(TestDevice& device) {
    return operands([&](Array& array) { return device.put(array); });
  }
};

}  // namespace

class TestCudaRecurrence : public QObject {
  Q_OBJECT
 private slots:
  void conv_data() {
    QTest::addColumn<int>("tokens");
    QTest::addColumn<int>("channels");
    QTest::addColumn<int>("taps");
    QTest::addColumn<int>("padding");
    for (const int taps : {1, 2, 4, 7}) {
      QTest::addRow("3 x 24, %d taps", taps) << 3 << 24 << taps << 4;
      QTest::addRow("40 x 31, %d taps", taps) << 40 << 31 << taps << 3;
      QTest::addRow("1 x 1284, %d taps", taps) << 1 << 1284 << taps << 0;
    }
  }
  void conv() {
    QFETCH(int, tokens);
    QFETCH(int, channels);
    QFETCH(int, taps);
    QFETCH(int, padding);
    Context context;
    Array x = Array::padded(tokens, channels, padding, 1);
    Array weight = Array::random(Shape{channels, taps}, 2);
    Array bias = Array::random(Shape{channels}, 3);
    const Array window = Array::random(Shape{taps - 1, channels}, 4);
    for (const bool with_bias : {false, true}) {
      const auto activation = with_bias ? ConvActivation::Silu : ConvActivation::Identity;
      Array y(Shape{tokens, channels});
      Array moved = window;
      causal_conv(context, x, weight, with_bias ? bias.view() : TensorView(), activation, moved, y);
      const auto run = [&](TestDevice& device) {
        Array start = window;
        const TensorView out = device.empty(Shape{tokens, channels});
        const TensorView end = device.put(start);
        cuda::causal_conv(device.stream(), device.put(x), device.put(weight),
                          with_bias ? device.put(bias) : TensorView(), activation, end, out);
        return together(device, {out, end});
      };
      QCOMPARE(device_difference(run, together({y.view(), moved.view()}), kStep), QString());
    }
  }

  void conv_step_data() { conv_data(); }
  void conv_step() {
    QFETCH(int, channels);
    QFETCH(int, taps);
    QFETCH(int, padding);
    Context context;
    Array x = Array::padded(3, channels, padding, 1);
    Array weight = Array::random(Shape{channels, taps}, 2);
    Array bias = Array::random(Shape{channels}, 3);
    Array windows = Array::random(Shape{kSlots, (taps - 1) * channels}, 4);
    Array moved = windows;
    Array y(Shape{3, channels});
    causal_conv_step(context, x, weight, bias, ConvActivation::Silu, moved, kSlotIds, y);
    const auto run = [&](TestDevice& device) {
      const TensorView out = device.empty(Shape{3, channels});
      const TensorView end = device.put(windows);
      cuda::causal_conv_step(device.stream(), device.put(x), device.put(weight), device.put(bias),
                             ConvActivation::Silu, end, device.put_ids(kSlotIds), out);
      return together(device, {out, end});
    };
    QCOMPARE(device_difference(run, together({y.view(), moved.view()}), kStep), QString());
  }

  void ssm_step_data() {
    QTest::addColumn<int>("nheads");
    QTest::addColumn<int>("headdim");
    QTest::addColumn<int>("dstate");
    QTest::addColumn<int>("shared");
    QTest::addColumn<int>("taps");
    QTest::addColumn<int>("padding");
    QTest::newRow("Llamba") << 2 << 64 << 64 << 1 << 4 << 0;
    QTest::newRow("Mamba-2") << 2 << 64 << 128 << 2 << 4 << 4;
    QTest::newRow("large state") << 1 << 8 << 256 << 1 << 4 << 0;
    QTest::newRow("small") << 4 << 8 << 16 << 2 << 4 << 4;
    QTest::newRow("odd") << 3 << 5 << 7 << 3 << 3 << 1;
    QTest::newRow("odd and long") << 1 << 133 << 70 << 1 << 5 << 0;
    QTest::newRow("one tap") << 2 << 16 << 16 << 1 << 1 << 3;
  }
  void ssm_step() {
    QFETCH(int, nheads);
    QFETCH(int, headdim);
    QFETCH(int, dstate);
    QFETCH(int, shared);
    QFETCH(int, taps);
    QFETCH(int, padding);
    const int inner = nheads * headdim;
    const int columns = (inner + nheads * dstate) / shared + nheads * dstate;
    Array input = Array::padded(3, columns, padding, 1);
    Array weight = Array::random(Shape{columns, taps}, 2);
    Array bias = Array::random(Shape{columns}, 3);
    Array decay = Array::padded(3, nheads, 2, 4);
    Array dt_bias = Array::random(Shape{nheads}, 5);
    Array a_log = Array::random(Shape{nheads}, 6);
    Array skip = Array::random(Shape{nheads}, 7);
    Array z = Array::padded(3, inner, padding, 8);
    Array z_bias = Array::random(Shape{inner}, 9);
    Array windows = Array::random(Shape{kSlots, (taps - 1) * columns}, 10);
    Array states = Array::random(Shape{kSlots, inner * dstate}, 11);
    for (const bool with_gate : {false, true}) {  // as Llamba; without, as Mamba-2
      const auto operands = [&](const auto& put) {
        SsmStep step;
        step.heads = {nheads, headdim, dstate, nheads / shared, nheads / shared, nheads, {}, {},
                      {},     {},      {},     put(skip)};
        step.input = put(input);
        step.conv_weight = put(weight);
        step.decay = put(decay);
        if (with_gate) {
          step.gate = put(z);
          step.gate_bias = put(z_bias);
        } else {
          step.conv_bias = put(bias);
          step.activation = ConvActivation::Silu;
          step.dt_bias = put(dt_bias);
          step.a_log = put(a_log);
        }
        return step;
      };
      Array windows_after = windows;
      Array states_after = states;
      Array y(Shape{3, inner});
      Context context;
      tandem::ssm_step(context, operands([](Array& array) { return array.view(); }), windows_after,
                       states_after, kSlotIds, y);
      const auto run = [&](TestDevice& device) {
        const TensorView out = device.empty(y.view().shape());
        const TensorView kept = device.put(windows);
        const TensorView end = device.put(states);
        cuda::ssm_step(device.stream(), operands([&](Array& array) { return device.put(array); }), kept, end,
                       device.put_ids(kSlotIds), out);
        std::vector<float> all = together(device, {out, kept});
        const std::vector<float> rest = device.get(end);
        all.insert(all.end(), rest.begin(), rest.end());
        return all;
      };
      std::vector<double> want = together({y.view(), windows_after.view()});
      const std::vector<double> rest = reference(states_after.view());
      want.insert(want.end(), rest.begin(), rest.end());
      QCOMPARE(device_difference(run, want, kStep), QString());
    }
  }

  void ssd_scan_data() {
    QTest::addColumn<int>("tokens");
    QTest::addColumn<int>("nheads");
    QTest::addColumn<int>("headdim");
    QTest::addColumn<int>("dstate");
    QTest::addColumn<int>("shared");
    QTest::newRow("one token") << 1 << 2 << 16 << 16 << 1;
    QTest::newRow("one chunk") << 64 << 1 << 64 << 64 << 1;
    QTest::newRow("odd") << 70 << 3 << 5 << 7 << 3;
    QTest::newRow("shared") << 130 << 2 << 32 << 16 << 2;
    QTest::newRow("ten chunks") << 600 << 1 << 4 << 4 << 1;
    QTest::newRow("large state") << 65 << 1 << 65 << 130 << 1;
    QTest::newRow("none") << 0 << 1 << 4 << 4 << 1;
  }
  void ssd_scan() {
    QFETCH(int, tokens);
    QFETCH(int, nheads);
    QFETCH(int, headdim);
    QFETCH(int, dstate);
    QFETCH(int, shared);
    SsdProblem problem(tokens, nheads, headdim, dstate, shared, 3);
    Array state = Array::random(Shape{nheads, headdim, dstate}, 7);
    Array moved = state;
    Array y(Shape{tokens, nheads * headdim});
    Context context;
    tandem::ssd_scan(context, problem.host(), moved, 16, y);
    const auto run = [&](TestDevice& device) {
      const TensorView out = device.empty(y.view().shape());
      const TensorView end = device.put(state);
      const SsdOperands operands = problem.on(device);
      const TensorView scratch = device.empty(Shape{cuda::ssd_scan_scratch(operands)});
      cuda::ssd_scan(device.stream(), operands, end, scratch, out);
      return together(device, {out, end});
    };
    QCOMPARE(device_difference(run, together({y.view(), moved.view()}), kScan), QString());
  }

  void ssd_scan_backward_data() { ssd_scan_data(); }
  void ssd_scan_backward() {
    QFETCH(int, tokens);
    QFETCH(int, nheads);
    QFETCH(int, headdim);
    QFETCH(int, dstate);
    QFETCH(int, shared);
    if (tokens == 0) return;  // is no training
    SsdProblem problem(tokens, nheads, headdim, dstate, shared, 3);
    Array d_y = Array::padded(tokens, nheads * headdim, 2, 8);
    Array state = Array::random(Shape{nheads, headdim, dstate}, 9);
    const Array d_state = Array::random(Shape{nheads, headdim, dstate}, 10);
    for (const bool continued : {false, true}) {  // with a state before, and a gradient of that after
      Array d = d_state;
      SsdResults want(problem);
      Context context;
      const SsdOperands host = problem.host();
      const SsdGradients gradients = want.on_host();
      tandem::ssd_scan_backward(context, host, continued ? state.view() : TensorView(), 16, d_y,
                                continued ? d.view() : TensorView(), gradients);
      const auto run = [&](TestDevice& device) {
        Array start = d_state;
        const SsdOperands operands = problem.on(device);
        const TensorView end = device.put(start);
        SsdResults got(problem);
        const SsdGradients to = got.on(device);
        cuda::ssd_scan_backward(device.stream(), operands, continued ? device.put(state) : TensorView(),
                                device.put(d_y), continued ? end : TensorView(), to,
                                device.empty(Shape{cuda::ssd_scan_backward_scratch(operands)}));
        std::vector<float> values = device.get(end);
        for (const TensorView& view : parts(to)) {
          const std::vector<float> part = device.get(view);
          values.insert(values.end(), part.begin(), part.end());
        }
        return values;
      };
      std::vector<double> all = reference(d);
      for (const TensorView& view : parts(gradients)) {
        const std::vector<double> part = reference(view);
        all.insert(all.end(), part.begin(), part.end());
      }
      QCOMPARE(device_difference(run, all, kScan), QString());
    }
  }

  void ssd_matrix_backward_data() { ssd_scan_data(); }
  void ssd_matrix_backward() {
    QFETCH(int, tokens);
    QFETCH(int, nheads);
    QFETCH(int, headdim);
    QFETCH(int, dstate);
    QFETCH(int, shared);
    tokens = std::min(tokens, 200);
    SsdProblem problem(tokens, nheads, headdim, dstate, shared, 3);
    Array d_m = Array::random(Shape{nheads, tokens, tokens}, 8);
    SsdResults want(problem);
    Context context;
    const SsdOperands host = problem.host();
    SsdGradients gradients = want.on_host();
    gradients.x = {};
    tandem::ssd_matrix_backward(context, host, d_m, gradients);
    const auto run = [&](TestDevice& device) {
      const SsdOperands operands = problem.on(device);
      SsdResults got(problem);
      SsdGradients to = got.on(device);
      to.x = {};
      cuda::ssd_matrix_backward(device.stream(), operands, device.put(d_m), to,
                                device.empty(Shape{cuda::ssd_matrix_backward_scratch(operands)}));
      std::vector<float> values;
      for (const TensorView& view : parts(to)) {
        const std::vector<float> part = device.get(view);
        values.insert(values.end(), part.begin(), part.end());
      }
      return values;
    };
    std::vector<double> all;
    for (const TensorView& view : parts(gradients)) {
      const std::vector<double> part = reference(view);
      all.insert(all.end(), part.begin(), part.end());
    }
    QCOMPARE(device_difference(run, all, kScan), QString());
  }

  void selective_step_data() {
    QTest::addColumn<int>("channels");
    QTest::addColumn<int>("dstate");
    QTest::addColumn<int>("b_groups");
    QTest::addColumn<int>("c_groups");
    QTest::addColumn<int>("padding");
    QTest::newRow("Mamba-1") << 160 << 16 << 1 << 1 << 0;
    QTest::newRow("MambaInLlama") << 128 << 16 << 2 << 8 << 4;
    QTest::newRow("large state") << 4 << 256 << 1 << 2 << 0;
    QTest::newRow("odd") << 15 << 7 << 3 << 5 << 1;
    QTest::newRow("rows not aligned") << 24 << 8 << 3 << 3 << 3;
  }
  void selective_step() {
    QFETCH(int, channels);
    QFETCH(int, dstate);
    QFETCH(int, b_groups);
    QFETCH(int, c_groups);
    QFETCH(int, padding);
    SelectiveProblem problem(3, channels, dstate, b_groups, c_groups, padding);
    Array states = Array::random(Shape{kSlots, channels * dstate}, 7);
    Array moved = states;
    Array y(Shape{3, channels});
    Context context;
    tandem::selective_step(context, problem.host(), moved, kSlotIds, y);
    const auto run = [&](TestDevice& device) {
      const TensorView out = device.empty(y.view().shape());
      const TensorView end = device.put(states);
      cuda::selective_step(device.stream(), problem.on(device), end, device.put_ids(kSlotIds), out);
      return together(device, {out, end});
    };
    QCOMPARE(device_difference(run, together({y.view(), moved.view()}), kStep), QString());
  }

  void selective_scan_data() { selective_step_data(); }
  void selective_scan() {
    QFETCH(int, channels);
    QFETCH(int, dstate);
    QFETCH(int, b_groups);
    QFETCH(int, c_groups);
    QFETCH(int, padding);
    for (const std::int64_t tokens : {0, 1, 13, 40}) {
      SelectiveProblem problem(tokens, channels, dstate, b_groups, c_groups, padding);
      Array state = Array::random(Shape{channels, dstate}, 7);
      Array moved = state;
      Array y(Shape{tokens, channels});
      Context context;
      tandem::selective_scan(context, problem.host(), moved, y);
      const auto run = [&](TestDevice& device) {
        const TensorView out = device.empty(y.view().shape());
        const TensorView end = device.put(state);
        cuda::selective_scan(device.stream(), problem.on(device), end, out);
        return together(device, {out, end});
      };
      QCOMPARE(device_difference(run, together({y.view(), moved.view()}), kScan), QString());
    }
  }

  void matrices_data() {
    QTest::addColumn<int>("tokens");
    QTest::addColumn<int>("nheads");
    QTest::addColumn<int>("dstate");
    QTest::newRow("one token") << 1 << 2 << 16;
    QTest::newRow("one tile") << 64 << 2 << 8;
    QTest::newRow("odd") << 70 << 4 << 7;
    QTest::newRow("four tiles") << 200 << 2 << 3;
    QTest::newRow("none") << 0 << 2 << 4;
  }
  void matrices() {
    QFETCH(int, tokens);
    QFETCH(int, nheads);
    QFETCH(int, dstate);
    const std::vector<std::int64_t> heads = {nheads - 1, 0};
    const Shape shape = {2, tokens, tokens};
    const auto elements = static_cast<std::size_t>(shape.elements());
    Context context;
    for (const int shared : {1, 2}) {  // 2: with step sizes, too
      SsdProblem problem(tokens, nheads, 4, dstate, shared, 3);
      Array want(Shape{3, 2 * tokens, tokens});
      const auto part = [&](float* data, std::size_t i) { return TensorView(data + i * elements, shape); };
      float* host = want.data().data();
      ssd_matrix(context, problem.host(), heads, part(host, 0), part(host, 1), part(host, 2));
      const auto run = [&](TestDevice& device) {
        const TensorView got = device.empty(want.view().shape());
        const SsdOperands operands = problem.on(device);
        cuda::ssd_matrix(device.stream(), operands, heads, part(got.f32(), 0), part(got.f32(), 1),
                         part(got.f32(), 2));
        return device.get(got);
      };
      QCOMPARE(device_difference(run, reference(want), kScan), QString());
    }
    SelectiveProblem problem(tokens, nheads * 3, dstate, nheads, 3, 2);
    Array want(shape);
    selective_matrix(context, problem.host(), heads, nheads, want);
    const auto run = [&](TestDevice& device) {
      const TensorView got = device.empty(shape);
      cuda::selective_matrix(device.stream(), problem.on(device), heads, nheads, got);
      return device.get(got);
    };
    QCOMPARE(device_difference(run, reference(want), kScan), QString());
  }
};

QTEST_APPLESS_MAIN(TestCudaRecurrence)
#include "tst_cuda_recurrence.moc"
