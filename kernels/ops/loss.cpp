#include "kernels/ops/loss.h"

#include <cmath>
#include <vector>

#include "kernels/base/parallel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/ops/loss.cpp"
#include <hwy/foreach_target.h>

#include "kernels/ops/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tandem::HWY_NAMESPACE {

// log(sum(e^x)), with the largest taken out.
float log_sum_exp(const float* x, std::size_t count) {
  const FloatTag d;
  float top = x[0];
  for (std::size_t i = 1; i < count; ++i) top = std::max(top, x[i]);
  FloatVec sum = hn::Zero(d);
  const FloatVec largest = hn::Set(d, top);
  const std::size_t whole = count / hn::Lanes(d) * hn::Lanes(d);
  for (std::size_t i = 0; i < whole; i += hn::Lanes(d))
    sum = hn::Add(sum, exp(d, hn::Sub(hn::LoadU(d, x + i), largest)));
  float total = hn::GetLane(hn::SumOfLanes(d, sum));
  for (std::size_t i = whole; i < count; ++i) total += std::exp(x[i] - top);
  return top + std::log(total);
}

// d_x = weight * e^(x - log_sum)
void weighted_softmax_row(const float* x, float log_sum, float weight, float* d_x, std::size_t count) {
  const FloatTag d;
  for_vectors(d, count, [&](std::size_t i, std::size_t n) HWY_ATTR {
    const FloatVec p = exp(d, hn::Sub(load_n(d, x + i, n), hn::Set(d, log_sum)));
    store_n(hn::Mul(hn::Set(d, weight), p), d, d_x + i, n);
  });
}

// KL(p || q) of the softmaxes of two rows of logits, given their log sums.
double divergence_row(const float* p, float p_sum, const float* q, float q_sum, std::size_t count) {
  const FloatTag d;
  FloatVec sum = hn::Zero(d);
  for_vectors(d, count, [&](std::size_t i, std::size_t n) HWY_ATTR {
    const FloatVec log_p = hn::Sub(load_n(d, p + i, n), hn::Set(d, p_sum));
    const FloatVec log_q = hn::Sub(load_n(d, q + i, n), hn::Set(d, q_sum));
    const FloatVec term = hn::Mul(exp(d, log_p), hn::Sub(log_p, log_q));
    sum = hn::Add(sum, hn::IfThenElseZero(hn::FirstN(d, n), term));
  });
  return static_cast<double>(hn::GetLane(hn::SumOfLanes(d, sum)));
}

// d_s = weight * (p_s - p_t)
void forward_kl_row(const float* s, float s_sum, const float* t, float t_sum, float weight, float* d_s,
                    std::size_t count) {
  const FloatTag d;
  for_vectors(d, count, [&](std::size_t i, std::size_t n) HWY_ATTR {
    const FloatVec p_s = exp(d, hn::Sub(load_n(d, s + i, n), hn::Set(d, s_sum)));
    const FloatVec p_t = exp(d, hn::Sub(load_n(d, t + i, n), hn::Set(d, t_sum)));
    store_n(hn::Mul(hn::Set(d, weight), hn::Sub(p_s, p_t)), d, d_s + i, n);
  });
}

// d_s = weight * p_s (log p_s - log p_t - KL)
void reverse_kl_row(const float* s, float s_sum, const float* t, float t_sum, float divergence, float weight,
                    float* d_s, std::size_t count) {
  const FloatTag d;
  for_vectors(d, count, [&](std::size_t i, std::size_t n) HWY_ATTR {
    const FloatVec log_s = hn::Sub(load_n(d, s + i, n), hn::Set(d, s_sum));
    const FloatVec log_t = hn::Sub(load_n(d, t + i, n), hn::Set(d, t_sum));
    const FloatVec excess = hn::Sub(hn::Sub(log_s, log_t), hn::Set(d, divergence));
    store_n(hn::Mul(hn::Mul(hn::Set(d, weight), exp(d, log_s)), excess), d, d_s + i, n);
  });
}

float square_distance(const float* a, const float* b, std::size_t count) {
  const FloatTag d;
  FloatVec sum = hn::Zero(d);
  for_vectors(d, count, [&](std::size_t i, std::size_t n) HWY_ATTR {
    const FloatVec off = hn::Sub(load_n(d, a + i, n), load_n(d, b + i, n));
    sum = hn::MulAdd(off, off, sum);
  });
  return hn::GetLane(hn::SumOfLanes(d, sum));
}

// d_a = factor * (a - b)
void scaled_difference(const float* a, const float* b, float factor, float* d_a, std::size_t count) {
  const FloatTag d;
  for_vectors(d, count, [&](std::size_t i, std::size_t n) HWY_ATTR {
    const FloatVec off = hn::Sub(load_n(d, a + i, n), load_n(d, b + i, n));
    store_n(hn::Mul(hn::Set(d, factor), off), d, d_a + i, n);
  });
}

}  // namespace tandem::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tandem {
HWY_EXPORT(log_sum_exp);
HWY_EXPORT(weighted_softmax_row);
HWY_EXPORT(divergence_row);
HWY_EXPORT(forward_kl_row);
HWY_EXPORT(reverse_kl_row);
HWY_EXPORT(square_distance);
HWY_EXPORT(scaled_difference);

namespace {

constexpr double kExpNs = 0.5;

std::size_t size(std::int64_t extent) {
  return static_cast<std::size_t>(extent);
}

void check_rows(const char* op, const TensorView& a, const TensorView& b, std::size_t weights,
                const TensorView& gradient) {
  TANDEM_CHECK(a.rank() == 2 && a.shape() == b.shape() && size(a.extent(0)) == weights &&
                   (gradient.empty() || gradient.shape() == a.shape()),
               std::string(op) + ": " + a.shape().str() + " and " + b.shape().str() + " with " +
                   std::to_string(weights) + " weights, gradient " + gradient.shape().str());
}

// Sum over rows, in order, of weights[i] * row_loss(i); rows run in parallel, those of weight 0 only get a
// zero gradient.
template <typename RowLoss>
double sum_rows(Context& context, std::span<const float> weights, double row_ns, const TensorView& gradient,
                const RowLoss& row_loss) {
  std::vector<double> losses(weights.size(), 0.0);
  parallel_over(context, static_cast<std::int64_t>(weights.size()), row_ns,
                [&](std::int64_t begin, std::int64_t end) {
                  for (std::int64_t i = begin; i < end; ++i) {
                    if (weights[size(i)] != 0.0F)
                      losses[size(i)] = row_loss(i);
                    else if (!gradient.empty())
                      std::fill_n(gradient.row(i), gradient.extent(1), 0.0F);
                  }
                });
  double sum = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) sum += static_cast<double>(weights[i]) * losses[i];
  return sum;
}

// The distance of two spans of floats, and the gradient of weight times it.
double distance_loss(const float* a, const float* b, float weight, float* gradient, std::int64_t count) {
  const float norm = std::sqrt(HWY_DYNAMIC_DISPATCH(square_distance)(a, b, size(count)));
  if (gradient != nullptr)
    HWY_DYNAMIC_DISPATCH(scaled_difference)(a, b, norm > 0.0F ? weight / norm : 0.0F, gradient, size(count));
  return static_cast<double>(norm);
}

// The loss on a device, given by give(losses) in parts: `rows` of them.
template <typename Give>
double sum_on_device(Context& context, std::int64_t rows, const Give& give) {
  const ScratchScope scope(context);
  const TensorView losses = context.scratch_tensor({rows});
  give(losses);
  std::vector<float> parts(size(rows));
  context.queue()->copy_out(parts.data(), losses.data(), rows * element_bytes(DType::F32));
  double sum = 0;
  for (const float part : parts) sum += static_cast<double>(part);
  return sum;
}

}  // namespace

double cross_entropy_loss(Context& context, TensorView logits, std::span<const std::int32_t> targets,
                          std::span<const float> weights, TensorView d_logits) {
  check_rows("cross_entropy_loss", logits, logits, weights.size(), d_logits);
  TANDEM_CHECK(targets.size() == weights.size(), "cross_entropy_loss: " + std::to_string(targets.size()) +
                                                     " targets, " + std::to_string(weights.size()) +
                                                     " weights");
  if (DeviceQueue* queue = context.queue())
    return sum_on_device(context, logits.extent(0), [&](const TensorView& losses) {
      queue->cross_entropy_loss(logits, targets, weights, d_logits, losses);
    });
  const std::int64_t vocab = logits.extent(1);
  return sum_rows(context, weights, kExpNs * static_cast<double>(vocab), d_logits, [&](std::int64_t i) {
    const float* row = logits.row(i);
    const std::int32_t target = targets[size(i)];
    TANDEM_CHECK(target >= 0 && target < vocab, "cross_entropy_loss: target " + std::to_string(target));
    const float log_sum = HWY_DYNAMIC_DISPATCH(log_sum_exp)(row, size(vocab));
    const double loss = static_cast<double>(log_sum) - static_cast<double>(row[target]);
    if (!d_logits.empty()) {
      const float weight = weights[size(i)];
      HWY_DYNAMIC_DISPATCH(weighted_softmax_row)(row, log_sum, weight, d_logits.row(i), size(vocab));
      d_logits.row(i)[target] -= weight;
    }
    return loss;
  });
}

double binary_cross_entropy_loss(Context& context, TensorView scores, std::span<const std::int32_t> targets,
                                 std::span<const float> weights, TensorView d_scores) {
  check_rows("binary_cross_entropy_loss", scores, scores, weights.size(), d_scores);
  TANDEM_CHECK(scores.extent(1) == 1 && targets.size() == weights.size(),
               "binary_cross_entropy_loss: scores " + scores.shape().str() + ", " +
                   std::to_string(targets.size()) + " targets");
  if (DeviceQueue* queue = context.queue())
    return sum_on_device(context, scores.extent(0), [&](const TensorView& losses) {
      queue->binary_cross_entropy_loss(scores, targets, weights, d_scores, losses);
    });
  return sum_rows(context, weights, 4 * kExpNs, d_scores, [&](std::int64_t i) {
    const std::int32_t target = targets[size(i)];
    TANDEM_CHECK(target == 0 || target == 1, "binary_cross_entropy_loss: target " + std::to_string(target));
    const auto score = static_cast<double>(scores.row(i)[0]);
    const double against = target == 1 ? -score : score;  // how far the score is on the wrong side
    if (!d_scores.empty()) {
      const double surprise = 1.0 / (1.0 + std::exp(-against));
      d_scores.row(i)[0] = weights[size(i)] * static_cast<float>(target == 1 ? -surprise : surprise);
    }
    return std::max(against, 0.0) + std::log1p(std::exp(-std::abs(against)));
  });
}

double kl_loss(Context& context, TensorView student, TensorView teacher, KlDirection direction,
               std::span<const float> weights, TensorView d_student) {
  check_rows("kl_loss", student, teacher, weights.size(), d_student);
  if (DeviceQueue* queue = context.queue())
    return sum_on_device(context, student.extent(0), [&](const TensorView& losses) {
      queue->kl_loss(student, teacher, direction, weights, d_student, losses);
    });
  const std::size_t vocab = size(student.extent(1));
  const double row_ns = 4 * kExpNs * static_cast<double>(vocab);
  return sum_rows(context, weights, row_ns, d_student, [&](std::int64_t i) {
    const float* s = student.row(i);
    const float* t = teacher.row(i);
    const float s_sum = HWY_DYNAMIC_DISPATCH(log_sum_exp)(s, vocab);
    const float t_sum = HWY_DYNAMIC_DISPATCH(log_sum_exp)(t, vocab);
    const float weight = weights[size(i)];
    if (direction == KlDirection::Forward) {
      const double loss = HWY_DYNAMIC_DISPATCH(divergence_row)(t, t_sum, s, s_sum, vocab);
      if (!d_student.empty())
        HWY_DYNAMIC_DISPATCH(forward_kl_row)(s, s_sum, t, t_sum, weight, d_student.row(i), vocab);
      return loss;
    }
    const double loss = HWY_DYNAMIC_DISPATCH(divergence_row)(s, s_sum, t, t_sum, vocab);
    if (!d_student.empty()) HWY_DYNAMIC_DISPATCH(reverse_kl_row)
    (s, s_sum, t, t_sum, static_cast<float>(loss), weight, d_student.row(i), vocab);
    return loss;
  });
}

double frobenius_loss(Context& context, TensorView m, TensorView target, float weight, TensorView d_m) {
  TANDEM_CHECK(m.rank() == 3 && m.shape() == target.shape() && (d_m.empty() || d_m.shape() == m.shape()) &&
                   m.contiguous() && target.contiguous() && (d_m.empty() || d_m.contiguous()),
               "frobenius_loss: m " + m.shape().str() + ", target " + target.shape().str() + ", d_m " +
                   d_m.shape().str());
  if (DeviceQueue* queue = context.queue())
    return sum_on_device(context, m.extent(0), [&](const TensorView& losses) {
      queue->frobenius_loss(m, target, weight, d_m, losses);
    });
  const std::int64_t count = m.extent(1) * m.extent(2);
  const std::vector<float> weights(size(m.extent(0)), weight);
  return sum_rows(context, weights, 0.2 * static_cast<double>(count), {}, [&](std::int64_t h) {
    return distance_loss(m.row(h), target.row(h), weight, d_m.empty() ? nullptr : d_m.row(h), count);
  });
}

double l2_loss(Context& context, TensorView y, TensorView target, std::span<const float> weights,
               TensorView d_y) {
  check_rows("l2_loss", y, target, weights.size(), d_y);
  if (DeviceQueue* queue = context.queue())
    return sum_on_device(context, y.extent(0),
                         [&](const TensorView& losses) { queue->l2_loss(y, target, weights, d_y, losses); });
  const std::int64_t count = y.extent(1);
  return sum_rows(context, weights, 0.2 * static_cast<double>(count), d_y, [&](std::int64_t i) {
    return distance_loss(y.row(i), target.row(i), weights[size(i)], d_y.empty() ? nullptr : d_y.row(i),
                         count);
  });
}

double row_norms(Context& context, TensorView rows) {
  TANDEM_CHECK(rows.rank() == 2, "row_norms: " + rows.shape().str());
  if (DeviceQueue* queue = context.queue())
    return sum_on_device(context, rows.extent(0),
                         [&](const TensorView& norms) { queue->row_norms(rows, norms); });
  double sum = 0;
  for (std::int64_t i = 0; i < rows.extent(0); ++i) {
    double square = 0;
    for (std::int64_t c = 0; c < rows.extent(1); ++c)
      square += static_cast<double>(rows.row(i)[c]) * static_cast<double>(rows.row(i)[c]);
    sum += std::sqrt(square);
  }
  return sum;
}

}  // namespace tandem
#endif
