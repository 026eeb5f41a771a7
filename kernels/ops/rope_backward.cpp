#include "kernels/ops/rope_backward.h"

#include <algorithm>
#include <functional>
#include <vector>

#include "kernels/ops/rope.h"

namespace tandem {

void rope_backward(Context& context, TensorView d_x, std::int64_t heads,
                   std::span<const std::int32_t> positions, std::span<const float> frequencies) {
  if (DeviceQueue* queue = context.queue()) return queue->rope_backward(d_x, heads, positions, frequencies);
  std::vector<float> opposite(frequencies.size());
  std::transform(frequencies.begin(), frequencies.end(), opposite.begin(), std::negate<>());
  rope(context, d_x, heads, positions, opposite);
}

}  // namespace tandem
