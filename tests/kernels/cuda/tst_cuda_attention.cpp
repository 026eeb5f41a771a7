// Attention against the CPU's ops: decoding with shared prefix, slots and grouped heads, and whole prompts.
#include <numeric>

#include <QTest>

#include "kernels/cuda/attention.h"
#include "tests/kernels/cuda/device_test.h"

using namespace tandem;
using test::Array;
using test::device_difference;
using test::reference;
using test::TestDevice;

namespace {

// Scores and sums of up to some hundred products on either side, in f32.
constexpr double kAttention = 5e-6;

std::vector<BFloat16> narrowed(Array& array) {
  std::vector<BFloat16> narrow;
  for (float& value : array.data()) {
    narrow.push_back(to_bfloat16(value));
    value = to_float(narrow.back());
  }
  return narrow;
}

}  // namespace

class TestCudaAttention : public QObject {
  Q_OBJECT
 private slots:
  void decode_data() {
    QTest::addColumn<int>("batch");
    QTest::addColumn<int>("nheads");
    QTest::addColumn<int>("nheads_kv");
    QTest::addColumn<int>("headdim");
    QTest::addColumn<int>("prefix");
    QTest::addColumn<int>("capacity");
    QTest::addColumn<bool>("bf16");
    QTest::newRow("one head") << 1 << 1 << 1 << 16 << 5 << 3 << false;
    QTest::newRow("many parts") << 1 << 4 << 1 << 64 << 200 << 190 << false;
    QTest::newRow("grouped") << 3 << 6 << 2 << 32 << 100 << 70 << false;
    QTest::newRow("large group") << 2 << 10 << 1 << 48 << 70 << 65 << false;
    QTest::newRow("tiles of rows") << 7 << 12 << 1 << 64 << 130 << 40 << false;
    QTest::newRow("tiles, wide heads") << 5 << 8 << 2 << 128 << 70 << 20 << false;
    QTest::newRow("tiles, widest heads") << 17 << 1 << 1 << 200 << 65 << 9 << false;
    QTest::newRow("widest heads") << 2 << 4 << 1 << 256 << 3 << 5 << false;
    QTest::newRow("no prefix") << 3 << 4 << 4 << 20 << 0 << 67 << false;
    QTest::newRow("no prefix, many rows") << 20 << 2 << 1 << 32 << 0 << 4 << false;
    QTest::newRow("bf16") << 3 << 6 << 2 << 64 << 100 << 70 << true;
    QTest::newRow("bf16, odd heads") << 2 << 3 << 3 << 36 << 10 << 70 << true;
    QTest::newRow("bf16, tiles") << 18 << 2 << 1 << 128 << 66 << 8 << true;
  }
  void decode() {
    QFETCH(int, batch);
    QFETCH(int, nheads);
    QFETCH(int, nheads_kv);
    QFETCH(int, headdim);
    QFETCH(int, prefix);
    QFETCH(int, capacity);
    QFETCH(bool, bf16);
    Array q = Array::padded(batch, nheads * headdim, 8, 1);
    Array prefix_keys = Array::random(Shape{nheads_kv, prefix, headdim}, 2);
    Array prefix_values = Array::random(Shape{nheads_kv, prefix, headdim}, 3);
    Array keys = Array::random(Shape{batch + 2, nheads_kv, capacity, headdim}, 4);
    Array values = Array::random(Shape{batch + 2, nheads_kv, capacity, headdim}, 5);
    std::vector<std::vector<BFloat16>> narrow;
    if (bf16) {
      for (Array* array : {&prefix_keys, &prefix_values, &keys, &values}) narrow.push_back(narrowed(*array));
    }
    std::vector<std::int32_t> ids(static_cast<std::size_t>(batch));
    std::iota(ids.rbegin(), ids.rend(), 1);
    std::vector<std::int32_t> positions;
    for (int b = 0; b < batch; ++b) positions.push_back(prefix + (b * 31 + capacity - 1) % capacity);
    Array want(Shape{batch, nheads * headdim});
    Context context;
    decode_attention(context, q, {prefix_keys, prefix_values}, {keys, values, ids, positions, prefix}, nheads,
                     nheads_kv, 0.3F, want);
    const auto run = [&](TestDevice& device) {
      const auto put = [&](Array& array, std::size_t i) {
        return bf16 ? device.put(TensorView(narrow[i].data(), DType::BF16, array.view().shape()))
                    : device.put(array);
      };
      const SharedPrefix shared = {put(prefix_keys, 0), put(prefix_values, 1)};
      const SlotCaches own = {put(keys, 2), put(values, 3), device.put_ids(ids), device.put_ids(positions),
                              prefix};
      const TensorView out = device.empty(want.view().shape());
      const TensorView scratch = device.empty(
          Shape{cuda::decode_attention_scratch(batch, nheads, nheads_kv, headdim, prefix, capacity)});
      cuda::decode_attention(device.stream(), device.put(q), shared, own, nheads, nheads_kv, 0.3F, scratch,
                             out);
      return device.get(out);
    };
    QCOMPARE(device_difference(run, reference(want), kAttention), QString());
  }

  void causal_data() {
    QTest::addColumn<int>("tokens");
    QTest::addColumn<int>("nheads");
    QTest::addColumn<int>("nheads_kv");
    QTest::addColumn<int>("headdim");
    QTest::newRow("one token") << 1 << 2 << 1 << 16;
    QTest::newRow("one tile") << 64 << 1 << 1 << 64;
    QTest::newRow("grouped") << 70 << 6 << 2 << 20;
    QTest::newRow("wide heads") << 129 << 2 << 2 << 128;
    QTest::newRow("widest heads") << 66 << 1 << 1 << 200;
    QTest::newRow("none") << 0 << 2 << 1 << 16;
  }
  void causal() {
    QFETCH(int, tokens);
    QFETCH(int, nheads);
    QFETCH(int, nheads_kv);
    QFETCH(int, headdim);
    Array q = Array::padded(tokens, nheads * headdim, 3, 1);
    Array k = Array::padded(tokens, nheads_kv * headdim, 5, 2);
    Array v = Array::padded(tokens, nheads_kv * headdim, 0, 3);
    Array want(Shape{tokens, nheads * headdim});
    Context context;
    causal_attention(context, q, k, v, nheads, nheads_kv, 0.3F, want);
    const auto run = [&](TestDevice& device) {
      const TensorView out = device.empty(want.view().shape());
      cuda::causal_attention(device.stream(), device.put(q), device.put(k), device.put(v), nheads, nheads_kv,
                             0.3F, out);
      return device.get(out);
    };
    QCOMPARE(device_difference(run, reference(want), kAttention), QString());
  }

  void matrix_data() { causal_data(); }
  void matrix() {
    QFETCH(int, tokens);
    QFETCH(int, nheads);
    QFETCH(int, nheads_kv);
    QFETCH(int, headdim);
    const std::vector<std::int64_t> heads(130, nheads - 1);  // more than one launch takes
    const std::span<const std::int64_t> list(heads.data(), tokens > 1 ? 1 : heads.size());
    Array q = Array::padded(tokens, nheads * headdim, 3, 1);
    Array k = Array::padded(tokens, nheads_kv * headdim, 5, 2);
    Array want(Shape{std::ssize(list), tokens, tokens});
    Context context;
    attention_matrix(context, q, k, nheads, nheads_kv, 0.3F, list, want);
    const auto run = [&](TestDevice& device) {
      const TensorView m = device.empty(want.view().shape());
      cuda::attention_matrix(device.stream(), device.put(q), device.put(k), nheads, nheads_kv, 0.3F, list, m);
      return device.get(m);
    };
    QCOMPARE(device_difference(run, reference(want), kAttention), QString());
  }
};

QTEST_APPLESS_MAIN(TestCudaAttention)
#include "tst_cuda_attention.moc"
