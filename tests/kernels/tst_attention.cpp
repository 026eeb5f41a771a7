// Attention: whole sequences, decoding and matrices against a double-precision softmax, and against each
// other.
#include <QTest>

#include "kernels/ops/attention.h"
#include "tests/kernels/op_test.h"

using namespace tandem;
using test::Array;
using test::difference;

namespace {

// A softmax over some hundred f32 scores of magnitude up to 5: its exponentials carry 2^-24 * 5 each.
constexpr double kSoftmax = 5e-6;

struct Case {
  std::int64_t rows, nheads, nheads_kv, dim;
  float scale() const { return 1.0F / std::sqrt(static_cast<float>(dim)); }
};

std::vector<double> probabilities(Array& q, Array& k, const Case& c, std::int64_t head, std::int64_t row) {
  const std::int64_t kv = head / (c.nheads / c.nheads_kv);
  std::vector<double> p;
  double sum = 0;
  for (std::int64_t j = 0; j <= row; ++j) {
    double score = 0;
    for (std::int64_t x = 0; x < c.dim; ++x) score += q.at(row, head * c.dim + x) * k.at(j, kv * c.dim + x);
    p.push_back(std::exp(score * static_cast<double>(c.scale())));
    sum += p.back();
  }
  for (double& value : p) value /= sum;
  return p;
}

// Output row of all heads.
std::vector<double> attended(Array& q, Array& k, Array& v, const Case& c, std::int64_t row) {
  std::vector<double> out;
  for (std::int64_t h = 0; h < c.nheads; ++h) {
    const auto p = probabilities(q, k, c, h, row);
    for (std::int64_t x = 0; x < c.dim; ++x) {
      double sum = 0;
      for (std::int64_t j = 0; j <= row; ++j) {
        sum += p[static_cast<std::size_t>(j)] * v.at(j, h / (c.nheads / c.nheads_kv) * c.dim + x);
      }
      out.push_back(sum);
    }
  }
  return out;
}

// The rows of k [T, K*D] as a cache [K, T, D].
Array cache(Array& k, const Case& c) {
  const std::int64_t rows = k.view().extent(0);
  Array result(Shape{c.nheads_kv, rows, c.dim}, std::nanf(""));
  Context context;
  append_heads(context, k, {}, {}, 0, result.view().reshape({1, c.nheads_kv, rows, c.dim}));
  return result;
}

// Values that bf16 holds as they are.
Array rounded(Array array) {
  for (float& value : array.data()) value = to_float(to_bfloat16(value));
  return array;
}
std::vector<BFloat16> narrowed(Array& array) {
  std::vector<BFloat16> narrow;
  for (const float value : array.data()) narrow.push_back(to_bfloat16(value));
  return narrow;
}

#define SKIP_HEADS_UNKNOWN_TO_A_GPU(dim) \
  if (test::backend() != nullptr && (dim) % 4 != 0) QSKIP("a GPU's heads are multiples of 4 numbers wide")

}  // namespace

class TestAttention : public QObject {
  Q_OBJECT
 private slots:
  void initTestCase_data() { test::backend_rows(); }
  void init() { test::enter_backend(); }

  void causal_data() {
    QTest::addColumn<int>("rows");
    QTest::addColumn<int>("nheads");
    QTest::addColumn<int>("nheads_kv");
    QTest::addColumn<int>("dim");
    for (const int rows : {0, 1, 31, 32, 33, 65, 257}) {
      QTest::addRow("%d rows, 4/2 heads of 32", rows) << rows << 4 << 2 << 32;
      QTest::addRow("%d rows, 3/1 heads of 5", rows) << rows << 3 << 1 << 5;
    }
    QTest::addRow("heads of 128") << 33 << 3 << 3 << 128;
    QTest::addRow("heads of 1") << 70 << 1 << 1 << 1;
    QTest::newRow("one tile") << 64 << 1 << 1 << 64;
    QTest::newRow("grouped") << 70 << 6 << 2 << 20;
    QTest::newRow("several tiles of wide heads") << 129 << 2 << 2 << 128;
    QTest::newRow("widest heads") << 66 << 1 << 1 << 200;
  }
  void causal() {
    QFETCH(int, rows);
    QFETCH(int, nheads);
    QFETCH(int, nheads_kv);
    QFETCH(int, dim);
    SKIP_HEADS_UNKNOWN_TO_A_GPU(dim);
    const Case c{rows, nheads, nheads_kv, dim};
    for (const int threads : test::thread_counts()) {
      Context context(threads, test::backend());
      Array q = Array::padded(rows, nheads * dim, 3, 1, 2.0F);
      Array k = Array::padded(rows, nheads_kv * dim, 5, 2);
      Array v = Array::padded(rows, nheads_kv * dim, 7, 3);
      Array out = Array::padded(rows, nheads * dim, 1, 4);
      causal_attention(context, q, k, v, nheads, nheads_kv, c.scale(), out);
      std::vector<double> want_out;
      for (std::int64_t i = 0; i < rows; ++i) {
        const auto row = attended(q, k, v, c, i);
        want_out.insert(want_out.end(), row.begin(), row.end());
      }
      QCOMPARE(difference(out, want_out, kSoftmax), QString());

      const std::vector<std::int64_t> heads = {nheads - 1, 0};
      Array m(Shape{2, rows, rows}, std::nanf(""));
      attention_matrix(context, q, k, nheads, nheads_kv, c.scale(), heads, m);
      std::vector<double> want;
      for (const std::int64_t head : heads) {
        for (std::int64_t i = 0; i < rows; ++i) {
          const auto p = probabilities(q, k, c, head, i);
          want.insert(want.end(), p.begin(), p.end());
          want.resize(want.size() + static_cast<std::size_t>(rows - 1 - i));
        }
      }
      QCOMPARE(difference(m, want, kSoftmax), QString());
    }
  }

  void matrices_of_more_heads_than_one_launch_takes() {
    if (test::aligned_rows) QSKIP("rows are as they are");
    Context context(2, test::backend());
    Array q = Array::random(Shape{2, 8}, 1);
    Array k = Array::random(Shape{2, 4}, 2);
    std::vector<std::int64_t> heads(131, 1);
    heads.back() = 0;
    Array m(Shape{131, 2, 2}, std::nanf(""));
    const Case c{2, 2, 1, 4};
    attention_matrix(context, q, k, 2, 1, c.scale(), heads, m);
    std::vector<double> want;
    for (const std::int64_t head : heads) {
      const auto p = probabilities(q, k, c, head, 1);
      want.insert(want.end(), {1, 0, p[0], p[1]});
    }
    QCOMPARE(difference(m, want, kSoftmax), QString());
  }

  void heads_are_appended_data() {
    QTest::addColumn<int>("dim");
    for (const int dim : {1, 6, 16, 100}) QTest::addRow("%d", dim) << dim;
  }
  void heads_are_appended() {
    QFETCH(int, dim);
    Context context(2, test::backend());
    const std::vector<std::int32_t> slot_ids = {4, 0, 2}, positions = {9, 7, 8};
    Array x = Array::padded(3, 3L * dim, 4, 1);
    const Array before = Array::random(Shape{5, 3, 4, dim}, 2);
    for (const bool prompt : {false, true}) {  // rows of one sequence, or of several at places of their own
      Array got = before;
      Array want = before;
      std::vector<BFloat16> narrow = narrowed(want);
      const TensorView narrow_cache(narrow.data(), DType::BF16, want.view().shape());
      const auto ids = [&](const std::vector<std::int32_t>& of) {
        return prompt ? std::span<const std::int32_t>() : std::span(of);
      };
      const std::int64_t first = prompt ? 0 : 7;
      append_heads(context, x, ids(slot_ids), ids(positions), first, got);
      for (std::int64_t t = 0; t < 3; ++t) {
        const auto row = static_cast<std::size_t>(t);
        const std::int64_t slot = prompt ? 0 : slot_ids[row], entry = prompt ? t : positions[row] - first;
        for (std::int64_t head = 0; head < 3; ++head)
          std::copy_n(x.view().row(t) + head * dim, dim, want.view().row(slot) + (head * 4 + entry) * dim);
      }
      QCOMPARE(got.data(), want.data());
      if (test::backend() == nullptr) continue;  // where caches may be bf16
      append_heads(context, x, ids(slot_ids), ids(positions), first, narrow_cache);
      const std::vector<BFloat16> want_narrow = narrowed(want);
      for (std::size_t i = 0; i < narrow.size(); ++i) QCOMPARE(narrow[i].bits, want_narrow[i].bits);
    }
  }

  void nan_stays_nan_in_a_bf16_cache() {
    if (test::backend() == nullptr) QSKIP("the CPU's caches are f32");
    Context context(1, test::backend());
    Array x = Array::random(Shape{1, 8}, 1);
    x.data()[3] = std::nanf("");
    std::vector<BFloat16> cached(8);
    append_heads(context, x, {}, {}, 0, TensorView(cached.data(), DType::BF16, Shape{1, 2, 1, 4}));
    for (std::size_t i = 0; i < 8; ++i) QCOMPARE(std::isnan(to_float(cached[i])), i == 3);
  }

  // B completions of one prompt, each with its own suffix; each one's last row must be that of causal
  // attention over (prompt, suffix), wherever the line between shared and private lies.
  void decode_data() {
    QTest::addColumn<int>("batch");
    QTest::addColumn<int>("prompt");
    QTest::addColumn<int>("nheads");
    QTest::addColumn<int>("nheads_kv");
    QTest::addColumn<int>("dim");
    for (const int batch : {0, 1, 2, 7, 64}) {
      for (const int prompt : {0, 1, 33, 257}) {
        QTest::addRow("batch %d, prompt %d, 4/2 heads of 32", batch, prompt)
            << batch << prompt << 4 << 2 << 32;
      }
    }
    QTest::addRow("three to one, odd width") << 33 << 65 << 3 << 1 << 5;
    QTest::addRow("one to one, wide") << 5 << 31 << 2 << 2 << 128;
    QTest::addRow("eight to one") << 9 << 40 << 8 << 1 << 64;
    QTest::newRow("one row, many keys") << 1 << 900 << 4 << 1 << 64;
    QTest::newRow("large group") << 2 << 70 << 10 << 1 << 48;
    QTest::newRow("tiles of rows") << 3 << 130 << 12 << 1 << 64;
    QTest::newRow("tiles, wide heads") << 5 << 70 << 8 << 2 << 128;
    QTest::newRow("tiles, widest heads") << 5 << 65 << 4 << 1 << 200;
    QTest::newRow("widest heads") << 2 << 3 << 4 << 1 << 256;
    QTest::newRow("odd heads") << 2 << 10 << 3 << 3 << 36;
    QTest::newRow("no prompt, many rows") << 17 << 0 << 2 << 1 << 32;
  }
  void decode() {
    QFETCH(int, batch);
    QFETCH(int, prompt);
    QFETCH(int, nheads);
    QFETCH(int, nheads_kv);
    QFETCH(int, dim);
    SKIP_HEADS_UNKNOWN_TO_A_GPU(dim);
    if (test::emulated() && batch * (prompt + 10) > 500) QSKIP("takes long emulated");
    if (test::aligned_rows) QSKIP("q is aligned anyway");
    Case c{0, nheads, nheads_kv, dim};
    Array prompt_k = rounded(Array::random(Shape{prompt, nheads_kv * dim}, 1));
    Array prompt_v = rounded(Array::random(Shape{prompt, nheads_kv * dim}, 2));
    Array prefix_k = cache(prompt_k, c);
    Array prefix_v = cache(prompt_v, c);
    Array q = Array::padded(batch, nheads * dim, 4, 3, 2.0F);  // rows at multiples of 16 bytes
    // Slots in an order of their own, with their own tokens only, and with the prompt as well.
    constexpr int kOwn = 70;
    const Shape slots_shape = {batch, nheads_kv, kOwn, dim};
    const Shape private_shape = {batch, nheads_kv, prompt + kOwn, dim};
    const float unset = std::nanf("");
    Array keys(slots_shape, unset), values(slots_shape, unset);
    Array private_keys(private_shape, unset), private_values(private_shape, unset);
    std::vector<std::int32_t> slot_ids, positions;
    Context one;
    std::vector<double> want;
    for (int b = 0; b < batch; ++b) {
      slot_ids.push_back(batch - 1 - b);
      positions.push_back(prompt + b * 13 % kOwn);
      c.rows = positions.back() + 1;
      Array k = rounded(Array::random(Shape{c.rows, nheads_kv * dim}, 100U + static_cast<std::uint32_t>(b)));
      Array v = rounded(Array::random(Shape{c.rows, nheads_kv * dim}, 200U + static_cast<std::uint32_t>(b)));
      std::copy(prompt_k.data().begin(), prompt_k.data().end(), k.data().begin());
      std::copy(prompt_v.data().begin(), prompt_v.data().end(), v.data().begin());
      for (std::int64_t t = 0; t < c.rows; ++t) {
        const std::vector<std::int32_t> slot = {slot_ids.back()}, at = {static_cast<std::int32_t>(t)};
        append_heads(one, k.view().rows(t, 1), slot, at, 0, private_keys);
        append_heads(one, v.view().rows(t, 1), slot, at, 0, private_values);
        if (t < prompt) continue;
        append_heads(one, k.view().rows(t, 1), slot, at, prompt, keys);
        append_heads(one, v.view().rows(t, 1), slot, at, prompt, values);
      }
      Array rows(Shape{c.rows, nheads * dim});
      std::copy_n(q.view().row(b), nheads * dim, rows.view().row(c.rows - 1));
      const auto last = attended(rows, k, v, c, c.rows - 1);
      want.insert(want.end(), last.begin(), last.end());
    }
    for (const int threads : test::thread_counts()) {
      Context context(threads, test::backend());
      Array out = Array::padded(batch, nheads * dim, 1, 4);
      decode_attention(context, q, {prefix_k, prefix_v}, {keys, values, slot_ids, positions, prompt}, nheads,
                       nheads_kv, c.scale(), out);
      QCOMPARE(difference(out, want, kSoftmax), QString());
      out = Array::padded(batch, nheads * dim, 1, 5);
      decode_attention(context, q, {}, {private_keys, private_values, slot_ids, positions, 0}, nheads,
                       nheads_kv, c.scale(), out);
      QCOMPARE(difference(out, want, kSoftmax), QString());
      if (test::backend() == nullptr) continue;  // where caches may be bf16
      std::vector<std::vector<BFloat16>> narrow;
      const auto bf16 = [&](Array& array) {
        narrow.push_back(narrowed(array));
        return TensorView(narrow.back().data(), DType::BF16, array.view().shape());
      };
      out = Array::padded(batch, nheads * dim, 1, 6);
      const SharedPrefix prefix = {bf16(prefix_k), bf16(prefix_v)};
      decode_attention(context, q, prefix, {bf16(keys), bf16(values), slot_ids, positions, prompt}, nheads,
                       nheads_kv, c.scale(), out);
      QCOMPARE(difference(out, want, kSoftmax), QString());
    }
  }

  void large_scores_do_not_overflow() {
    Context context(1, test::backend());
    Array q = Array::random(Shape{64, 4}, 1, 100.0F);
    Array k = Array::random(Shape{64, 4}, 2, 100.0F);
    Array v = Array::random(Shape{64, 4}, 3);
    Array out(Shape{64, 4});
    causal_attention(context, q, k, v, 1, 1, 1.0F, out);
    for (const float value : out.data()) QVERIFY(std::isfinite(value));
  }

  void nan_propagates() {
    Context context(1, test::backend());
    Array q = Array::random(Shape{2, 8}, 1);
    Array k = Array::random(Shape{2, 8}, 2);
    Array v = Array::random(Shape{2, 8}, 3);
    Array out(Shape{2, 8});
    k.view().row(1)[3] = std::nanf("");
    causal_attention(context, q, k, v, 1, 1, 1.0F, out);
    for (int x = 0; x < 8; ++x) QVERIFY(!std::isnan(out.at(0, x)) && std::isnan(out.at(1, x)));
    const std::vector<std::int32_t> slot_ids = {0}, positions = {1};
    const SlotCaches own = {k.view().reshape({1, 1, 2, 8}), v.view().reshape({1, 1, 2, 8}), slot_ids,
                            positions, 0};
    Array one(Shape{1, 8});
    decode_attention(context, q.view().rows(0, 1), {}, own, 1, 1, 1.0F, one);
    for (const float value : one.data()) QVERIFY(std::isnan(value));
  }
};

QTEST_GUILESS_MAIN(TestAttention)
#include "tst_attention.moc"
