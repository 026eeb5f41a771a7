#include "core/jobs/roofline.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "core/tensor/tensor.h"
#include "kernels/ops/copy.h"
#include "kernels/ops/matmul.h"

namespace tandem {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kSecondsPerMeasurement = 0.2;
constexpr int kFewestRepeats = 10;
constexpr std::int64_t kMiB = 1 << 20;
constexpr std::int64_t kDefaultCacheBytes = 32 * kMiB;
constexpr std::int64_t kLargestBuffer = 512 * kMiB;

/// Least seconds that `body` took, over ten calls or more, for a fixed time at least; 0 when stopped before
/// the first.
double best_seconds(const std::function<void()>& body, const std::stop_token& stop) {
  double best = 0;
  const auto start = Clock::now();
  for (int repeat = 0; !stop.stop_requested(); ++repeat) {
    const auto before = Clock::now();
    body();
    const auto after = Clock::now();
    const double seconds = std::chrono::duration<double>(after - before).count();
    best = repeat == 0 ? seconds : std::min(best, seconds);
    if (repeat + 1 >= kFewestRepeats &&
        std::chrono::duration<double>(after - start).count() > kSecondsPerMeasurement)
      break;
  }
  return best;
}

double rate(double amount, double seconds) {
  return seconds > 0 ? amount / seconds : 0;
}

/// Runs body(begin, end) once on each thread, on its share of `bytes`.
void on_shares(Context& context, std::int64_t bytes,
               const std::function<void(std::int64_t begin, std::int64_t end)>& body) {
  const std::int64_t threads = context.threads();
  context.pool().parallel_for(threads, 1, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) body(bytes * i / threads, bytes * (i + 1) / threads);
  });
}

/// Reads every byte: a search for a value that is not there, in the C library's loop for this CPU.
double read_rate(Context& context, const std::vector<char>& buffer, const std::stop_token& stop) {
  const auto bytes = static_cast<std::int64_t>(buffer.size());
  const double seconds = best_seconds(
      [&] {
        on_shares(context, bytes, [&](std::int64_t begin, std::int64_t end) {
          const void* found = std::memchr(buffer.data() + begin, 1, static_cast<std::size_t>(end - begin));
          TANDEM_CHECK(found == nullptr, "the buffer holds only zeros");
        });
      },
      stop);
  return rate(static_cast<double>(bytes), seconds);
}

/// Copies one half of the buffer onto the other; both ways count.
double copy_rate(Context& context, std::vector<char>& buffer, const std::stop_token& stop) {
  const auto half = static_cast<std::int64_t>(buffer.size() / 2);
  const double seconds = best_seconds(
      [&] {
        on_shares(context, half, [&](std::int64_t begin, std::int64_t end) {
          std::memcpy(buffer.data() + half + begin, buffer.data() + begin,
                      static_cast<std::size_t>(end - begin));
        });
      },
      stop);
  return rate(2.0 * static_cast<double>(half), seconds);
}

/// y = x W^T with W packed, once in every thread on its own operands, which fit the core's cache.
double product_rate(Context& context, DType type, const Shape& rows_inner_columns,
                    const std::stop_token& stop) {
  const std::int64_t rows = rows_inner_columns[0];
  const std::int64_t inner = rows_inner_columns[1];
  const std::int64_t columns = rows_inner_columns[2];
  struct Operands {
    Tensor x, y;
    PackedMatrix weight;
  };
  std::vector<Operands> operands(static_cast<std::size_t>(context.threads()));
  for (Operands& o : operands)
    o = {Tensor({rows, inner}), Tensor({rows, columns}),
         PackedMatrix::pack(context, Tensor({columns, inner}), type)};
  constexpr int kProducts = 16;  // enough that starting the threads is lost in it
  const double seconds = best_seconds(
      [&] {
        context.pool().parallel_for(context.threads(), 1, [&](std::int64_t first, std::int64_t last) {
          for (std::int64_t i = first; i < last; ++i) {
            Operands& o = operands[static_cast<std::size_t>(i)];
            for (int n = 0; n < kProducts; ++n)
              linear(context.worker(static_cast<int>(i)), o.x, o.weight, o.y);
          }
        });
      },
      stop);
  const auto flops = 2.0 * static_cast<double>(rows * inner * columns) * kProducts * context.threads();
  return rate(flops, seconds);
}

double best_product_rate(Context& context, DType type, const std::stop_token& stop) {
  double best = 0;
  for (const Shape& shape : {Shape{64, 128, 512}, Shape{64, 256, 256}, Shape{128, 256, 256},
                             Shape{256, 256, 256}, Shape{64, 512, 256}, Shape{256, 512, 256}})
    best = std::max(best, product_rate(context, type, shape, stop));
  return best;
}

/// Seconds a device takes for what `body` gives it, once of many times.
double device_seconds(Context& context, const std::function<void()>& body, const std::stop_token& stop) {
  constexpr int kTimes = 16;  // that starting and waiting are lost in
  const double seconds = best_seconds(
      [&] {
        for (int i = 0; i < kTimes; ++i) body();
        context.queue()->synchronize();
      },
      stop);
  return seconds / kTimes;
}

/// Copies one half of `bytes` onto the other by the device's own kernel; both ways count.
double device_copy_rate(Context& context, std::int64_t bytes, const std::stop_token& stop) {
  constexpr std::int64_t kColumns = 1024;
  const Shape half = {std::max<std::int64_t>(bytes / 2 / kColumns / 4, 1), kColumns};
  const Tensor from = Tensor::uninitialized(half, DType::F32, context.device());
  const Tensor to = Tensor::uninitialized(half, DType::F32, context.device());
  clear(context, from);
  const double seconds = device_seconds(
      context, [&] { copy(context, from, to); }, stop);
  return rate(2.0 * static_cast<double>(from.bytes()), seconds);
}

/// A square product as large as the device's cache, at least.
double device_product_rate(Context& context, DType type, const std::stop_token& stop) {
  std::int64_t width = 128;
  while (3 * width * width * element_bytes(type) < context.device()->info().cache_bytes) width *= 2;
  const Tensor x = Tensor::uninitialized({width, width}, DType::F32, context.device());
  const Tensor y = Tensor::uninitialized({width, width}, DType::F32, context.device());
  clear(context, x);
  const PackedMatrix weight = PackedMatrix::pack(context, Tensor({width, width}), type);
  const double seconds = device_seconds(
      context, [&] { linear(context, x, weight, y); }, stop);
  return rate(2.0 * static_cast<double>(width) * static_cast<double>(width * width), seconds);
}

Roofline measure_device(Context& context, bool with_bf16, const std::stop_token& stop) {
  Roofline roofline;
  roofline.cache_bytes = context.device()->info().cache_bytes;
  const std::int64_t beyond_cache = std::max(8 * roofline.cache_bytes, kMiB);
  roofline.memory_bytes_per_s = device_copy_rate(context, beyond_cache, stop);
  roofline.cached_bytes_per_s =
      std::max(device_copy_rate(context, roofline.cache_bytes / 4, stop), roofline.memory_bytes_per_s);
  roofline.flops_per_s = device_product_rate(context, DType::F32, stop);
  if (with_bf16) roofline.bf16_flops_per_s = device_product_rate(context, DType::BF16, stop);
  return roofline;
}

}  // namespace

double Roofline::transfer_s(double bytes, double working_set_bytes) const {
  if (bytes <= 0) return 0;
  const double kept = std::min(1.0, static_cast<double>(cache_bytes) / std::max(working_set_bytes, 1.0));
  return bytes * kept / cached_bytes_per_s + bytes * (1 - kept) / memory_bytes_per_s;
}

Roofline measure_roofline(Context& context, bool with_bf16, const std::stop_token& stop) {
  if (context.device() != nullptr) return measure_device(context, with_bf16, stop);
  Roofline roofline;
  roofline.cache_bytes = last_level_cache_bytes();
  {
    std::vector<char> buffer(static_cast<std::size_t>(std::min(4 * roofline.cache_bytes, kLargestBuffer)));
    roofline.memory_bytes_per_s =
        std::max(read_rate(context, buffer, stop), copy_rate(context, buffer, stop));
  }
  std::vector<char> buffer(static_cast<std::size_t>(roofline.cache_bytes / 4));
  roofline.cached_bytes_per_s = std::max(read_rate(context, buffer, stop), roofline.memory_bytes_per_s);
  roofline.flops_per_s = best_product_rate(context, DType::F32, stop);
  if (with_bf16) roofline.bf16_flops_per_s = best_product_rate(context, DType::BF16, stop);
  return roofline;
}

std::int64_t last_level_cache_bytes() {
  // Not sysconf(): on some processors it adds up caches that one core cannot use.
  std::int64_t bytes = 0;
  for (int index = 0; index < 8; ++index) {
    std::ifstream file("/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(index) + "/size");
    std::int64_t size = 0;
    char unit = ' ';
    if (!(file >> size)) break;
    if (file >> unit) size *= unit == 'K' ? 1024 : unit == 'M' ? kMiB : 1;
    bytes = std::max(bytes, size);
  }
  return bytes > 0 ? bytes : kDefaultCacheBytes;
}

}  // namespace tandem
