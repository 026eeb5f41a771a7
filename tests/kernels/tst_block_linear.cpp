// Products with quantised weights: one row against double-precision sums of the dequantised weights, batches
// through the packed copy, and rows of an embedding table.
#include <thread>

#include <QTest>

#include "kernels/ops/block_linear.h"
#include "kernels/ops/embedding.h"
#include "kernels/ops/matmul.h"
#include "tests/kernels/op_test.h"

using namespace tandem;
using test::Array;
using test::difference;

namespace {

constexpr BlockFormat kFormats[] = {BlockFormat::Q4_0, BlockFormat::Q4_1, BlockFormat::Q5_0,
                                    BlockFormat::Q5_1, BlockFormat::Q8_0, BlockFormat::Q4_K,
                                    BlockFormat::Q5_K, BlockFormat::Q6_K};

/// A weight of random blocks, and its values.
struct Weight {
  Weight(BlockFormat format, std::int64_t rows, std::int64_t columns, std::uint32_t seed,
         std::int64_t paired_headdim = 0)
      : stored{format, rows, columns, nullptr, paired_headdim},
        bytes(static_cast<std::size_t>(rows * stored.row_bytes())) {
    std::mt19937 generator(seed);
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(generator());
    const auto block = static_cast<std::size_t>(block_layout(format).bytes);
    const bool scale_last = format == BlockFormat::Q6_K;
    for (std::size_t at = 0; at < bytes.size(); at += block) {
      bound_half(at + (scale_last ? block - 2 : 0));
      if (!scale_last) bound_half(at + 2);  // the least value, or two harmless weights
    }
    stored.data = bytes.data();
    for (std::int64_t i = 0; i < rows; ++i) {
      values.emplace_back(static_cast<std::size_t>(columns));
      dequantize(format, stored.row(i), columns, values.back().data());
    }
  }

  /// Makes the half at `at` one between 1/128 and 1/4, of either sign.
  void bound_half(std::size_t at) { bytes[at + 1] = (bytes[at + 1] & std::byte{0x93}) | std::byte{0x20}; }

  BlockRows stored;
  std::vector<std::byte> bytes;
  std::vector<std::vector<float>> values;
};

/// base + x W^T
std::vector<double> product(Array& x, const std::vector<const Weight*>& parts, Array* base) {
  std::vector<double> result;
  for (std::int64_t i = 0; i < x.view().extent(0); ++i) {
    for (const Weight* part : parts) {
      for (const std::vector<float>& row : part->values) {
        double sum = 0;
        for (std::size_t j = 0; j < row.size(); ++j)
          sum += x.at(i, static_cast<std::int64_t>(j)) * static_cast<double>(row[j]);
        result.push_back(sum);
      }
    }
  }
  for (std::size_t i = 0; base != nullptr && i < result.size(); ++i)
    result[i] += static_cast<double>(base->data()[i]);
  return result;
}

// f32 sums of up to a few thousand terms.
constexpr double kF32 = 1e-5;
// Both factors rounded to eight bits of mantissa.
constexpr double kBf16 = 8e-3;

}  // namespace

class TestBlockLinear : public QObject {
  Q_OBJECT

 private slots:
  void multipliesOneRow_data() {
    QTest::addColumn<int>("format");
    QTest::addColumn<int>("rows");
    QTest::addColumn<int>("blocks");
    QTest::addColumn<int>("threads");
    for (const BlockFormat format : kFormats)
      for (const auto& [rows, blocks] : {std::pair{1, 1}, {3, 2}, {33, 3}, {900, 7}})
        for (const int threads : {1, 3})
          QTest::addRow("%s, %d rows of %d blocks, %d threads", block_layout(format).name, rows, blocks,
                        threads)
              << static_cast<int>(format) << rows << blocks << threads;
  }

  void multipliesOneRow() {
    QFETCH(int, format);
    QFETCH(int, rows);
    QFETCH(int, blocks);
    QFETCH(int, threads);
    const auto type = static_cast<BlockFormat>(format);
    const std::int64_t columns = blocks * block_layout(type).elements;
    const Weight weight(type, rows, columns, 7);
    Array x = Array::random({1, columns}, 3);
    Array y = Array::random({1, rows}, 5);
    Array before = y;
    Context context(threads);
    block_linear(context, x, {&weight.stored, 1}, y, true);
    QCOMPARE(difference(y, product(x, {&weight}, &before), kF32), QString());
    block_linear(context, x, {&weight.stored, 1}, y);
    QCOMPARE(difference(y, product(x, {&weight}, nullptr), kF32), QString());
  }

  void stacksPartsOfDifferentFormats() {
    const Weight queries(BlockFormat::Q4_K, 16, 512, 1, 8);  // rows of rotary pairs
    const Weight keys(BlockFormat::Q6_K, 5, 512, 2);
    const Weight values(BlockFormat::Q8_0, 7, 512, 3);
    const std::vector<const Weight*> parts = {&queries, &keys, &values};
    for (const DType type : {DType::F32, DType::BF16}) {
      Context context(2);
      const PackedMatrix matrix =
          PackedMatrix::keep(context, {queries.stored, keys.stored, values.stored}, type);
      QCOMPARE(matrix.out(), 28);
      QCOMPARE(matrix.in(), 512);
      QCOMPARE(matrix.single_bytes(), 16 * 288 + 5 * 420 + 7 * 544);
      QCOMPARE(matrix.bytes(), 28 * 512 * element_bytes(matrix.dtype()));
      const bool narrowed = matrix.dtype() == DType::BF16;
      QCOMPARE(narrowed, type == DType::BF16 && bf16_products_supported());
      for (const int rows : {3, 1, 9, 1}) {
        Array x = Array::random({rows, 512}, 11);
        Array y(Shape{rows, 28});
        linear(context, x, matrix, y);
        QCOMPARE(difference(y, product(x, parts, nullptr), narrowed && rows > 1 ? kBf16 : kF32), QString());
      }
    }
  }

  void isPackedOnceByWhateverThreadComesFirst() {
    const Weight weight(BlockFormat::Q5_1, 200, 1024, 9);
    Context packing;
    const PackedMatrix matrix = PackedMatrix::keep(packing, {weight.stored}, DType::F32);
    Array x = Array::random({2, 1024}, 4);
    const std::vector<double> wanted = product(x, {&weight}, nullptr);
    std::vector<Array> results(4, Array(Shape{2, 200}));
    {
      std::vector<std::jthread> threads;
      for (Array& y : results)
        threads.emplace_back([&] {
          Context context(1);
          linear(context, x, matrix, y);
        });
    }
    for (Array& y : results) QCOMPARE(difference(y, wanted, kF32), QString());
  }

  void looksUpRows() {
    const Weight table(BlockFormat::Q4_0, 40, 64, 6);
    Context context(2);
    const std::vector<std::int32_t> ids = {39, 0, 7, 7};
    Array x(Shape{4, 64});
    embedding(context, table.stored, ids, x);
    for (std::size_t t = 0; t < ids.size(); ++t)
      for (std::size_t c = 0; c < 64; ++c)
        QCOMPARE(x.view().row(static_cast<std::int64_t>(t))[c],
                 table.values[static_cast<std::size_t>(ids[t])][c]);
  }
};

QTEST_APPLESS_MAIN(TestBlockLinear)
#include "tst_block_linear.moc"
