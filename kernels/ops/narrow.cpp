#include "kernels/ops/narrow.h"

#include "kernels/base/parallel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/ops/narrow.cpp"
#include <hwy/foreach_target.h>

#include "kernels/ops/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tandem::HWY_NAMESPACE {

void narrow_row(const float* from, BFloat16* to, std::size_t count) {
  const FloatTag d;
  const hn::RebindToSigned<FloatTag> di;
  const hn::Rebind<std::uint16_t, FloatTag> half;
  std::size_t i = 0;
  for (; i + hn::Lanes(d) <= count; i += hn::Lanes(d)) {
    const FloatVec value = hn::LoadU(d, from + i);
    const auto bits = hn::BitCast(di, value);
    // The steps of to_bfloat16.
    const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(di, 1));
    const auto rounded = hn::Add(bits, hn::Add(odd, hn::Set(di, 0x7FFF)));
    const auto quiet = hn::Or(bits, hn::Set(di, 0x400000));
    const auto kept = hn::IfThenElse(hn::RebindMask(di, hn::IsNaN(value)), quiet, rounded);
    const auto upper = hn::And(hn::ShiftRight<16>(kept), hn::Set(di, 0xFFFF));
    hn::StoreU(hn::DemoteTo(half, upper), half, reinterpret_cast<std::uint16_t*>(to + i));
  }
  for (; i < count; ++i) to[i] = to_bfloat16(from[i]);
}

}  // namespace tandem::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tandem {
HWY_EXPORT(narrow_row);

void narrow(const float* from, BFloat16* to, std::int64_t count) {
  HWY_DYNAMIC_DISPATCH(narrow_row)(from, to, static_cast<std::size_t>(count));
}

void narrow(Context& context, TensorView x, TensorView y) {
  TANDEM_CHECK(x.rank() == 2 && x.shape() == y.shape() && y.dtype() == DType::BF16 && y.contiguous(),
               "narrow: x " + x.shape().str() + " to " + dtype_name(y.dtype()) + " " + y.shape().str());
  const std::int64_t width = x.extent(1);
  auto* to = static_cast<BFloat16*>(y.data());
  parallel_over(context, x.extent(0), 0.1 * static_cast<double>(width),
                [&](std::int64_t begin, std::int64_t end) {
                  for (std::int64_t i = begin; i < end; ++i) narrow(x.row(i), to + i * width, width);
                });
}

}  // namespace tandem
#endif
