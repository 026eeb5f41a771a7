// Norms and pointwise kernels against the CPU's ops.
#include <QTest>

#include "kernels/cuda/rms_norm.h"
#include "kernels/ops/norm.h"
#include "tests/kernels/cuda/device_test.h"

using namespace tandem;
using test::Array;
using test::Device;
using test::device_difference;
using test::reference;

namespace {

// Both sides sum a few thousand products in f32, in different orders.
constexpr double kSums = 1e-5;

void add_shapes() {
  QTest::addColumn<int>("rows");
  QTest::addColumn<int>("channels");
  QTest::addColumn<int>("padding");
  for (const int channels : {1, 31, 32, 33, 257, 2048}) {
    for (const int padding : {0, 3, 4}) {
      QTest::addRow("3 x %d + %d", channels, padding) << 3 << channels << padding;
    }
  }
  QTest::addRow("none") << 0 << 8 << 0;
}

}  // namespace

class TestCudaPointwise : public QObject {
  Q_OBJECT
 private slots:
  void rms_norm_data() { add_shapes(); }
  void rms_norm() {
    QFETCH(int, rows);
    QFETCH(int, channels);
    QFETCH(int, padding);
    Array x = Array::padded(rows, channels, padding, 1);
    Array weight = Array::random(Shape{channels}, 2);
    Array want(Shape{rows, channels});
    Context context;
    tandem::rms_norm(context, x, weight, 1e-5F, want);
    const auto run = [&](Device& device) {
      const TensorView y = device.empty(want.view().shape());
      cuda::rms_norm(device.stream(), device.put(x), device.put(weight), 1e-5F, y);
      return device.get(y);
    };
    QCOMPARE(device_difference(run, reference(want), kSums), QString());
    const auto in_place = [&](Device& device) {
      const TensorView y = device.put(x);
      cuda::rms_norm(device.stream(), y, device.put(weight), 1e-5F, y);
      return device.get(y);
    };
    QCOMPARE(device_difference(in_place, reference(want), kSums), QString());
  }
};

QTEST_APPLESS_MAIN(TestCudaPointwise)
#include "tst_cuda_pointwise.moc"
