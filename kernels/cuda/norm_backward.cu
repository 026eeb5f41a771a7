// With r = (mean(x^2) + eps)^-1/2: d_x = r (w d_y) - x r^3 sum(w d_y x) / C, d_w += d_y x r. The gated norm's
// x is y silu(z).
#include "kernels/cuda/norm_backward.h"

#include "kernels/cuda/columnwise.cuh"
#include "kernels/cuda/reduce.cuh"
#include "kernels/cuda/silu_slope.cuh"

namespace tandem::cuda {
namespace {

constexpr int kThreads = 256;

/// Of a row's group: r, and what x is multiplied by in d_x.
struct Factors {
  float scale, along;
};

struct Plain {
  Matrix<float> x;
  __device__ float at(std::int64_t row, std::int64_t c) const { return *x.at(row, c); }
};
struct Gated {
  Matrix<float> y, z;
  __device__ float at(std::int64_t row, std::int64_t c) const { return *y.at(row, c) * silu(*z.at(row, c)); }
};

/// Block (row, group): factors [rows, groups].
template <typename Input>
__global__ void __launch_bounds__(kThreads)
    factors_kernel(Input x, const float* weight, float eps, Matrix<float> d_y, int group, Factors* factors) {
  const std::int64_t begin = std::int64_t{blockIdx.y} * group;
  float square = 0.0F;
  float product = 0.0F;
  for (int i = static_cast<int>(threadIdx.x); i < group; i += kThreads) {
    const std::int64_t c = begin + i;
    const float value = x.at(blockIdx.x, c);
    square += value * value;
    product += value * weight[c] * *d_y.at(blockIdx.x, c);
  }
  const auto width = static_cast<float>(group);
  const float scale = 1.0F / sqrtf(block_sum<kThreads>(square) / width + eps);
  const float along = -scale * scale * scale * block_sum<kThreads>(product) / width;
  if (threadIdx.x == 0) factors[std::int64_t{blockIdx.x} * gridDim.y + blockIdx.y] = {scale, along};
}

struct NormBackward {
  Matrix<float> x;
  const float* weight;
  const Factors* factors;
  Matrix<float> d_y, d_x;
  __device__ void apply(std::int64_t row, std::int64_t c, float (&sums)[1]) const {
    const Factors f = factors[row];
    const float value = *x.at(row, c);
    const float gradient = *d_y.at(row, c);
    *d_x.at(row, c) = f.scale * weight[c] * gradient + f.along * value;
    sums[0] += gradient * value * f.scale;
  }
};

struct GatedNormBackward {
  Matrix<float> y, z;
  const float* weight;
  const Factors* factors;
  std::int64_t groups, group;
  Matrix<float> d_out, d_y, d_z;
  __device__ void apply(std::int64_t row, std::int64_t c, float (&sums)[1]) const {
    const Factors f = factors[row * groups + c / group];
    const SiluSlope silu = silu_slope(*z.at(row, c));
    const float before = *y.at(row, c);
    const float gradient = *d_out.at(row, c);
    const float gated = before * silu.value;
    const float d_gated = f.scale * weight[c] * gradient + f.along * gated;
    *d_y.at(row, c) = d_gated * silu.value;
    *d_z.at(row, c) = d_gated * before * silu.slope;
    sums[0] += gradient * gated * f.scale;
  }
};

constexpr std::int64_t kFactorFloats = sizeof(Factors) / sizeof(float);

}  // namespace

std::int64_t rms_norm_backward_scratch(TensorView x) {
  return kFactorFloats * x.extent(0) + columnwise_scratch(x.extent(0), x.extent(1), 1);
}
std::int64_t gated_group_norm_backward_scratch(TensorView y, std::int64_t group) {
  return kFactorFloats * y.extent(0) * (y.extent(1) / group) +
         columnwise_scratch(y.extent(0), y.extent(1), 1);
}

void rms_norm_backward(Stream& stream, TensorView x, TensorView weight, float eps, TensorView d_y,
                       TensorView d_x, TensorView d_weight, TensorView scratch) {
  TANDEM_CHECK(x.rank() == 2 && x.shape() == d_y.shape() && x.shape() == d_x.shape() &&
                   weight.shape() == Shape{x.extent(1)} && d_weight.shape() == weight.shape(),
               "rms_norm_backward: x " + x.shape().str() + ", weight " + weight.shape().str() + ", d_y " +
                   d_y.shape().str() + ", d_x " + d_x.shape().str() + ", d_weight " + d_weight.shape().str());
  check_scratch(scratch, rms_norm_backward_scratch(x), "rms_norm_backward");
  const std::int64_t rows = x.extent(0);
  auto* factors = reinterpret_cast<Factors*>(scratch.f32());
  launch(stream, factors_kernel<Plain>, Grid{rows}, Block{kThreads}, 0, Plain{matrix(x)}, weight.f32(), eps,
         matrix(d_y), x.extent(1), factors);
  launch_columnwise<1>(stream, rows, x.extent(1),
                       NormBackward{matrix(x), weight.f32(), factors, matrix(d_y), matrix(d_x)},
                       scratch.f32() + kFactorFloats * rows, {{{d_weight.f32()}}});
}

void gated_group_norm_backward(Stream& stream, TensorView y, TensorView z, TensorView weight,
                               std::int64_t group, float eps, TensorView d_out, TensorView d_y,
                               TensorView d_z, TensorView d_weight, TensorView scratch) {
  TANDEM_CHECK(
      y.rank() == 2 && y.shape() == z.shape() && y.shape() == d_out.shape() && y.shape() == d_y.shape() &&
          y.shape() == d_z.shape() && group > 0 && y.extent(1) % group == 0 &&
          weight.shape() == Shape{y.extent(1)} && d_weight.shape() == weight.shape(),
      "gated_group_norm_backward: y " + y.shape().str() + ", z " + z.shape().str() + ", weight " +
          weight.shape().str() + ", group " + std::to_string(group) + ", d_out " + d_out.shape().str());
  check_scratch(scratch, gated_group_norm_backward_scratch(y, group), "gated_group_norm_backward");
  const std::int64_t rows = y.extent(0);
  const std::int64_t groups = y.extent(1) / group;
  auto* factors = reinterpret_cast<Factors*>(scratch.f32());
  launch(stream, factors_kernel<Gated>, Grid{rows, groups}, Block{kThreads}, 0, Gated{matrix(y), matrix(z)},
         weight.f32(), eps, matrix(d_out), group, factors);
  launch_columnwise<1>(stream, rows, y.extent(1),
                       GatedNormBackward{matrix(y), matrix(z), weight.f32(), factors, groups, group,
                                         matrix(d_out), matrix(d_y), matrix(d_z)},
                       scratch.f32() + kFactorFloats * rows * groups, {{{d_weight.f32()}}});
}

}  // namespace tandem::cuda
