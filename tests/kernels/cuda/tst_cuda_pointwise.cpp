// Norms, activations, copies and rotary embedding against the CPU's ops.
#include <QTest>

#include "kernels/cuda/activation.h"
#include "kernels/cuda/copy.h"
#include "kernels/cuda/norm.h"
#include "kernels/cuda/rope.h"
#include "kernels/ops/activation.h"
#include "kernels/ops/attention.h"
#include "kernels/ops/copy.h"
#include "kernels/ops/embedding.h"
#include "kernels/ops/norm.h"
#include "kernels/ops/rope.h"
#include "tests/kernels/cuda/device_test.h"

using namespace tandem;
using test::Array;
using test::device_difference;
using test::reference;
using test::TestDevice;

namespace {

// Both sides sum a few thousand products in f32, in different orders.
constexpr double kSums = 1e-5;
// One exponential or logarithm, each side's own.
constexpr double kFunctions = 2e-6;

void add_shapes() {
  QTest::addColumn<int>("rows");
  QTest::addColumn<int>("channels");
  QTest::addColumn<int>("padding");
  for (const int channels : {1, 31, 32, 33, 1284}) {
    for (const int padding : {0, 3, 4})
      QTest::addRow("3 x %d + %d", channels, padding) << 3 << channels << padding;
  }
  QTest::addRow("none") << 0 << 8 << 0;
}

}  // namespace

class TestCudaPointwise : public QObject {
  Q_OBJECT
 private slots:
  void norms_data() { add_shapes(); }
  void norms() {
    QFETCH(int, rows);
    QFETCH(int, channels);
    QFETCH(int, padding);
    const int group = channels % 3 == 0 ? channels / 3 : channels;
    Context context;
    Array x = Array::padded(rows, channels, padding, 1);
    Array z = Array::padded(rows, channels, padding, 2);
    Array weight = Array::random(Shape{channels}, 3);
    Array want(Shape{rows, channels});
    rms_norm(context, x, weight, 1e-5F, want);
    const auto norm = [&](TestDevice& device) {
      const TensorView y = device.empty(want.view().shape());
      cuda::rms_norm(device.stream(), device.put(x), device.put(weight), 1e-5F, y);
      return device.get(y);
    };
    QCOMPARE(device_difference(norm, reference(want), kSums), QString());
    const auto norm_in_place = [&](TestDevice& device) {
      const TensorView y = device.put(x);
      cuda::rms_norm(device.stream(), y, device.put(weight), 1e-5F, y);
      return device.get(y);
    };
    QCOMPARE(device_difference(norm_in_place, reference(want), kSums), QString());
    const auto gated = [&](TestDevice& device) {
      const TensorView y = device.put(x);
      cuda::gated_group_norm(device.stream(), y, device.put(z), device.put(weight), group, 1e-5F);
      return device.get(y);
    };
    Array y = x;
    gated_group_norm(context, y, z, weight, group, 1e-5F);
    QCOMPARE(device_difference(gated, reference(y), kSums), QString());
  }

  void activations_data() { add_shapes(); }
  void activations() {
    QFETCH(int, rows);
    QFETCH(int, channels);
    QFETCH(int, padding);
    const Shape shape = {rows, channels};
    Context context;
    Array x = Array::padded(rows, channels, padding, 1, 4.0F);
    Array y = Array::padded(rows, channels, padding, 2);
    Array bias = Array::random(Shape{channels}, 3);
    Array a_log = Array::random(Shape{channels}, 4);
    const std::size_t elements = static_cast<std::size_t>(shape.elements());
    Array want(Shape{7, rows, channels});
    const auto part = [&](std::size_t i) { return TensorView(want.data().data() + i * elements, shape); };
    swiglu(context, x, y, part(0));
    copy(context, y, part(1));
    silu_gate(context, part(1), x, bias);
    discrete_log_decay(context, x, part(2));
    stepped_log_decay(context, x, bias, a_log, part(3), part(4));
    step_sizes(context, x, bias, part(5));
    copy(context, y, part(6));
    add(context, x, part(6));
    const auto run = [&](TestDevice& device) {
      const TensorView got = device.empty(want.view().shape());
      const auto out = [&](std::size_t i) { return TensorView(got.f32() + i * elements, shape); };
      const TensorView in_x = device.put(x);
      const TensorView in_y = device.put(y);
      const TensorView biases = device.put(bias);
      cuda::swiglu(device.stream(), in_x, in_y, out(0));
      cuda::copy(device.stream(), in_y, out(1));
      cuda::silu_gate(device.stream(), out(1), in_x, biases);
      cuda::discrete_log_decay(device.stream(), in_x, out(2));
      cuda::stepped_log_decay(device.stream(), in_x, biases, device.put(a_log), out(3), out(4));
      cuda::step_sizes(device.stream(), in_x, biases, out(5));
      cuda::copy(device.stream(), in_y, out(6));
      cuda::add(device.stream(), in_x, out(6));
      return device.get(got);
    };
    QCOMPARE(device_difference(run, reference(want), kFunctions), QString());
  }

  void rows_move_data() {
    QTest::addColumn<int>("headdim");
    QTest::addColumn<int>("padding");
    for (const int headdim : {1, 6, 16, 100}) {
      for (const int padding : {0, 4}) QTest::addRow("%d + %d", headdim, padding) << headdim << padding;
    }
  }
  void rows_move() {
    QFETCH(int, headdim);
    QFETCH(int, padding);
    constexpr std::int64_t kHeads = 3;
    const std::vector<std::int32_t> slot_ids = {4, 0, 2};
    const std::vector<std::int32_t> positions = {9, 7, 8};
    Context context;
    Array x = Array::padded(3, kHeads * headdim, padding, 1);
    Array repeated(Shape{3, 4 * kHeads * headdim});
    repeat_heads(context, x, kHeads, 4 * kHeads, repeated);
    const auto repeat = [&](TestDevice& device) {
      const TensorView y = device.empty(repeated.view().shape());
      cuda::repeat_heads(device.stream(), device.put(x), kHeads, 4 * kHeads, y);
      return device.get(y);
    };
    QCOMPARE(device_difference(repeat, reference(repeated), 0), QString());

    for (const bool prompt : {false, true}) {
      Array cache = Array::random(Shape{5, kHeads, 4, headdim}, 2);
      Array want = cache;
      const auto ids = [&](const std::vector<std::int32_t>& of) {
        return prompt ? std::span<const std::int32_t>() : std::span<const std::int32_t>(of);
      };
      const std::int64_t first = prompt ? 0 : 7;
      append_heads(context, x, ids(slot_ids), ids(positions), first, want);
      const auto append = [&](TestDevice& device) {
        const TensorView to = device.put(cache);
        cuda::append_heads(device.stream(), device.put(x), device.put_ids(ids(slot_ids)),
                           device.put_ids(ids(positions)), first, to);
        return device.get(to);
      };
      QCOMPARE(device_difference(append, reference(want), 0), QString());
    }

    Array table = Array::random(Shape{8, headdim}, 3);
    std::vector<BFloat16> narrow;
    for (const float value : table.data()) narrow.push_back(to_bfloat16(value));
    for (const bool bf16 : {false, true}) {
      Array rows(Shape{3, headdim});
      const TensorView narrow_table(narrow.data(), DType::BF16, table.view().shape());
      embedding(context, bf16 ? narrow_table : table.view(), positions_in_table_, rows);
      const auto gather = [&](TestDevice& device) {
        const TensorView y = device.empty(rows.view().shape());
        const TensorView from = bf16 ? device.put(narrow_table) : device.put(table);
        cuda::embedding(device.stream(), from, device.put_ids(positions_in_table_), y);
        return device.get(y);
      };
      QCOMPARE(device_difference(gather, reference(rows), 0), QString());
    }
  }

  void bfloat16_caches_round_to_nearest() {
    Array x = Array::random(Shape{2, 8}, 1);
    x.data()[3] = std::nanf("");
    const auto run = [&](TestDevice& device) {
      const TensorView cache = device.empty_bf16(Shape{1, 2, 2, 4});
      cuda::append_heads(device.stream(), device.put(x), {}, {}, 0, cache);
      const TensorView back = device.empty(Shape{4, 4});
      const std::vector<std::int32_t> all = {0, 1, 2, 3};
      cuda::embedding(device.stream(), TensorView(cache.data(), DType::BF16, Shape{4, 4}),
                      device.put_ids(all), back);
      std::vector<float> values = device.get(back);
      if (!std::isnan(values[3])) return std::vector<float>{};
      values[3] = 0;
      return values;
    };
    std::vector<double> want;
    for (const std::size_t i : {0, 1, 2, 3, 8, 9, 10, 11, 4, 5, 6, 7, 12, 13, 14, 15}) {
      want.push_back(i == 3 ? 0 : static_cast<double>(to_float(to_bfloat16(x.data()[i]))));
    }
    QCOMPARE(device_difference(run, want, 0), QString());
  }

  void rope_data() {
    QTest::addColumn<int>("heads");
    QTest::addColumn<int>("half");
    for (const int heads : {1, 9, 16}) {
      for (const int half : {1, 8, 33, 128}) QTest::addRow("%d x 2 * %d", heads, half) << heads << half;
    }
  }
  void rope() {
    QFETCH(int, heads);
    QFETCH(int, half);
    const std::vector<std::int32_t> positions = {0, 1000, 7};
    Array x = Array::padded(3, heads * 2 * half, 5, 1);
    Array frequencies(Shape{half});
    for (int m = 0; m < half; ++m)
      frequencies.data()[static_cast<std::size_t>(m)] =
          std::pow(10000.0F, -static_cast<float>(m) / static_cast<float>(half));
    Context context;
    for (const bool given : {true, false}) {
      const auto where = given ? std::span<const std::int32_t>(positions) : std::span<const std::int32_t>();
      Array want = x;
      tandem::rope(context, want, heads, where, frequencies.data());
      const auto run = [&](TestDevice& device) {
        const TensorView y = device.put(x);
        cuda::rope(device.stream(), y, heads, device.put_ids(where),
                   {device.put(frequencies).f32(), frequencies.data().size()});
        return device.get(y);
      };
      QCOMPARE(device_difference(run, reference(want), 2e-6), QString());
    }
  }

 private:
  const std::vector<std::int32_t> positions_in_table_ = {7, 0, 3};
};

QTEST_APPLESS_MAIN(TestCudaPointwise)
#include "tst_cuda_pointwise.moc"
