// Matrix products against double-precision sums: odd shapes, strides, accumulation, both weight types,
// threads.
#include <limits>
#include <thread>

#include <QTest>

#include "kernels/ops/matmul.h"
#include "kernels/ops/narrow.h"
#include "tests/kernels/op_test.h"

using namespace tandem;
using test::Array;
using test::difference;

namespace {

// base + alpha * a b, b [N, K] if transposed
std::vector<double> product(Array& a, Array& b, bool transpose_b, double alpha, Array* base) {
  const std::int64_t rows = a.view().extent(0);
  const std::int64_t inner = a.view().extent(1);
  const std::int64_t cols = b.view().extent(transpose_b ? 0 : 1);
  std::vector<double> result;
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < cols; ++j) {
      const float* left = a.view().row(i);
      const float* right = b.view().f32() + j * (transpose_b ? b.view().stride(0) : 1);
      const std::int64_t step = transpose_b ? 1 : b.view().stride(0);
      double sum = 0;
      for (std::int64_t k = 0; k < inner; ++k) sum += static_cast<double>(left[k]) * right[k * step];
      result.push_back(alpha * sum + (base == nullptr ? 0.0 : base->at(i, j)));
    }
  }
  return result;
}

// f32 sums of K terms: relative error grows like sqrt(K) * 2^-24, 1e-5 leaves room up to K of some thousands.
constexpr double kF32 = 1e-5;
// Inputs rounded to 8 bits of mantissa, half an ulp each: 2^-9 per factor, averaged out over the sum.
constexpr double kBf16 = 8e-3;

}  // namespace

class TestMatmul : public QObject {
  Q_OBJECT
 private slots:
  void initTestCase_data() { test::backend_rows(); }
  void init() { test::enter_backend(); }

  void linear_equals_reference_data() {
    QTest::addColumn<int>("rows");
    QTest::addColumn<int>("in");
    QTest::addColumn<int>("out");
    QTest::addColumn<int>("threads");
    for (const auto& [in, out] : {std::pair{1, 1}, {31, 33}, {128, 103}, {257, 32}, {33, 257}}) {
      for (const int rows : {0, 1, 31, 33, 257}) {
        for (const int threads : {1, 3}) {
          QTest::addRow("%d x %d -> %d, %d threads", rows, in, out, threads) << rows << in << out << threads;
        }
      }
    }
    QTest::addRow("several panels") << 9 << 2048 << 200 << 2;
    QTest::addRow("no outputs") << 3 << 4 << 0 << 1;
    QTest::addRow("no inputs") << 3 << 0 << 4 << 1;
  }
  void linear_equals_reference() {
    QFETCH(int, rows);
    QFETCH(int, in);
    QFETCH(int, out);
    QFETCH(int, threads);
    if (test::backend() != nullptr && threads > 1) QSKIP("about the CPU's threads");
    Context context(threads, test::backend());
    Array w = Array::random(Shape{out, in}, 2);
    std::vector<BFloat16> w_bf16(w.data().size());
    std::transform(w.data().begin(), w.data().end(), w_bf16.begin(), to_bfloat16);
    const TensorView narrow(w_bf16.data(), DType::BF16, Shape{out, in});
    for (const DType type : {DType::F32, DType::BF16}) {
      for (const bool stored_narrow : {false, true}) {
        const PackedMatrix packed = PackedMatrix::pack(context, stored_narrow ? narrow : TensorView(w), type);
        QCOMPARE(packed.out(), out);
        QCOMPARE(packed.in(), in);
        QCOMPARE(packed.dtype(), product_type(type, test::backend()));
        for (const bool accumulate : {false, true}) {
          Array x = Array::padded(rows, in, 3, 1);
          Array y = Array::padded(rows, out, 5, 3);
          const auto want = product(x, w, true, 1.0, accumulate ? &y : nullptr);
          linear(context, x, packed, y, accumulate);
          QCOMPARE(difference(y, want, type == DType::F32 && !stored_narrow ? kF32 : kBf16), QString());
        }
      }
    }
  }

  void whole_panels_serve_both_directions_data() { linear_equals_reference_data(); }
  void whole_panels_serve_both_directions() {
    QFETCH(int, rows);
    QFETCH(int, in);
    QFETCH(int, out);
    QFETCH(int, threads);
    if (test::backend() != nullptr) QSKIP("only the CPU packs whole panels");
    Context context(threads);
    Array w = Array::random(Shape{out, in}, 2);
    for (const DType type : {DType::F32, DType::BF16}) {
      for (const bool transposed : {false, true}) {
        const PackedMatrix packed = PackedMatrix::pack_whole(w, transposed, type);
        QCOMPARE(packed.out(), transposed ? in : out);
        QCOMPARE(packed.in(), transposed ? out : in);
        Array x = Array::random(Shape{rows, packed.in()}, 1);
        Array y = Array::padded(rows, packed.out(), 5, 3);
        const auto want = product(x, w, !transposed, 1.0, nullptr);
        linear(context, x, packed, y);
        QCOMPARE(difference(y, want, type == DType::F32 ? kF32 : kBf16), QString());
        if (packed.dtype() != DType::BF16) continue;
        std::vector<BFloat16> narrowed(x.data().size());
        const TensorView x_bf16(narrowed.data(), DType::BF16, x.view().shape());
        narrow(context, x, x_bf16);
        Array again = Array::padded(rows, packed.out(), 5, 3);
        linear(context, x_bf16, packed, again);
        for (std::int64_t i = 0; i < rows; ++i)  // x may come narrowed: the same bits
          QVERIFY(std::equal(y.view().row(i), y.view().row(i) + packed.out(), again.view().row(i)));
      }
    }
  }

  void bf16_gradient_of_a_weight_data() { linear_equals_reference_data(); }
  void bf16_gradient_of_a_weight() {
    if (!bf16_products_supported()) QSKIP("this processor has no bf16 products");
    if (test::backend() != nullptr) QSKIP("only the CPU takes gradients in bf16");
    QFETCH(int, rows);
    QFETCH(int, in);
    QFETCH(int, out);
    QFETCH(int, threads);
    Context context(threads, test::backend());
    // Factors that bf16 holds exactly leave only the sums' rounding, which is f32's.
    const auto rounded = [](Array array) {
      for (float& value : array.data()) value = to_float(to_bfloat16(value));
      return array;
    };
    Array d_y = rounded(Array::padded(rows, out, 2, 1));
    Array d_y_transposed(Shape{out, rows});
    for (std::int64_t i = 0; i < rows; ++i)
      for (std::int64_t j = 0; j < out; ++j) d_y_transposed.view().row(j)[i] = d_y.view().row(i)[j];
    Array x = rounded(Array::random(Shape{rows, in}, 2));
    std::vector<BFloat16> narrowed(static_cast<std::size_t>(rows * (in + out)));
    const TensorView x_bf16(narrowed.data(), DType::BF16, Shape{rows, in});
    const TensorView d_y_bf16(narrowed.data() + rows * in, DType::BF16, Shape{rows, out});
    narrow(context, x, x_bf16);
    narrow(context, d_y, d_y_bf16);
    Array d_w = Array::random(Shape{out, in}, 3);
    const auto want = product(d_y_transposed, x, false, 1.0, &d_w);
    matmul_transposed(context, d_y_bf16, x_bf16, d_w, true);
    QCOMPARE(difference(d_w, want, kF32), QString());
  }

  void narrow_rounds_as_the_scalar_conversion() {
    if (test::backend() != nullptr) QSKIP("only the CPU narrows on its own");
    Array values = Array::random(Shape{1000}, 1, 1e3F);
    const float special[] = {0.0F,
                             -0.0F,
                             1.00390625F,
                             1.01171875F,
                             std::nanf(""),
                             -std::nanf(""),
                             std::numeric_limits<float>::infinity(),
                             std::numeric_limits<float>::max(),
                             1e-42F};
    std::copy(std::begin(special), std::end(special), values.data().begin());
    for (const std::int64_t count : {0, 1, 15, 17, 1000}) {
      std::vector<BFloat16> got(values.data().size());
      narrow(values.data().data(), got.data(), count);
      for (std::int64_t i = 0; i < count; ++i) {
        const auto at = static_cast<std::size_t>(i);
        QCOMPARE(got[at].bits, to_bfloat16(values.data()[at]).bits);
      }
    }
  }

  void matmul_equals_reference_data() {
    QTest::addColumn<int>("rows");
    QTest::addColumn<int>("inner");
    QTest::addColumn<int>("cols");
    for (const int rows : {0, 1, 31, 32, 257}) {
      for (const auto& [inner, cols] : {std::pair{1, 33}, {32, 257}, {257, 31}, {0, 5}, {64, 0}}) {
        QTest::addRow("[%d, %d] x [%d, %d]", rows, inner, inner, cols) << rows << inner << cols;
      }
    }
  }
  void matmul_equals_reference() {
    QFETCH(int, rows);
    QFETCH(int, inner);
    QFETCH(int, cols);
    for (const int threads : test::thread_counts()) {
      Context context(threads, test::backend());
      for (const bool transpose_b : {false, true}) {
        for (const bool accumulate : {false, true}) {
          Array a = Array::padded(rows, inner, 2, 1);
          Array b = Array::padded(transpose_b ? cols : inner, transpose_b ? inner : cols, 7, 2);
          Array c = Array::padded(rows, cols, 1, 3);
          if (test::backend() != nullptr && !transpose_b) continue;  // it has only what models need
          const float alpha = test::backend() == nullptr ? 0.25F : 1.0F;
          const auto want = product(a, b, transpose_b, static_cast<double>(alpha), accumulate ? &c : nullptr);
          matmul(context, a, b, transpose_b, c, alpha, accumulate);
          QCOMPARE(difference(c, want, kF32), QString());
        }
      }
    }
  }

  void linear_from_several_threads() {
    if (test::backend() != nullptr) QSKIP("about the CPU's threads");
    Context packing;
    Array w = Array::random(Shape{96, 64}, 2);
    const PackedMatrix packed = PackedMatrix::pack(packing, w, DType::F32);
    std::vector<QString> failures(4);
    std::vector<std::thread> threads;
    for (int id = 0; id < 4; ++id) {
      threads.emplace_back([&, id] {
        Context context(2, test::backend());
        for (int repeat = 0; repeat < 20; ++repeat) {
          Array x = Array::random(Shape{id * 20 + repeat + 1, 64}, static_cast<std::uint32_t>(id));
          Array y(Shape{id * 20 + repeat + 1, 96});
          const auto want = product(x, w, true, 1.0, nullptr);
          linear(context, x, packed, y);
          const QString failure = difference(y, want, kF32);
          if (!failure.isEmpty()) failures[static_cast<std::size_t>(id)] = failure;
        }
      });
    }
    for (auto& thread : threads) thread.join();
    for (const QString& failure : failures) QCOMPARE(failure, QString());
  }

  void nan_propagates() {
    Context context(1, test::backend());
    Array w = Array::random(Shape{33, 17}, 2);
    Array x = Array::random(Shape{2, 17}, 1);
    Array y(Shape{2, 33});
    x.view().row(1)[16] = std::nanf("");
    linear(context, x, PackedMatrix::pack(context, w, DType::F32), y);
    QVERIFY(!std::isnan(y.at(0, 32)));
    for (int j = 0; j < 33; ++j) QVERIFY(std::isnan(y.at(1, j)));
  }
};

QTEST_GUILESS_MAIN(TestMatmul)
#include "tst_matmul.moc"
