// What decode steps on a device have of their own: states in bf16, replayed state writes, keys rotated on
// their way into the cache, sums added and normed at once, the table of slots.
#include <QTest>

#include "kernels/cuda/copy.h"
#include "kernels/cuda/norm.h"
#include "kernels/cuda/rope.h"
#include "kernels/cuda/sampling.h"
#include "kernels/cuda/selective_scan.h"
#include "kernels/cuda/slots.h"
#include "kernels/cuda/ssm_step.h"
#include "kernels/ops/norm.h"
#include "kernels/ops/rope.h"
#include "kernels/ops/sampling.h"
#include "kernels/ops/selective_scan.h"
#include "kernels/ops/slots.h"
#include "tests/kernels/cuda/device_test.h"

using namespace tandem;
using test::Array;
using test::device_difference;
using test::reference;
using test::TestDevice;
using test::together;

namespace {

constexpr double kClose = 5e-6;   // some hundred products summed in f32 on either side
constexpr double kReplay = 2e-5;  // and decays multiplied in another order
constexpr double kBf16 =
    4e-3;  // half of the spacing of bf16 next to 1: a value at a boundary may go either way

/// Rounded to bf16.
void narrow(std::vector<float>& values) {
  for (float& value : values) value = to_float(to_bfloat16(value));
}

std::vector<BFloat16> narrowed(std::vector<float>& values) {
  std::vector<BFloat16> result;
  for (const float value : values) result.push_back(to_bfloat16(value));
  return result;
}

std::vector<float> widened(TestDevice& device, TensorView view) {
  std::vector<BFloat16> narrow(static_cast<std::size_t>(view.elements()));
  cuda::copy_to_host(device.stream(), narrow.data(), view.data(),
                     view.elements() * element_bytes(DType::BF16));
  device.stream().synchronize();
  std::vector<float> values;
  for (const BFloat16 value : narrow) values.push_back(to_float(value));
  return values;
}

/// Decode steps of a Mamba-2 mixer whose slots join one after the other, so that rings are at different
/// places.
class Decoding {
 public:
  static constexpr std::int64_t kSlots = 4;
  static constexpr std::int32_t kFirst = 7;  // position of every slot's first token
  static constexpr int kTokens = 11;

  Decoding(std::int64_t nheads, std::int64_t headdim, std::int64_t dstate, std::int64_t shared,
           std::int64_t taps, bool stepped)
      : nheads_(nheads),
        headdim_(headdim),
        dstate_(dstate),
        shared_(shared),
        stepped_(stepped),
        columns_((nheads * headdim + nheads * dstate) / shared + nheads * dstate),
        weight_(Array::random(Shape{columns_, taps}, 2)),
        dt_bias_(Array::random(Shape{nheads}, 5)),
        a_log_(Array::random(Shape{nheads}, 6)),
        skip_(Array::random(Shape{nheads}, 7)),
        windows_(Array::random(Shape{kSlots, (taps - 1) * columns_}, 10)),
        states_(Array::random(Shape{kSlots, nheads * headdim * dstate}, 11)) {
    for (int t = 0; t < kTokens; ++t) {
      inputs_.push_back(Array::padded(kSlots, columns_, 4, 100 + t));
      decays_.push_back(Array::padded(kSlots, nheads, 2, 200 + t));
    }
  }

  /// Slot s joins at token 2 s; those with whole rings at the end come first.
  static std::vector<std::int32_t> slots_at(int token) {
    std::vector<std::int32_t> ids;
    for (std::int32_t s = 0; s < kSlots; ++s)
      if (token >= 2 * s) ids.push_back(kSlots - 1 - s);
    return ids;
  }
  static std::vector<std::int32_t> positions_at(int token) {
    std::vector<std::int32_t> positions;
    for (const std::int32_t slot : slots_at(token))
      positions.push_back(kFirst + token - 2 * static_cast<std::int32_t>(kSlots - 1 - slot));
    return positions;
  }

  /// Outputs of all steps, then the windows; states rounded after every step if `bf16`.
  std::vector<double> on_cpu(bool bf16) {
    Array windows = windows_;
    Array states = states_;
    if (bf16) narrow(states.data());
    std::vector<double> all;
    for (int t = 0; t < kTokens; ++t) {
      const auto ids = slots_at(t);
      Array y(Shape{std::ssize(ids), nheads_ * headdim_});
      Context context;
      tandem::ssm_step(context, step(t, [](Array& array) { return array.view(); }), windows, states, ids,
                       y);
      if (bf16) narrow(states.data());
      append(all, reference(y));
    }
    append(all, reference(windows));
    return all;
  }

  std::vector<float> on_device(TestDevice& device, std::int64_t ring, bool bf16) {
    const TensorView windows = device.put(windows_);
    std::vector<BFloat16> narrow_states = narrowed(states_.data());
    const TensorView states =
        bf16 ? device.put(TensorView(narrow_states.data(), DType::BF16, states_.view().shape()))
             : device.put(states_);
    const std::int64_t kept_width = (nheads_ * headdim_ + nheads_ * dstate_) / shared_;
    const TensorView inputs = device.empty(Shape{kSlots, (ring - 1) * kept_width});
    const TensorView decays = device.empty(Shape{kSlots, (ring - 1) * 2 * nheads_});
    std::vector<float> all;
    for (int t = 0; t < kTokens; ++t) {
      const auto ids = slots_at(t);
      const TensorView y = device.empty(Shape{std::ssize(ids), nheads_ * headdim_});
      SsmStep now = step(t, [&](Array& array) { return device.put(array); });
      if (ring > 1) now.ring = {inputs, decays, device.put_ids(positions_at(t)), kFirst, ring};
      cuda::ssm_step(device.stream(), now, windows, states, device.put_ids(ids), y);
      append(all, device.get(y));
    }
    append(all, device.get(windows));
    return all;
  }

 private:
  template <typename Value>
  static void append(std::vector<Value>& all, const std::vector<Value>& more) {
    all.insert(all.end(), more.begin(), more.end());
  }
  template <typename Put>
  SsmStep step(int token, const Put& put) {
    const auto rows = std::ssize(slots_at(token));
    const auto at = static_cast<std::size_t>(token);
    SsmStep step;
    step.heads = {nheads_, headdim_, dstate_, nheads_ / shared_, nheads_ / shared_, nheads_, {}, {},
                  {},      {},       {},      put(skip_)};
    step.input = put(inputs_[at]).rows(0, rows);
    step.conv_weight = put(weight_);
    step.decay = put(decays_[at]).rows(0, rows);
    if (stepped_) {
      step.dt_bias = put(dt_bias_);
      step.a_log = put(a_log_);
    }
    return step;
  }

  std::int64_t nheads_, headdim_, dstate_, shared_;
  bool stepped_;
  std::int64_t columns_;
  Array weight_, dt_bias_, a_log_, skip_, windows_, states_;
  std::vector<Array> inputs_, decays_;
};

}  // namespace

class TestCudaDecode : public QObject {
  Q_OBJECT
 private slots:
  void initTestCase() {
    if (test::cuda_device() == nullptr) QSKIP("there is no GPU");
  }

  void states_data() {
    QTest::addColumn<int>("ring");
    QTest::addColumn<bool>("bf16");
    QTest::newRow("every step, bf16") << 1 << true;
    QTest::newRow("every 2nd") << 2 << false;
    QTest::newRow("every 4th") << 4 << false;
    QTest::newRow("every 16th") << 16 << false;
  }
  void states() {
    QFETCH(int, ring);
    QFETCH(bool, bf16);
    struct Sizes {
      std::int64_t nheads, headdim, dstate, shared, taps;
      bool stepped;
    };
    for (const Sizes& s :
         {Sizes{2, 64, 64, 1, 4, false}, Sizes{4, 8, 16, 2, 4, true}, Sizes{3, 5, 7, 3, 3, true},
          Sizes{1, 70, 132, 1, 4, false}, Sizes{2, 8, 256, 1, 2, true}}) {
      Decoding decoding(s.nheads, s.headdim, s.dstate, s.shared, s.taps, s.stepped);
      const auto run = [&](TestDevice& device) { return decoding.on_device(device, ring, bf16); };
      QCOMPARE(device_difference(run, decoding.on_cpu(bf16), bf16 ? kBf16 : kReplay), QString());
    }
  }
  /// Rounded at each write alone, replayed states in bf16 stay closer to those in f32.
  void replayed_bf16_is_closer() {
    Decoding decoding(2, 16, 32, 1, 4, false);
    const std::vector<double> want = decoding.on_cpu(false);
    const auto error = [&](std::int64_t ring) {
      TestDevice device;
      const std::vector<float> got = decoding.on_device(device, ring, true);
      double sum = 0;
      for (std::size_t i = 0; i < got.size(); ++i) sum += std::pow(static_cast<double>(got[i]) - want[i], 2);
      return std::sqrt(sum);
    };
    const double every = error(1);
    const double replayed = error(8);
    QVERIFY(every > 0);
    QVERIFY2(replayed < every, qPrintable(QString("%1 and %2").arg(replayed).arg(every)));
  }

  void selective_states_in_bf16() {
    constexpr std::int64_t kChannels = 12;
    constexpr std::int64_t kState = 16;
    const std::vector<std::int32_t> ids = {2, 0};
    Array x = Array::random(Shape{2, kChannels}, 1);
    Array delta = Array::random(Shape{2, kChannels}, 2);
    for (float& value : delta.data()) value = std::abs(value);
    Array b = Array::random(Shape{2, kState}, 3);
    Array c = Array::random(Shape{2, kState}, 4);
    Array a = Array::random(Shape{kChannels, kState}, 5);
    for (float& value : a.data()) value = -std::abs(value);
    Array skip = Array::random(Shape{kChannels}, 6);
    Array states = Array::random(Shape{3, kChannels * kState}, 7);
    narrow(states.data());
    const auto operands = [&](const auto& put) {
      SelectiveOperands o = {kChannels, kState, 1, 1, put(x), put(delta), put(b), put(c), put(a), put(skip)};
      return o;
    };
    std::vector<BFloat16> start = narrowed(states.data());
    const auto run = [&](TestDevice& device) {
      const TensorView end = device.put(TensorView(start.data(), DType::BF16, states.view().shape()));
      const TensorView y = device.empty(x.view().shape());
      cuda::selective_step(device.stream(), operands([&](Array& array) { return device.put(array); }), end,
                           device.put_ids(ids), y);
      std::vector<float> all = device.get(y);
      const std::vector<float> after = widened(device, end);
      all.insert(all.end(), after.begin(), after.end());
      return all;
    };
    Array y(x.view().shape());
    Context context;
    tandem::selective_step(context, operands([](Array& array) { return array.view(); }), states, ids, y);
    narrow(states.data());
    QCOMPARE(device_difference(run, together({y.view(), states.view()}), kBf16), QString());
  }

  void copies_in_bf16() {
    for (const std::int64_t width : {8, 7}) {
      Array x = Array::random(Shape{3, width}, 1);
      const auto run = [&](TestDevice& device) {
        const TensorView once = device.empty_bf16(x.view().shape());
        const TensorView twice = device.empty_bf16(x.view().shape());
        cuda::copy(device.stream(), device.put(x), once);
        cuda::copy(device.stream(), once, twice);
        return widened(device, twice);
      };
      Array want = x;
      narrow(want.data());
      QCOMPARE(device_difference(run, reference(want), 0), QString());
    }
  }

  void rotated_keys_go_to_the_cache_data() {
    QTest::addColumn<bool>("bf16");
    QTest::newRow("f32") << false;
    QTest::newRow("bf16") << true;
  }
  void rotated_keys_go_to_the_cache() {
    QFETCH(bool, bf16);
    constexpr std::int64_t kSlots = 3;
    constexpr std::int64_t kCapacity = 5;
    const std::vector<std::int32_t> ids = {2, 0};
    const std::vector<std::int32_t> positions = {12, 10};
    for (const auto& [nheads, kv_heads, headdim] :
         {std::tuple<std::int64_t, std::int64_t, std::int64_t>{4, 2, 8}, {9, 3, 64}, {1, 1, 6}}) {
      Array qkv = Array::padded(2, (nheads + 2 * kv_heads) * headdim, 4, 1);
      Array frequencies = Array::random(Shape{headdim / 2}, 2);
      Array cache(Shape{kSlots, kv_heads, kCapacity, headdim}, 1.5F);
      Array keys = cache;
      Array values = cache;
      Array moved = qkv;
      Context context;
      tandem::rope_append(context, moved, nheads, frequencies.data(), {keys, values, ids, positions, 9});
      if (bf16) {
        narrow(keys.data());
        narrow(values.data());
      }
      std::vector<BFloat16> narrow_cache = narrowed(cache.data());
      const auto run = [&](TestDevice& device) {
        const auto put = [&] {
          return bf16 ? device.put(TensorView(narrow_cache.data(), DType::BF16, cache.view().shape()))
                      : device.put(cache);
        };
        const SlotCaches own = {put(), put(), device.put_ids(ids), device.put_ids(positions), 9};
        const TensorView turned = device.put(qkv);
        const TensorView steps = device.put(frequencies);
        cuda::rope_append(device.stream(), turned, nheads,
                          {steps.f32(), static_cast<std::size_t>(headdim / 2)}, own);
        std::vector<float> all = device.get(turned.columns(0, nheads * headdim));
        for (const TensorView& view : {own.keys, own.values}) {
          const std::vector<float> entries = bf16 ? widened(device, view) : device.get(view);
          all.insert(all.end(), entries.begin(), entries.end());
        }
        return all;
      };
      const std::vector<double> want =
          together({moved.view().columns(0, nheads * headdim), keys.view(), values.view()});
      QCOMPARE(device_difference(run, want, bf16 ? kBf16 : kClose), QString());
    }
  }

  void sums_are_added_and_normed() {
    for (const std::int64_t channels : {64, 31, 2052}) {
      Array x = Array::padded(3, channels, 4, 1);
      Array residual = Array::padded(3, channels, 8, 2);
      Array weight = Array::random(Shape{channels}, 3);
      Array sum = residual;
      Array y(Shape{3, channels});
      Context context;
      tandem::add_rms_norm(context, x, sum, weight, 1e-5F, y);
      for (const bool in_place : {false, true}) {
        const auto run = [&](TestDevice& device) {
          const TensorView added = device.put(x);
          const TensorView total = device.put(residual);
          const TensorView out = in_place ? added : device.empty(y.view().shape());
          cuda::add_rms_norm(device.stream(), added, total, device.put(weight), 1e-5F, out);
          return together(device, {total, out});
        };
        QCOMPARE(device_difference(run, together({sum.view(), y.view()}), kClose), QString());
      }
    }
  }

  void slots_have_a_table() {
    std::vector<std::int32_t> table(3 * 300);
    for (std::size_t i = 0; i < table.size(); ++i) table[i] = static_cast<std::int32_t>(i);
    std::vector<std::int32_t> ids;
    std::vector<std::int32_t> tokens;
    for (std::int32_t b = 0; b < 200; ++b) {
      ids.push_back(299 - b);
      tokens.push_back(5000 + b);
    }
    const auto run = [&](TestDevice& device) {
      const TensorView there = device.put(TensorView(table.data(), DType::I32, Shape{3, 300}));
      const TensorView rows =
          device.put(TensorView(std::vector<std::int32_t>(600).data(), DType::I32, Shape{3, 200}));
      cuda::gather_slots(device.stream(), there, device.put_ids(ids), rows);
      cuda::put_tokens(device.stream(), device.put_ids(tokens), device.put_ids(ids), there);
      std::vector<float> all;
      for (const TensorView& view : {rows, there})
        for (const std::int32_t id : device.get_ids(view)) all.push_back(static_cast<float>(id));
      return all;
    };
    std::vector<std::int32_t> rows(600);
    std::vector<std::int32_t> after = table;
    Context context;
    const TensorView whole(after.data(), DType::I32, Shape{3, 300});
    tandem::gather_slots(context, whole, ids, TensorView(rows.data(), DType::I32, Shape{3, 200}));
    tandem::put_tokens(context, tokens, ids, whole);
    QCOMPARE(rows[0], 299);
    QCOMPARE(after[299], 5000);
    QCOMPARE(after[599], 600);
    std::vector<double> want(rows.begin(), rows.end());
    want.insert(want.end(), after.begin(), after.end());
    QCOMPARE(device_difference(run, want, 0), QString());
  }

  /// The kernel's own random numbers are those that the CPU would be given.
  void streams_draw_what_their_uniforms_draw() {
    Array logits = Array::random(Shape{6, 50}, 1, 2.0F);
    const std::vector<std::int32_t> completions = {0, 1, 2, 1000, 4, 5};
    const std::vector<std::int32_t> positions = {12, 9, 9, 400, 10, 11};
    Draws draws;
    draws.seed = 0x1234567890ABCDEFU;
    draws.problem = 1ULL << 33;
    draws.first = 9;
    const auto run = [&](TestDevice& device) {
      Draws there = draws;
      there.completions = device.put_ids(completions);
      there.positions = device.put_ids(positions);
      const TensorView tokens =
          device.put(TensorView(std::vector<std::int32_t>(6).data(), DType::I32, Shape{6}));
      const TensorView logprobs = device.empty(Shape{6});
      cuda::sample(device.stream(), device.put(logits), 50, {}, there,
                   {static_cast<std::int32_t*>(tokens.data()), 6}, {logprobs.f32(), 6});
      std::vector<float> all;
      for (const std::int32_t token : device.get_ids(tokens)) all.push_back(static_cast<float>(token));
      return all;
    };
    std::vector<std::int32_t> tokens(6);
    std::vector<float> logprobs(6);
    draws.completions = completions;
    draws.positions = positions;
    Context context;
    tandem::sample(context, logits, 50, {}, draws, tokens, logprobs);
    QCOMPARE(device_difference(run, std::vector<double>(tokens.begin(), tokens.end()), 0), QString());
  }
};

QTEST_APPLESS_MAIN(TestCudaDecode)
#include "tst_cuda_decode.moc"
