#include "kernels/cuda/product.h"

#include <cstdint>
#include <initializer_list>
#include <map>
#include <string>
#include <tuple>

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

/// What a product depends on: rows, in, out, strides of x and y, type, accumulate, and the bytes to which all
/// operands are aligned.
using Key = std::tuple<std::int64_t, std::int64_t, std::int64_t, std::int64_t, std::int64_t, DType, bool,
                       std::uint32_t>;

/// The largest power of two up to the 256 that cuBLASLt takes for granted.
std::uint32_t alignment(std::initializer_list<const void*> operands) {
  std::uintptr_t bits = 256;
  for (const void* operand : operands) bits |= reinterpret_cast<std::uintptr_t>(operand);
  return static_cast<std::uint32_t>(bits & -bits);
}

/// cuBLASLt counts by columns: it is asked for y^T [out, rows] = (W^T)^T x^T.
struct Plan {
  Descriptor<cublasLtMatmulDescOpaque_t> operation;
  Layout weight, x, y;
  cublasLtMatmulAlgo_t algorithm;

  Plan(cublasLtHandle_t handle, const Key& key) {
    const auto [rows, in, out, x_stride, y_stride, dtype, accumulate, aligned] = key;
    const cudaDataType type = dtype == DType::BF16 ? CUDA_R_16BF : CUDA_R_32F;
    cublasLtMatmulDesc_t made = nullptr;
    CUBLAS_CHECK(cublasLtMatmulDescCreate(&made, CUBLAS_COMPUTE_32F, CUDA_R_32F));
    operation.reset(made);
    const cublasOperation_t transposed = CUBLAS_OP_T;
    CUBLAS_CHECK(
        cublasLtMatmulDescSetAttribute(made, CUBLASLT_MATMUL_DESC_TRANSA, &transposed, sizeof transposed));
    weight = layout(type, in, out, in);
    x = layout(type, in, rows, x_stride);
    y = layout(CUDA_R_32F, out, rows, y_stride);
    cublasLtMatmulPreference_t preference = nullptr;
    CUBLAS_CHECK(cublasLtMatmulPreferenceCreate(&preference));
    const Descriptor<cublasLtMatmulPreferenceOpaque_t> owner(preference);
    const std::size_t bytes = kWorkspaceBytes;
    CUBLAS_CHECK(cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                                      &bytes, sizeof bytes));
    for (const auto operand :
         {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
          CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES}) {
      CUBLAS_CHECK(cublasLtMatmulPreferenceSetAttribute(preference, operand, &aligned, sizeof aligned));
    }
    cublasLtMatmulHeuristicResult_t result;
    int found = 0;
    CUBLAS_CHECK(cublasLtMatmulAlgoGetHeuristic(handle, made, weight.get(), x.get(), y.get(), y.get(),
                                                preference, 1, &result, &found));
    if (found == 0)
      throw CudaError("cuBLASLt has no product of [" + std::to_string(rows) + ", " + std::to_string(in) +
                      "] and [" + std::to_string(out) + ", " + std::to_string(in) + "]");
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
  if (y.elements() == 0) return;
  const std::int64_t in = x.extent(1);
  const void* input = x.data();
  std::int64_t x_stride = x.stride(0);
  if (weight.dtype() == DType::BF16) {
    auto* narrowed = static_cast<__nv_bfloat16*>(scratch.data());
    launch(stream, narrow_kernel, Grid{x.extent(0), ceil_div<std::int64_t>(in, kThreads)}, Block{kThreads}, 0,
           x.f32(), x_stride, narrowed, in);
    input = narrowed;
    x_stride = in;
  }
  const Key key = {x.extent(0), in,
                   y.extent(1), x_stride,
                   y.stride(0), weight.dtype(),
                   accumulate,  alignment({weight.data(), input, y.data()})};
  auto plan = state_->plans.find(key);
  if (plan == state_->plans.end())
    plan = state_->plans
               .emplace(std::piecewise_construct, std::forward_as_tuple(key),
                        std::forward_as_tuple(state_->handle, key))
               .first;
  const Plan& p = plan->second;
  const float alpha = 1.0F;
  const float beta = accumulate ? 1.0F : 0.0F;
  CUBLAS_CHECK(cublasLtMatmul(state_->handle, p.operation.get(), &alpha, weight.data(), p.weight.get(), input,
                              p.x.get(), &beta, y.data(), p.y.get(), y.data(), p.y.get(), &p.algorithm,
                              state_->workspace, kWorkspaceBytes, stream.handle()));
}

}  // namespace tandem::cuda
