#include "kernels/ops/copy.h"

#include <algorithm>

#include "kernels/base/parallel.h"

namespace tandem {
namespace {
constexpr double kCopyNs = 0.1;  // of one element
}  // namespace

void copy(Context& context, TensorView from, TensorView to) {
  TANDEM_CHECK(from.rank() == 2 && from.shape() == to.shape(),
               "copy: " + from.shape().str() + " to " + to.shape().str());
  if (DeviceQueue* queue = context.queue()) return queue->copy(from, to);
  parallel_over(context, from.extent(0), kCopyNs * static_cast<double>(from.extent(1)),
                [&](std::int64_t begin, std::int64_t end) {
                  for (std::int64_t i = begin; i < end; ++i)
                    std::copy_n(from.row(i), from.extent(1), to.row(i));
                });
}

void clear(Context& context, TensorView x) {
  TANDEM_CHECK(x.contiguous(), "clear: the rows of " + x.shape().str() + " lie apart");
  if (DeviceQueue* queue = context.queue()) return queue->clear(x);
  std::fill_n(x.f32(), x.elements(), 0.0F);
}

void repeat_heads(Context& context, TensorView x, std::int64_t heads, std::int64_t nheads, TensorView y) {
  TANDEM_CHECK(x.rank() == 2 && y.rank() == 2 && heads > 0 && nheads % heads == 0 &&
                   x.extent(1) % heads == 0 &&
                   y.shape() == Shape({x.extent(0), nheads * (x.extent(1) / heads)}),
               "repeat_heads: x " + x.shape().str() + " of " + std::to_string(heads) + " heads, y " +
                   y.shape().str() + " of " + std::to_string(nheads));
  if (DeviceQueue* queue = context.queue()) return queue->repeat_heads(x, heads, nheads, y);
  const std::int64_t dim = x.extent(1) / heads;
  const std::int64_t times = nheads / heads;
  parallel_over(context, x.extent(0), kCopyNs * static_cast<double>(y.extent(1)),
                [&](std::int64_t begin, std::int64_t end) {
                  for (std::int64_t i = begin; i < end; ++i)
                    for (std::int64_t h = 0; h < nheads; ++h)
                      std::copy_n(x.row(i) + h / times * dim, dim, y.row(i) + h * dim);
                });
}

}  // namespace tandem
