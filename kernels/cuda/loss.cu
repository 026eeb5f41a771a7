#include "kernels/cuda/loss.h"

#include "kernels/cuda/reduce.cuh"
#include "kernels/cuda/rowwise.cuh"
#include "kernels/cuda/silu_slope.cuh"

namespace tandem::cuda {
namespace {

constexpr int kThreads = 256;
constexpr std::int64_t kSpan = 4096;  // numbers of a distance that one block sums

/// log(sum(e^x)) of a row by its block, with the largest taken out.
__device__ __forceinline__ float log_sum_exp(const float* x, std::int64_t count) {
  float largest = -INFINITY;
  for (std::int64_t i = threadIdx.x; i < count; i += kThreads) largest = fmaxf(largest, x[i]);
  largest = block_max<kThreads>(largest);
  float sum = 0.0F;
  for (std::int64_t i = threadIdx.x; i < count; i += kThreads) sum += expf(x[i] - largest);
  return largest + logf(block_sum<kThreads>(sum));
}

/// For a row of weight 0.
__device__ __forceinline__ void leave_row(float* gradient, std::int64_t count, float* loss) {
  for (std::int64_t i = threadIdx.x; gradient != nullptr && i < count; i += kThreads) gradient[i] = 0.0F;
  if (threadIdx.x == 0) *loss = 0.0F;
}

__device__ __forceinline__ float* row_or_null(Matrix<float> matrix, std::int64_t row) {
  return matrix.data == nullptr ? nullptr : matrix.at(row, 0);
}

/// Block: a row.
__global__ void __launch_bounds__(kThreads)
    cross_entropy_kernel(Matrix<float> logits, std::int64_t vocab, const std::int32_t* targets,
                         const float* weights, Matrix<float> d_logits, float* losses) {
  const std::int64_t row = blockIdx.x;
  const float weight = weights[row];
  const float* x = logits.at(row, 0);
  float* d_x = row_or_null(d_logits, row);
  if (weight == 0.0F) return leave_row(d_x, vocab, losses + row);
  const std::int32_t target = targets[row];
  const float wanted = x[target];  // before the gradient may take its place
  const float log_sum = log_sum_exp(x, vocab);
  for (std::int64_t i = threadIdx.x; d_x != nullptr && i < vocab; i += kThreads) {
    d_x[i] = weight * (expf(x[i] - log_sum) - (i == target ? 1.0F : 0.0F));
  }
  if (threadIdx.x == 0) losses[row] = weight * (log_sum - wanted);
}

struct BinaryCrossEntropy {
  Matrix<float> scores;
  const std::int32_t* targets;
  const float* weights;
  Matrix<float> d_scores;
  float* losses;
  template <int kWidth>
  __device__ void apply(std::int64_t row, std::int64_t c) const {
    const float weight = weights[row];
    const float side = targets[row] == 1 ? -1.0F : 1.0F;
    const float against = weight == 0.0F ? 0.0F : side * *scores.at(row, c);  // how far on the wrong side
    if (d_scores.data != nullptr) {
      *d_scores.at(row, c) = weight == 0.0F ? 0.0F : weight * side * sigmoid(against);
    }
    losses[row] = weight == 0.0F ? 0.0F : weight * softplus(against);
  }
};

/// Block: a row.
template <KlDirection kDirection>
__global__ void __launch_bounds__(kThreads)
    kl_kernel(Matrix<float> student, Matrix<float> teacher, std::int64_t vocab, const float* weights,
              Matrix<float> d_student, float* losses) {
  const std::int64_t row = blockIdx.x;
  const float weight = weights[row];
  const float* s = student.at(row, 0);
  const float* t = teacher.at(row, 0);
  float* d_s = row_or_null(d_student, row);
  if (weight == 0.0F) return leave_row(d_s, vocab, losses + row);
  const float s_sum = log_sum_exp(s, vocab);
  const float t_sum = log_sum_exp(t, vocab);
  float part = 0.0F;
  for (std::int64_t i = threadIdx.x; i < vocab; i += kThreads) {
    const float excess = (s[i] - s_sum) - (t[i] - t_sum);
    part += kDirection == KlDirection::Forward ? -expf(t[i] - t_sum) * excess : expf(s[i] - s_sum) * excess;
  }
  const float divergence = block_sum<kThreads>(part);
  for (std::int64_t i = threadIdx.x; d_s != nullptr && i < vocab; i += kThreads) {
    const float p = expf(s[i] - s_sum);
    d_s[i] =
        weight * (kDirection == KlDirection::Forward ? p - expf(t[i] - t_sum)
                                                     : p * ((s[i] - s_sum) - (t[i] - t_sum) - divergence));
  }
  if (threadIdx.x == 0) losses[row] = weight * divergence;
}

/// Two matrices whose rows are compared; row i has weights[i], or without them `weight`.
struct Distance {
  Matrix<float> a, b, d_a;  // without b, with zeros
  const float* weights;
  float weight;
  std::int64_t columns;

  __device__ float weight_of(std::int64_t row) const { return weights == nullptr ? weight : weights[row]; }
};

/// Block (span, row): squares [rows, spans].
__global__ void __launch_bounds__(kThreads) squares_kernel(Distance o, float* squares) {
  const std::int64_t row = blockIdx.y;
  const std::int64_t begin = std::int64_t{blockIdx.x} * kSpan;
  const std::int64_t end = o.weight_of(row) == 0.0F ? begin : min(begin + kSpan, o.columns);
  float sum = 0.0F;
  for (std::int64_t i = begin + threadIdx.x; i < end; i += kThreads) {
    const float off = o.b.data == nullptr ? *o.a.at(row, i) : *o.a.at(row, i) - *o.b.at(row, i);
    sum += off * off;
  }
  sum = block_sum<kThreads>(sum);
  if (threadIdx.x == 0) squares[row * gridDim.x + blockIdx.x] = sum;
}

/// Block (span, row). The first span's tells the loss.
__global__ void __launch_bounds__(kThreads) distance_kernel(Distance o, const float* squares, float* losses) {
  const std::int64_t row = blockIdx.y;
  const float weight = o.weight_of(row);
  float square = 0.0F;
  for (unsigned i = 0; i < gridDim.x; ++i) square += squares[row * gridDim.x + i];
  const float norm = sqrtf(square);
  if (blockIdx.x == 0 && threadIdx.x == 0) losses[row] = weight * norm;
  if (o.d_a.data == nullptr) return;
  const float factor = norm > 0.0F ? weight / norm : 0.0F;
  const std::int64_t begin = std::int64_t{blockIdx.x} * kSpan;
  const std::int64_t end = min(begin + kSpan, o.columns);
  for (std::int64_t i = begin + threadIdx.x; i < end; i += kThreads) {
    *o.d_a.at(row, i) = weight == 0.0F ? 0.0F : factor * (*o.a.at(row, i) - *o.b.at(row, i));
  }
}

std::int64_t spans(std::int64_t columns) {
  return ceil_div(columns, kSpan);
}

void launch_distance(Stream& stream, std::int64_t rows, const Distance& o, const TensorView& scratch,
                     const TensorView& losses) {
  const Grid grid = {spans(o.columns), rows};
  TANDEM_CHECK(rows * grid.x == 0 || scratch.elements() >= rows * grid.x,
               "distance: scratch " + scratch.shape().str());
  launch(stream, squares_kernel, grid, Block{kThreads}, 0, o, scratch.f32());
  launch(stream, distance_kernel, grid, Block{kThreads}, 0, o, scratch.f32(), losses.f32());
}

void check_rows(const char* op, const TensorView& a, const TensorView& b, std::size_t weights,
                const TensorView& gradient, const TensorView& losses) {
  TANDEM_CHECK(a.rank() == 2 && a.shape() == b.shape() && a.extent(0) == static_cast<std::int64_t>(weights) &&
                   (gradient.data() == nullptr || gradient.shape() == a.shape()) &&
                   losses.shape() == Shape{a.extent(0)},
               std::string(op) + ": " + a.shape().str() + " and " + b.shape().str() + " with " +
                   std::to_string(weights) + " weights, gradient " + gradient.shape().str() + ", losses " +
                   losses.shape().str());
}

}  // namespace

void cross_entropy_loss(Stream& stream, TensorView logits, std::span<const std::int32_t> targets,
                        std::span<const float> weights, TensorView d_logits, TensorView losses) {
  check_rows("cross_entropy_loss", logits, logits, weights.size(), d_logits, losses);
  TANDEM_CHECK(targets.size() == weights.size(), "cross_entropy_loss: " + std::to_string(targets.size()) +
                                                     " targets, " + std::to_string(weights.size()) +
                                                     " weights");
  launch(stream, cross_entropy_kernel, Grid{logits.extent(0)}, Block{kThreads}, 0, matrix(logits),
         logits.extent(1), targets.data(), weights.data(), matrix_or_null(d_logits), losses.f32());
}

void binary_cross_entropy_loss(Stream& stream, TensorView scores, std::span<const std::int32_t> targets,
                               std::span<const float> weights, TensorView d_scores, TensorView losses) {
  check_rows("binary_cross_entropy_loss", scores, scores, weights.size(), d_scores, losses);
  TANDEM_CHECK(scores.extent(1) == 1 && targets.size() == weights.size(),
               "binary_cross_entropy_loss: scores " + scores.shape().str() + ", " +
                   std::to_string(targets.size()) + " targets");
  launch_rowwise(stream, scores.extent(0), 1, false,
                 BinaryCrossEntropy{matrix(scores), targets.data(), weights.data(), matrix_or_null(d_scores),
                                    losses.f32()});
}

void kl_loss(Stream& stream, TensorView student, TensorView teacher, KlDirection direction,
             std::span<const float> weights, TensorView d_student, TensorView losses) {
  check_rows("kl_loss", student, teacher, weights.size(), d_student, losses);
  const auto kernel =
      direction == KlDirection::Forward ? kl_kernel<KlDirection::Forward> : kl_kernel<KlDirection::Reverse>;
  launch(stream, kernel, Grid{student.extent(0)}, Block{kThreads}, 0, matrix(student), matrix(teacher),
         student.extent(1), weights.data(), matrix_or_null(d_student), losses.f32());
}

std::int64_t frobenius_loss_scratch(TensorView m) {
  return m.extent(0) * spans(m.extent(1) * m.extent(2));
}
std::int64_t l2_loss_scratch(TensorView y) {
  return y.extent(0) * spans(y.extent(1));
}

void frobenius_loss(Stream& stream, TensorView m, TensorView target, float weight, TensorView d_m,
                    TensorView scratch, TensorView losses) {
  TANDEM_CHECK(m.rank() == 3 && m.shape() == target.shape() &&
                   (d_m.data() == nullptr || (d_m.shape() == m.shape() && d_m.contiguous())) &&
                   m.contiguous() && target.contiguous() && losses.shape() == Shape{m.extent(0)},
               "frobenius_loss: m " + m.shape().str() + ", target " + target.shape().str() + ", d_m " +
                   d_m.shape().str() + ", losses " + losses.shape().str());
  launch_distance(
      stream, m.extent(0),
      {matrix(m), matrix(target), matrix_or_null(d_m), nullptr, weight, m.extent(1) * m.extent(2)}, scratch,
      losses);
}

void l2_loss(Stream& stream, TensorView y, TensorView target, std::span<const float> weights, TensorView d_y,
             TensorView scratch, TensorView losses) {
  check_rows("l2_loss", y, target, weights.size(), d_y, losses);
  launch_distance(stream, y.extent(0),
                  {matrix(y), matrix(target), matrix_or_null(d_y), weights.data(), 1.0F, y.extent(1)},
                  scratch, losses);
}

std::int64_t row_norms_scratch(TensorView rows) {
  return l2_loss_scratch(rows);
}

void row_norms(Stream& stream, TensorView rows, TensorView scratch, TensorView norms) {
  TANDEM_CHECK(rows.rank() == 2 && norms.shape() == Shape{rows.extent(0)},
               "row_norms: rows " + rows.shape().str() + ", norms " + norms.shape().str());
  const Matrix<float> none = {nullptr, 0};
  launch_distance(stream, rows.extent(0), {matrix(rows), none, none, nullptr, 1.0F, rows.extent(1)}, scratch,
                  norms);
}

}  // namespace tandem::cuda
