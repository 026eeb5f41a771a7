// Operands on the device, and runs of a kernel under several schedules compared with the CPU's result.
#pragma once

#include <bit>
#include <functional>
#include <initializer_list>
#include <span>
#include <vector>

#include <QString>

#include "kernels/cuda/stream.h"
#include "tests/kernels/op_test.h"
#ifdef TANDEM_CUDA_EMULATED
#include "kernels/emulation/grid.h"
#endif

namespace tandem::test {

/// Device copies of arrays, each in memory of its own.
class TestDevice {
 public:
  cuda::Stream& stream() { return stream_; }

  /// A copy with the same strides; what lies between the rows is copied, too.
  TensorView put(Array& array) {
    const TensorView host = array.view();
    auto* data = static_cast<float*>(allocate(array.data().data(), array.data().size() * sizeof(float)));
    if (host.contiguous()) return {data, host.shape()};
    return TensorView(data, Shape{host.extent(0), host.stride(0)}).columns(0, host.extent(1));
  }
  /// A copy of a contiguous tensor of any type.
  TensorView put(const TensorView& tensor) {
    const auto bytes = static_cast<std::size_t>(tensor.elements() * element_bytes(tensor.dtype()));
    return {allocate(tensor.data(), bytes), tensor.dtype(), tensor.shape()};
  }
  std::span<const std::int32_t> put_ids(std::span<const std::int32_t> ids) {
    return {static_cast<const std::int32_t*>(allocate(ids.data(), ids.size_bytes())), ids.size()};
  }
  /// NaN until written.
  TensorView empty(Shape shape) {
    buffers_.emplace_back(stream_, shape.elements() * element_bytes(DType::F32));
    return {static_cast<float*>(buffers_.back().data()), shape};
  }
  TensorView empty_bf16(Shape shape) {
    buffers_.emplace_back(stream_, shape.elements() * element_bytes(DType::BF16));
    return {buffers_.back().data(), DType::BF16, shape};
  }
  /// Elements row by row, without what lies between rows.
  std::vector<float> get(const TensorView& view) {
    std::vector<float> values;
    const std::int64_t width = view.extent(-1);
    std::vector<float> row(static_cast<std::size_t>(width));
    const std::int64_t stride = view.rank() < 2 ? width : view.stride(-2);
    for (std::int64_t i = 0; i < view.elements() / std::max<std::int64_t>(width, 1); ++i) {
      cuda::copy_to_host(stream_, row.data(), view.f32() + i * stride,
                         width * static_cast<std::int64_t>(sizeof(float)));
      stream_.synchronize();
      values.insert(values.end(), row.begin(), row.end());
    }
    return values;
  }
  std::vector<std::int32_t> get_ids(const TensorView& view) {
    std::vector<std::int32_t> values(static_cast<std::size_t>(view.elements()));
    cuda::copy_to_host(stream_, values.data(), view.data(), view.elements() * element_bytes(DType::I32));
    stream_.synchronize();
    return values;
  }

 private:
  void* allocate(const void* from, std::size_t bytes) {
    buffers_.emplace_back(stream_, static_cast<std::int64_t>(bytes));
    cuda::copy_to_device(stream_, buffers_.back().data(), from, buffers_.back().bytes());
    stream_.synchronize();
    return buffers_.back().data();
  }

  cuda::Stream stream_;
  std::vector<cuda::Buffer> buffers_;
};

/// Empty if run(device) gives `want` within `tolerance`, the same bits under every schedule; else what
/// differs.
inline QString device_difference(const std::function<std::vector<float>(TestDevice&)>& run,
                                 const std::vector<double>& want, double tolerance) {
#ifdef TANDEM_CUDA_EMULATED
  constexpr std::uint32_t kSchedules = 4;  // forward, reversed, two shuffled
#else
  constexpr std::uint32_t kSchedules = 1;
#endif
  std::vector<float> first;
  for (std::uint32_t schedule = 0; schedule < kSchedules; ++schedule) {
#ifdef TANDEM_CUDA_EMULATED
    emulation::set_schedule(schedule);
#endif
    TestDevice device;
    std::vector<float> got = run(device);
    if (schedule == 0) first = got;
    for (std::size_t i = 0; i < got.size(); ++i) {
      if (std::bit_cast<std::uint32_t>(got[i]) == std::bit_cast<std::uint32_t>(first[i])) continue;
      return QString("element %1 is %2 under schedule %3, %4 before")
          .arg(i)
          .arg(got[i])
          .arg(schedule)
          .arg(first[i]);
    }
    const TensorView view(got.data(), Shape{static_cast<std::int64_t>(got.size())});
    if (const QString problem = difference(view, want, tolerance); !problem.isEmpty()) return problem;
  }
  return {};
}

/// The elements of several results, one after another.
inline std::vector<double> together(std::initializer_list<TensorView> views) {
  std::vector<double> all;
  for (const TensorView& view : views) {
    const std::vector<double> values = reference(view);
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}
inline std::vector<float> together(TestDevice& device, std::initializer_list<TensorView> views) {
  std::vector<float> all;
  for (const TensorView& view : views) {
    const std::vector<float> values = device.get(view);
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

}  // namespace tandem::test
