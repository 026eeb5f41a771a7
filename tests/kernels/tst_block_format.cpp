// Blocks of quantised numbers: the values of models.md A.4, each format against its formula, and the order of
// rows that belong to rotary pairs.
#include <cmath>
#include <numeric>
#include <vector>

#include <QTest>

#include "kernels/base/dtype.h"
#include "kernels/ops/block_format.h"

using namespace tandem;

namespace {

class Bytes {
 public:
  Bytes& half(float value) {
    const std::uint16_t bits = float_to_half(value);
    return byte(bits & 0xFF).byte(bits >> 8);
  }
  Bytes& byte(int value) {
    bytes_.push_back(static_cast<std::byte>(value));
    return *this;
  }
  /// `count` bytes (factor * i + offset) & 255
  Bytes& series(int count, int factor, int offset) {
    for (int i = 0; i < count; ++i) byte((factor * i + offset) & 255);
    return *this;
  }
  std::vector<float> values(BlockFormat format) const {
    const BlockLayout& layout = block_layout(format);
    const auto elements = static_cast<std::int64_t>(bytes_.size()) / layout.bytes * layout.elements;
    std::vector<float> values(static_cast<std::size_t>(elements));
    dequantize(format, bytes_.data(), elements, values.data());
    return values;
  }

 private:
  std::vector<std::byte> bytes_;
};

void compare(const std::vector<float>& values, const std::vector<std::pair<std::size_t, float>>& wanted,
             float sum) {
  for (const auto& [index, value] : wanted) QCOMPARE(values[index], value);
  QCOMPARE(std::accumulate(values.begin(), values.end(), 0.0F), sum);
}

}  // namespace

class TestBlockFormat : public QObject {
  Q_OBJECT

 private slots:
  void decodesKQuants() {
    Bytes q4;
    q4.half(1).half(0.5F).series(12, 37, 11).series(128, 13, 5);
    compare(q4.values(BlockFormat::Q4_K),
            {{0, 39.5F},
             {1, 6.5F},
             {31, 72.5F},
             {32, -2},
             {63, 430},
             {100, 747},
             {128, -2.5F},
             {200, 349.5F},
             {255, 121}},
            41192);
    Bytes q5;
    q5.half(1).half(0.5F).series(12, 37, 11).series(32, 29, 3).series(128, 13, 5);
    compare(q5.values(BlockFormat::Q5_K),
            {{0, 215.5F},
             {1, 6.5F},
             {31, 72.5F},
             {32, 766},
             {63, 1198},
             {100, 747},
             {128, -2.5F},
             {200, 813.5F},
             {255, 409}},
            90200);
    Bytes q6;
    q6.series(128, 11, 7).series(64, 23, 1).series(16, 1, -8).half(1);
    compare(q6.values(BlockFormat::Q6_K),
            {{0, 72}, {1, 240}, {31, -84}, {32, 150}, {63, -60}, {100, 14}, {128, 0}, {200, -60}, {255, 49}},
            488);
  }

  void decodesFiveBits() {
    Bytes block;
    block.half(0.5F).byte(0xE1).byte(0x37).byte(0x5C).byte(0x9A).series(16, 17, 3);
    compare(block.values(BlockFormat::Q5_0),
            {{0, 1.5F}, {1, -6}, {5, 4}, {15, -7}, {16, -8}, {17, -7.5F}, {31, 0}}, -6.5F);
    Bytes shifted;  // the same numbers, counted up from a least one
    shifted.half(0.5F).half(3).byte(0xE1).byte(0x37).byte(0x5C).byte(0x9A).series(16, 17, 3);
    const auto values = shifted.values(BlockFormat::Q5_1);
    const auto signed_values = block.values(BlockFormat::Q5_0);
    for (std::size_t i = 0; i < 32; ++i) QCOMPARE(values[i], signed_values[i] + 16 * 0.5F + 3);
  }

  void decodesNibblesAndBytes() {
    Bytes q4;
    q4.half(0.25F).series(16, 17, 3).half(-2).series(16, 5, 250);
    const auto signed_values = q4.values(BlockFormat::Q4_0);
    Bytes q41;
    q41.half(0.25F).half(1.5F).series(16, 17, 3);
    const auto values = q41.values(BlockFormat::Q4_1);
    for (int i = 0; i < 16; ++i) {
      const auto at = static_cast<std::size_t>(i);
      const int byte = (17 * i + 3) & 255;
      QCOMPARE(signed_values[at], 0.25F * static_cast<float>((byte & 15) - 8));
      QCOMPARE(signed_values[at + 16], 0.25F * static_cast<float>((byte >> 4) - 8));
      QCOMPARE(values[at], 0.25F * static_cast<float>(byte & 15) + 1.5F);
      QCOMPARE(values[at + 16], 0.25F * static_cast<float>(byte >> 4) + 1.5F);
      const int second = (5 * i + 250) & 255;
      QCOMPARE(signed_values[at + 32], -2 * static_cast<float>((second & 15) - 8));
    }
    Bytes q8;
    q8.half(0.125F).series(32, 9, -100);
    const auto bytes = q8.values(BlockFormat::Q8_0);
    for (int i = 0; i < 32; ++i)
      QCOMPARE(bytes[static_cast<std::size_t>(i)],
               0.125F * static_cast<float>(static_cast<std::int8_t>((9 * i - 100) & 255)));
  }

  void decodesFloats() {
    Bytes halves;
    halves.half(1.5F).half(-0.25F).half(65504);
    QCOMPARE(halves.values(BlockFormat::F16), (std::vector<float>{1.5F, -0.25F, 65504}));
    Bytes brains;
    brains.byte(0xC0).byte(0x3F).byte(0x00).byte(0xC0);
    QCOMPARE(brains.values(BlockFormat::BF16), (std::vector<float>{1.5F, -2}));
    Bytes singles;
    singles.byte(0).byte(0).byte(0xC0).byte(0x3F);
    QCOMPARE(singles.values(BlockFormat::F32), (std::vector<float>{1.5F}));
  }

  void findsScalesThatAreNoNumbers_data() {
    QTest::addColumn<int>("format");
    QTest::addColumn<int>("at");  // of the half that is broken
    QTest::addColumn<bool>("is_scale");
    const auto row = [](BlockFormat format, int at, bool is_scale) {
      QTest::addRow("%s at %d", block_layout(format).name, at) << static_cast<int>(format) << at << is_scale;
    };
    for (const BlockFormat format : {BlockFormat::Q4_0, BlockFormat::Q5_0, BlockFormat::Q8_0}) {
      row(format, 0, true);
      row(format, 2, false);
    }
    for (const BlockFormat format :
         {BlockFormat::Q4_1, BlockFormat::Q5_1, BlockFormat::Q4_K, BlockFormat::Q5_K}) {
      row(format, 0, true);
      row(format, 2, true);
      row(format, 4, false);
    }
    row(BlockFormat::Q6_K, 208, true);
    row(BlockFormat::Q6_K, 0, false);
  }

  void findsScalesThatAreNoNumbers() {
    QFETCH(int, format);
    QFETCH(int, at);
    QFETCH(bool, is_scale);
    const auto type = static_cast<BlockFormat>(format);
    const BlockLayout& layout = block_layout(type);
    std::vector<std::byte> blocks(static_cast<std::size_t>(3 * layout.bytes));
    QVERIFY(has_finite_scales(type, blocks.data(), 3 * layout.elements));
    for (const int high : {0x7C, 0xFC, 0x7E}) {  // infinities, NaN
      blocks[static_cast<std::size_t>(2 * layout.bytes + at + 1)] = static_cast<std::byte>(high);
      QCOMPARE(has_finite_scales(type, blocks.data(), 3 * layout.elements), !is_scale);
      QVERIFY(has_finite_scales(type, blocks.data(), 2 * layout.elements));
    }
  }

  void putsPairedRowsHalfAHeadApart() {
    BlockRows rows{BlockFormat::F32, 16, 1, nullptr, 8};
    const int stored[] = {0, 2, 4, 6, 1, 3, 5, 7};  // the inverse of models.md A.5
    for (int i = 0; i < 16; ++i) QCOMPARE(rows.row(i) - rows.data, 4 * (stored[i % 8] + i / 8 * 8));
    rows.paired_headdim = 0;
    QCOMPARE(rows.row(3) - rows.data, 12);
  }
};

QTEST_APPLESS_MAIN(TestBlockFormat)
#include "tst_block_format.moc"
