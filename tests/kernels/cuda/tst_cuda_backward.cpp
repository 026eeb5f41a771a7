// Backward passes, losses and the update of weights against the CPU's ops.
#include <QTest>

#include "kernels/cuda/activation_backward.h"
#include "kernels/cuda/adamw.h"
#include "kernels/cuda/attention_backward.h"
#include "kernels/cuda/causal_conv_backward.h"
#include "kernels/cuda/embedding_backward.h"
#include "kernels/cuda/loss.h"
#include "kernels/cuda/norm_backward.h"
#include "kernels/cuda/rope.h"
#include "kernels/cuda/ssd.h"
#include "kernels/ops/activation.h"
#include "kernels/ops/activation_backward.h"
#include "kernels/ops/attention_backward.h"
#include "kernels/ops/causal_conv_backward.h"
#include "kernels/ops/embedding.h"
#include "kernels/ops/norm_backward.h"
#include "kernels/ops/rope_backward.h"
#include "kernels/ops/ssd.h"
#include "tests/kernels/cuda/device_test.h"

using namespace tandem;
using test::Array;
using test::device_difference;
using test::reference;
using test::TestDevice;
using test::together;

namespace {

// Sums of some hundred products in f32, in different orders.
constexpr double kSums = 1e-5;

void add_shapes() {
  QTest::addColumn<int>("rows");
  QTest::addColumn<int>("channels");
  QTest::addColumn<int>("padding");
  QTest::newRow("3 x 1") << 3 << 1 << 0;
  QTest::newRow("3 x 32") << 3 << 32 << 4;
  QTest::newRow("65 x 33") << 65 << 33 << 3;
  QTest::newRow("130 x 12") << 130 << 12 << 0;
  QTest::newRow("2 x 516") << 2 << 516 << 0;
  QTest::newRow("none") << 0 << 8 << 0;
}

}  // namespace

class TestCudaBackward : public QObject {
  Q_OBJECT
 private slots:
  void norms_data() { add_shapes(); }
  void norms() {
    QFETCH(int, rows);
    QFETCH(int, channels);
    QFETCH(int, padding);
    const int group = channels % 3 == 0 ? channels / 3 : channels;
    const Shape shape = {rows, channels};
    Context context;
    Array x = Array::padded(rows, channels, padding, 1);
    Array z = Array::padded(rows, channels, padding, 2);
    Array weight = Array::random(Shape{channels}, 3);
    Array d_out = Array::padded(rows, channels, padding, 4);
    const Array start = Array::random(Shape{channels}, 5);
    Array d_x(shape), d_y(shape), d_z(shape);
    Array d_plain = start;
    Array d_gated = start;
    rms_norm_backward(context, x, weight, 1e-5F, d_out, d_x, d_plain);
    gated_group_norm_backward(context, x, z, weight, group, 1e-5F, d_out, d_y, d_z, d_gated);
    const auto plain = [&](TestDevice& device) {
      Array before = start;
      const TensorView in = device.put(x);
      const TensorView d = device.put(d_out);  // in place
      const TensorView d_weight = device.put(before);
      cuda::rms_norm_backward(device.stream(), in, device.put(weight), 1e-5F, d, d, d_weight,
                              device.empty(Shape{cuda::rms_norm_backward_scratch(in)}));
      return together(device, {d, d_weight});
    };
    QCOMPARE(device_difference(plain, together({d_x, d_plain}), kSums), QString());
    const auto gated = [&](TestDevice& device) {
      Array before = start;
      const TensorView in = device.put(x);
      const TensorView d = device.put(d_out);
      const TensorView to_z = device.empty(shape);
      const TensorView d_weight = device.put(before);
      cuda::gated_group_norm_backward(
          device.stream(), in, device.put(z), device.put(weight), group, 1e-5F, d, d, to_z, d_weight,
          device.empty(Shape{cuda::gated_group_norm_backward_scratch(in, group)}));
      return together(device, {d, to_z, d_weight});
    };
    QCOMPARE(device_difference(gated, together({d_y, d_z, d_gated}), kSums), QString());
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
    Array d_out = Array::padded(rows, channels, padding, 3);
    Array bias = Array::random(Shape{channels}, 4);
    Array a_log = Array::random(Shape{channels}, 5);
    const Array start = Array::random(Shape{channels}, 6);
    Array d_gate(shape), d_up(shape), d_y(shape), d_z(shape), d_a(shape), d_raw(shape);
    Array d_bias = start, d_dt_bias = start, d_a_log = start;
    swiglu_backward(context, x, y, d_out, d_gate, d_up);
    silu_gate_backward(context, y, x, bias, d_out, d_y, d_z, d_bias);
    discrete_log_decay_backward(context, x, d_out, d_a);
    stepped_log_decay_backward(context, x, bias, a_log, y, d_out, d_raw, d_dt_bias, d_a_log);
    const auto run = [&](TestDevice& device) {
      cuda::Stream& stream = device.stream();
      const TensorView in_x = device.put(x), in_y = device.put(y), d = device.put(d_out);
      const TensorView biases = device.put(bias);
      const auto out = [&] { return device.empty(shape); };
      const auto sums = [&] {
        Array before = start;
        return device.put(before);
      };
      const TensorView to_gate = out(), to_up = out(), to_y = out(), to_z = out(), to_a = out(), raw = out();
      const TensorView bias_sums = sums(), dt_bias_sums = sums(), a_log_sums = sums();
      cuda::swiglu_backward(stream, in_x, in_y, d, to_gate, to_up);
      cuda::silu_gate_backward(stream, in_y, in_x, biases, d, to_y, to_z, bias_sums,
                               device.empty(Shape{cuda::silu_gate_backward_scratch(in_y)}));
      cuda::discrete_log_decay_backward(stream, in_x, d, to_a);
      cuda::stepped_log_decay_backward(stream, in_x, biases, device.put(a_log), in_y, d, raw, dt_bias_sums,
                                       a_log_sums,
                                       device.empty(Shape{cuda::stepped_log_decay_backward_scratch(in_x)}));
      return together(device, {to_gate, to_up, to_y, to_z, to_a, raw, bias_sums, dt_bias_sums, a_log_sums});
    };
    const std::vector<double> want =
        together({d_gate, d_up, d_y, d_z, d_a, d_raw, d_bias, d_dt_bias, d_a_log});
    QCOMPARE(device_difference(run, want, kSums), QString());
  }

  void conv_data() {
    QTest::addColumn<int>("tokens");
    QTest::addColumn<int>("channels");
    QTest::addColumn<int>("taps");
    for (const int taps : {1, 2, 4, 7}) {
      QTest::addRow("3 x 24, %d taps", taps) << 3 << 24 << taps;
      QTest::addRow("70 x 31, %d taps", taps) << 70 << 31 << taps;
    }
  }
  void conv() {
    QFETCH(int, tokens);
    QFETCH(int, channels);
    QFETCH(int, taps);
    const Shape shape = {tokens, channels};
    Context context;
    Array x = Array::padded(tokens, channels, 4, 1);
    Array weight = Array::random(Shape{channels, taps}, 2);
    Array bias = Array::random(Shape{channels}, 3);
    Array d_y = Array::padded(tokens, channels, 8, 4);
    const Array weight_start = Array::random(Shape{channels, taps}, 5);
    const Array bias_start = Array::random(Shape{channels}, 6);
    for (const bool with_bias : {false, true}) {
      const auto activation = with_bias ? ConvActivation::Silu : ConvActivation::Identity;
      Array d_x(shape);
      Array d_weight = weight_start, d_bias = bias_start;
      const auto given = [&](const TensorView& view) { return with_bias ? view : TensorView(); };
      causal_conv_backward(context, x, weight, given(bias), activation, d_y, d_x, d_weight, given(d_bias));
      const auto run = [&](TestDevice& device) {
        Array weight_sums = weight_start, bias_sums = bias_start;
        const TensorView in = device.put(x), filter = device.put(weight), to_x = device.empty(shape);
        const TensorView to_weight = device.put(weight_sums), to_bias = device.put(bias_sums);
        cuda::causal_conv_backward(device.stream(), in, filter, given(device.put(bias)), activation,
                                   device.put(d_y), to_x, to_weight, given(to_bias),
                                   device.empty(Shape{cuda::causal_conv_backward_scratch(in, filter)}));
        return together(device, {to_x, to_weight, to_bias});
      };
      QCOMPARE(device_difference(run, together({d_x, d_weight, d_bias}), kSums), QString());
    }
  }

  void embeddings_and_rotations() {
    const std::vector<std::int32_t> ids = {5, 0, 5, 2, 0, 5, 1};
    Context context;
    Array d_x = Array::padded(7, 132, 3, 1);
    const Array start = Array::random(Shape{6, 132}, 2);
    Array d_table = start;
    embedding_backward(context, ids, d_x, d_table);
    const auto embed = [&](TestDevice& device) {
      Array before = start;
      const TensorView sums = device.put(before);
      cuda::embedding_backward(device.stream(), device.put_ids(ids), device.put(d_x), sums);
      return device.get(sums);
    };
    QCOMPARE(device_difference(embed, reference(d_table), 0), QString());

    Array frequencies = Array::random(Shape{33}, 3);
    Array rotated = d_x;
    tandem::rope_backward(context, rotated, 2, ids, frequencies.data());
    const auto rotate = [&](TestDevice& device) {
      const TensorView d = device.put(d_x);
      cuda::rope_backward(device.stream(), d, 2, device.put_ids(ids),
                          {device.put(frequencies).f32(), frequencies.data().size()});
      return device.get(d);
    };
    QCOMPARE(device_difference(rotate, reference(rotated), 2e-6), QString());
  }

  void attention_data() {
    QTest::addColumn<int>("tokens");
    QTest::addColumn<int>("nheads");
    QTest::addColumn<int>("nheads_kv");
    QTest::addColumn<int>("headdim");
    QTest::newRow("one token") << 1 << 2 << 1 << 8;
    QTest::newRow("grouped") << 70 << 4 << 2 << 16;
    QTest::newRow("three tiles, odd heads") << 130 << 1 << 1 << 33;
    QTest::newRow("wide heads") << 65 << 1 << 1 << 70;
    QTest::newRow("none") << 0 << 1 << 1 << 8;
  }
  void attention() {
    QFETCH(int, tokens);
    QFETCH(int, nheads);
    QFETCH(int, nheads_kv);
    QFETCH(int, headdim);
    Context context;
    Array q = Array::padded(tokens, nheads * headdim, 3, 1);
    Array k = Array::padded(tokens, nheads_kv * headdim, 1, 2);
    Array v = Array::padded(tokens, nheads_kv * headdim, 2, 3);
    Array d_out = Array::padded(tokens, nheads * headdim, 5, 4);
    const Shape q_shape = {tokens, nheads * headdim}, k_shape = {tokens, nheads_kv * headdim};
    Array d_q(q_shape), d_k(k_shape), d_v(k_shape);
    causal_attention_backward(context, q, k, v, d_out, nheads, nheads_kv, 0.3F, d_q, d_k, d_v);
    const auto run = [&](TestDevice& device) {
      const TensorView queries = device.put(q);
      const TensorView to_q = device.empty(q_shape), to_k = device.empty(k_shape),
                       to_v = device.empty(k_shape);
      cuda::causal_attention_backward(
          device.stream(), queries, device.put(k), device.put(v), device.put(d_out), nheads, nheads_kv, 0.3F,
          to_q, to_k, to_v, device.empty(Shape{cuda::causal_attention_backward_scratch(queries, nheads)}));
      return together(device, {to_q, to_k, to_v});
    };
    QCOMPARE(device_difference(run, together({d_q, d_k, d_v}), kSums), QString());
  }

  void losses_of_logits_data() {
    QTest::addColumn<int>("vocab");
    QTest::addColumn<int>("padding");
    for (const int vocab : {1, 31, 700}) QTest::addRow("%d", vocab) << vocab << vocab % 3;
  }
  void losses_of_logits() {
    QFETCH(int, vocab);
    QFETCH(int, padding);
    constexpr std::int64_t kRows = 4;
    const std::vector<std::int32_t> targets = {0, vocab - 1, 0, vocab / 2};
    Array weights = Array::random(Shape{kRows}, 1);
    weights.data()[2] = 0;
    Array student = Array::padded(kRows, vocab, padding, 2, 3.0F);
    Array teacher = Array::padded(kRows, vocab, padding, 3, 3.0F);
    student.view().row(2)[0] = std::nanf("");  // not read
    Context context;
    for (int kind = 0; kind < 3; ++kind) {
      const auto direction = kind == 1 ? KlDirection::Forward : KlDirection::Reverse;
      Array d(Shape{kRows, vocab});
      const double loss = kind == 0 ? cross_entropy_loss(context, student, targets, weights.data(), d)
                                    : kl_loss(context, student, teacher, direction, weights.data(), d);
      const auto run = [&](TestDevice& device) {
        const TensorView logits = device.put(student);  // the gradient takes their place
        const TensorView losses = device.empty(Shape{kRows});
        const std::span<const float> placed = {device.put(weights).f32(), weights.data().size()};
        if (kind == 0)
          cuda::cross_entropy_loss(device.stream(), logits, device.put_ids(targets), placed, logits, losses);
        else
          cuda::kl_loss(device.stream(), logits, device.put(teacher), direction, placed, logits, losses);
        std::vector<float> got = device.get(logits);
        const std::vector<float> rows = device.get(losses);
        got.push_back(rows[0] + rows[1] + rows[2] + rows[3]);
        return got;
      };
      std::vector<double> want = reference(d);
      want.push_back(loss);
      QCOMPARE(device_difference(run, want, kSums), QString());
    }
  }

  void other_losses() {
    Context context;
    Array weights = Array::random(Shape{3}, 1);
    weights.data()[1] = 0;
    Array y = Array::padded(3, 5000, 1, 2);
    Array target = Array::padded(3, 5000, 2, 3);
    std::copy_n(y.view().row(2), 5000, target.view().row(2));  // equal: the gradient is 0
    Array d_y(Shape{3, 5000});
    const double l2 = l2_loss(context, y, target, weights.data(), d_y);
    Array m = Array::random(Shape{2, 70, 70}, 4), wanted = Array::random(Shape{2, 70, 70}, 5);
    Array d_m(Shape{2, 70, 70});
    const double frobenius = frobenius_loss(context, m, wanted, 0.5F, d_m);
    const std::vector<std::int32_t> labels = {1, 0, 0};
    Array scores = Array::random(Shape{3, 1}, 6, 5.0F), d_scores(Shape{3, 1});
    const double norms = row_norms(context, target);
    Array diagonals = m;
    add_diagonals(context, Array::random(Shape{2}, 7), diagonals);
    const double binary = binary_cross_entropy_loss(context, scores, labels, weights.data(), d_scores);
    const auto run = [&](TestDevice& device) {
      cuda::Stream& stream = device.stream();
      const TensorView in = device.put(y), matrices = device.put(m), to_scores = device.put(scores);
      const TensorView losses = device.empty(Shape{3}), two = device.empty(Shape{2}),
                       three = device.empty(Shape{3}), four = device.empty(Shape{3});
      Array values = Array::random(Shape{2}, 7);
      const TensorView raised = device.put(m), compared = device.put(target);
      cuda::add_diagonals(stream, device.put(values), raised);
      cuda::row_norms(stream, compared, device.empty(Shape{cuda::row_norms_scratch(compared)}), four);
      const std::span<const float> placed = {device.put(weights).f32(), 3};
      cuda::l2_loss(stream, in, compared, placed, in, device.empty(Shape{cuda::l2_loss_scratch(in)}), losses);
      cuda::frobenius_loss(stream, matrices, device.put(wanted), 0.5F, matrices,
                           device.empty(Shape{cuda::frobenius_loss_scratch(matrices)}), two);
      cuda::binary_cross_entropy_loss(stream, to_scores, device.put_ids(labels), placed, to_scores, three);
      std::vector<float> got = together(device, {in, matrices, to_scores, raised});
      for (const TensorView& rows : {losses, two, three, four}) {
        float sum = 0;
        for (const float loss : device.get(rows)) sum += loss;
        got.push_back(sum);
      }
      return got;
    };
    std::vector<double> want = together({d_y, d_m, d_scores, diagonals});
    want.insert(want.end(), {l2, frobenius, binary, norms});
    QCOMPARE(device_difference(run, want, kSums), QString());
  }

  void updates_data() {
    QTest::addColumn<int>("elements");
    for (const int elements : {1, 4096, 9001, 8196}) QTest::addRow("%d", elements) << elements;
  }
  void updates() {
    QFETCH(int, elements);
    Context context;
    Array gradient = Array::random(Shape{elements}, 1);
    const Array start = Array::random(Shape{elements}, 2), mean = Array::random(Shape{elements}, 3);
    Array square = Array::random(Shape{elements}, 4);
    for (float& value : square.data()) value = std::abs(value);
    AdamWRule rule;
    rule.learning_rate = 0.1F;
    rule.weight_decay = 0.2F;
    rule.gradient_scale = 0.7F;
    rule.correction1 = 0.3F;
    rule.correction2 = 0.4F;
    Array value = start, m = mean, v = square;
    adamw(context, gradient, rule, value, m, v);
    const TensorView tensor = gradient;
    const double squares = sum_of_squares(context, std::span(&tensor, 1));
    const auto run = [&](TestDevice& device) {
      Array from = start, means = mean;
      const TensorView own = device.put(from), to_m = device.put(means), to_v = device.put(square);
      const TensorView d = device.put(gradient), sums = device.empty(Shape{squares_count(elements)});
      cuda::adamw(device.stream(), d, rule, own, to_m, to_v);
      cuda::sums_of_squares(device.stream(), d, sums);
      std::vector<float> got = together(device, {own, to_m, to_v});
      float sum = 0;
      for (const float part : device.get(sums)) sum += part;
      got.push_back(sum / static_cast<float>(elements));
      return got;
    };
    std::vector<double> want = together({value, m, v});
    want.push_back(squares / elements);
    QCOMPARE(device_difference(run, want, kSums), QString());
  }
};

QTEST_APPLESS_MAIN(TestCudaBackward)
#include "tst_cuda_backward.moc"
