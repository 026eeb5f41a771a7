#include "kernels/cuda/product.h"

#include <compare>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <string>

#include <cublasLt.h>
#include <cuda_bf16.h>

#include "kernels/cuda/launch.h"

/// Throws CudaError unless the call succeeds.
#define CUBLAS_CHECK(call) ::tandem::cuda::check_cublas((call), #call, __FILE__, __LINE__)

namespace tandem::cuda {
namespace {

constexpr std::size_t kWorkspaceBytes = std::size_t{32} << 20;  // what NVIDIA recommends for Hopper
constexpr int kThreads = 256;

void check_cublas(cublasStatus_t status, const char* call, const char* file, int line) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  throw CudaError(std::string(call) + ": " + cublasLtGetStatusName(status) + ", " +
                  cublasLtGetStatusString(status) + " (" + file + ":" + std::to_string(line) + ")");
}

__global__ void __launch_bounds__(kThreads)
    narrow_kernel(const float* x, std::int64_t stride, __nv_bfloat16* y, std::int64_t columns) {
  const std::int64_t column = static_cast<std::int64_t>(blockIdx.y) * kThreads + threadIdx.x;
  if (column >= columns) return;
  const std::int64_t row = blockIdx.x;
  y[row * columns + column] = __float2bfloat16_rn(x[row * stride + column]);
}

struct DescriptorDelete {
  void operator()(cublasLtMatmulDescOpaque_t* d) const { cublasLtMatmulDescDestroy(d); }
  void operator()(cublasLtMatrixLayoutOpaque_t* d) const { cublasLtMatrixLayoutDestroy(d); }
  void operator()(cublasLtMatmulPreferenceOpaque_t* d) const { cublasLtMatmulPreferenceDestroy(d); }
};
template <typename T>
using Descriptor = std::unique_ptr<T, DescriptorDelete>;
using Layout = Descriptor<cublasLtMatrixLayoutOpaque_t>;

Layout layout(cudaDataType type, std::int64_t rows, std::int64_t columns, std::int64_t stride) {
  cublasLtMatrixLayout_t made = nullptr;
  CUBLAS_CHECK(cublasLtMatrixLayoutCreate(&made, type, static_cast<std::uint64_t>(rows),
                                          static_cast<std::uint64_t>(columns), stride));
  return Layout(made);
}

/// The largest power of two up to the 256 that cuBLASLt takes for granted.
std::uint32_t alignment(std::initializer_list<const void*> operands) {
  std::uintptr_t bits = 256;
  for (const void* operand : operands) bits |= reinterpret_cast<std::uintptr_t>(operand);
  return static_cast<std::uint32_t>(bits & -bits);
}

/// What a product depends on: rows, depth and columns, strides of a, b and c, type of a and b, whether those
/// are transposed, and the bytes to which all operands are aligned.
struct Key {
  std::int64_t rows, depth, columns, a_stride, b_stride, c_stride;
  DType dtype;
  bool a_transposed, b_transposed;
  std::uint32_t aligned;
  auto operator<=>(const Key&) const = default;
};

/// cuBLASLt counts by columns, to which our matrices are their transposes: it is asked for c^T = b^T a^T.
struct Plan {
  Descriptor<cublasLtMatmulDescOpaque_t> operation;
  Layout a, b, c;
  cublasLtMatmulAlgo_t algorithm;

  Plan(cublasLtHandle_t handle, const Key& key) {
    const cudaDataType type = key.dtype == DType::BF16 ? CUDA_R_16BF : CUDA_R_32F;
    cublasLtMatmulDesc_t made = nullptr;
    CUBLAS_CHECK(cublasLtMatmulDescCreate(&made, CUBLAS_COMPUTE_32F, CUDA_R_32F));
    operation.reset(made);
    const auto transpose = [&](cublasLtMatmulDescAttributes_t which, bool transposed) {
      const cublasOperation_t value = transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
      CUBLAS_CHECK(cublasLtMatmulDescSetAttribute(made, which, &value, sizeof value));
    };
    transpose(CUBLASLT_MATMUL_DESC_TRANSA, key.b_transposed);
    transpose(CUBLASLT_MATMUL_DESC_TRANSB, key.a_transposed);
    const auto stored = [&](std::int64_t rows, std::int64_t columns, bool transposed, std::int64_t stride) {
      return transposed ? layout(type, rows, columns, stride) : layout(type, columns, rows, stride);
    };
    a = stored(key.rows, key.depth, key.a_transposed, key.a_stride);
    b = stored(key.depth, key.columns, key.b_transposed, key.b_stride);
    c = layout(CUDA_R_32F, key.columns, key.rows, key.c_stride);
    cublasLtMatmulPreference_t preference = nullptr;
    CUBLAS_CHECK(cublasLtMatmulPreferenceCreate(&preference));
    const Descriptor<cublasLtMatmulPreferenceOpaque_t> owner(preference);
    const std::size_t bytes = kWorkspaceBytes;
    CUBLAS_CHECK(cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                                      &bytes, sizeof bytes));
    for (const auto operand :
         {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
          CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES}) {
      CUBLAS_CHECK(
          cublasLtMatmulPreferenceSetAttribute(preference, operand, &key.aligned, sizeof key.aligned));
    }
    cublasLtMatmulHeuristicResult_t result;
    int found = 0;
    CUBLAS_CHECK(cublasLtMatmulAlgoGetHeuristic(handle, made, b.get(), a.get(), c.get(), c.get(), preference,
                                                1, &result, &found));
    if (found == 0)
      throw CudaError("cuBLASLt has no product of [" + std::to_string(key.rows) + ", " +
                      std::to_string(key.depth) + "] and [" + std::to_string(key.depth) + ", " +
                      std::to_string(key.columns) + "]");
    algorithm = result.algo;
  }
};

}  // namespace

struct Product::State {
  cublasLtHandle_t handle = nullptr;
  void* workspace = nullptr;
  std::map<Key, Plan> plans;
};

Product::Product() : state_(std::make_unique<State>()) {
  CUBLAS_CHECK(cublasLtCreate(&state_->handle));
  CUDA_CHECK(cudaMalloc(&state_->workspace, kWorkspaceBytes));
}

Product::~Product() {
  static_cast<void>(cudaFree(state_->workspace));
  static_cast<void>(cublasLtDestroy(state_->handle));
}

std::int64_t Product::scratch(TensorView x, TensorView weight) {
  return weight.dtype() == DType::BF16 ? ceil_div<std::int64_t>(x.elements(), 2) : 0;
}

void Product::run(Stream& stream, TensorView x, TensorView weight, TensorView y, bool accumulate,
                  TensorView scratch) {
  TANDEM_CHECK(
      x.rank() == 2 && y.rank() == 2 && weight.rank() == 2 && weight.contiguous() &&
          x.extent(0) == y.extent(0) && x.extent(1) == weight.extent(1) && y.extent(1) == weight.extent(0),
      "linear: x " + x.shape().str() + ", weight " + weight.shape().str() + ", y " + y.shape().str());
  TensorView input = x;
  if (weight.dtype() == DType::BF16) {
    input = TensorView(scratch.data(), DType::BF16, x.shape());
    launch(stream, narrow_kernel, Grid{x.extent(0), ceil_div<std::int64_t>(x.extent(1), kThreads)},
           Block{kThreads}, 0, x.f32(), x.stride(0), static_cast<__nv_bfloat16*>(input.data()), x.extent(1));
  }
  multiply(stream, {input, false}, {weight, true}, y, accumulate);
}

void Product::multiply(Stream& stream, const Factor& a, const Factor& b, TensorView c, bool accumulate) {
  const auto rows = [](const Factor& f) { return f.matrix.extent(f.transposed ? 1 : 0); };
  const auto columns = [](const Factor& f) { return f.matrix.extent(f.transposed ? 0 : 1); };
  TANDEM_CHECK(
      a.matrix.rank() == 2 && b.matrix.rank() == 2 && a.matrix.dtype() == b.matrix.dtype() &&
          columns(a) == rows(b) && (c.shape() == Shape{rows(a), columns(b)}),
      "multiply: a " + a.matrix.shape().str() + ", b " + b.matrix.shape().str() + ", c " + c.shape().str());
  if (c.elements() == 0) return;
  const Key key = {rows(a),
                   columns(a),
                   columns(b),
                   a.matrix.stride(0),
                   b.matrix.stride(0),
                   c.stride(0),
                   a.matrix.dtype(),
                   a.transposed,
                   b.transposed,
                   alignment({a.matrix.data(), b.matrix.data(), c.data()})};
  auto plan = state_->plans.find(key);
  if (plan == state_->plans.end())
    plan = state_->plans
               .emplace(std::piecewise_construct, std::forward_as_tuple(key),
                        std::forward_as_tuple(state_->handle, key))
               .first;
  const Plan& p = plan->second;
  const float alpha = 1.0F;
  const float beta = accumulate ? 1.0F : 0.0F;
  CUBLAS_CHECK(cublasLtMatmul(state_->handle, p.operation.get(), &alpha, b.matrix.data(), p.b.get(),
                              a.matrix.data(), p.a.get(), &beta, c.data(), p.c.get(), c.data(), p.c.get(),
                              &p.algorithm, state_->workspace, kWorkspaceBytes, stream.handle()));
}

}  // namespace tandem::cuda
