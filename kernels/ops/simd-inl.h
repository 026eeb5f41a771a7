// Vector helpers shared by the ops: partial loads, sums over lanes, exp, silu, softplus, sine and cosine.
// Included once per target by files that go through hwy/foreach_target.h. All of it lets NaN through.
#if defined(TANDEM_KERNELS_OPS_SIMD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TANDEM_KERNELS_OPS_SIMD_INL_H_
#undef TANDEM_KERNELS_OPS_SIMD_INL_H_
#else
#define TANDEM_KERNELS_OPS_SIMD_INL_H_
#endif

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace tandem::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using FloatTag = hn::ScalableTag<float>;
using FloatVec = hn::Vec<FloatTag>;

/// The first `count` lanes from memory, zeros behind them; reads nothing past them.
HWY_INLINE FloatVec load_n(FloatTag d, const float* from, std::size_t count) {
  if (HWY_LIKELY(count >= hn::Lanes(d))) return hn::LoadU(d, from);
  HWY_ALIGN float lanes[hn::MaxLanes(d)] = {};
  std::copy_n(from, count, lanes);
  return hn::Load(d, lanes);
}

/// Writes the first `count` lanes only.
HWY_INLINE void store_n(FloatVec v, FloatTag d, float* to, std::size_t count) {
  if (HWY_LIKELY(count >= hn::Lanes(d))) {
    hn::StoreU(v, d, to);
    return;
  }
  HWY_ALIGN float lanes[hn::MaxLanes(d)];
  hn::Store(v, d, lanes);
  std::copy_n(lanes, count, to);
}

/// Calls body(offset, lanes in use) for each vector of `count` floats: whole ones first, with a constant
/// number of lanes, then the rest.
template <typename Body>
HWY_INLINE void for_vectors(FloatTag d, std::size_t count, const Body& body) {
  const std::size_t step = hn::Lanes(d);
  std::size_t i = 0;
  for (; i + step <= count; i += step) body(i, step);
  if (i < count) body(i, count - i);
}

/// sum of a[i] * b[i]
HWY_INLINE float dot(FloatTag d, const float* a, const float* b, std::size_t count) {
  FloatVec even = hn::Zero(d);
  FloatVec odd = hn::Zero(d);
  const std::size_t step = hn::Lanes(d);
  std::size_t i = 0;
  for (; i + 2 * step <= count; i += 2 * step) {
    even = hn::MulAdd(hn::LoadU(d, a + i), hn::LoadU(d, b + i), even);
    odd = hn::MulAdd(hn::LoadU(d, a + i + step), hn::LoadU(d, b + i + step), odd);
  }
  for (; i < count; i += step) {
    const std::size_t n = std::min(step, count - i);
    even = hn::MulAdd(load_n(d, a + i, n), load_n(d, b + i, n), even);
  }
  return hn::GetLane(hn::SumOfLanes(d, hn::Add(even, odd)));
}

/// y += a * x
HWY_INLINE void axpy(FloatTag d, float a, const float* x, float* y, std::size_t count) {
  const FloatVec factor = hn::Set(d, a);
  for_vectors(d, count, [&](std::size_t i, std::size_t n) HWY_ATTR {
    store_n(hn::MulAdd(factor, load_n(d, x + i, n), load_n(d, y + i, n)), d, y + i, n);
  });
}

/// Splits e^x into fraction * 2^n, fraction within 1 ulp.
HWY_INLINE FloatVec exp_fraction(FloatTag d, FloatVec x, FloatVec& n) {
  // x = n ln 2 + r with |r| <= ln 2 / 2; ln 2 in two parts, the first with zeros at its end so n * it is
  // exact.
  n = hn::Round(hn::Mul(x, hn::Set(d, 1.44269504F)));
  const FloatVec r =
      hn::NegMulAdd(n, hn::Set(d, -2.12194440e-4F), hn::NegMulAdd(n, hn::Set(d, 0.693359375F), x));
  // e^r = 1 + r + r^2 q(r), q by interpolation at Chebyshev nodes.
  FloatVec q = hn::Set(d, 0.00139262508F);
  q = hn::MulAdd(q, r, hn::Set(d, 0.00836323288F));
  q = hn::MulAdd(q, r, hn::Set(d, 0.0416665542F));
  q = hn::MulAdd(q, r, hn::Set(d, 0.166665767F));
  q = hn::MulAdd(q, r, hn::Set(d, 0.5F));
  return hn::Add(hn::MulAdd(hn::Mul(r, r), q, r), hn::Set(d, 1.0F));
}

/// fraction * 2^(n + bias - 127). A product, not an addition to the exponent: NaN must survive.
HWY_INLINE FloatVec scale_by_power(FloatTag d, FloatVec fraction, FloatVec n, int bias) {
  const hn::RebindToSigned<FloatTag> di;
  const auto exponent = hn::ShiftLeft<23>(hn::Add(hn::ConvertTo(di, n), hn::Set(di, bias)));
  return hn::Mul(fraction, hn::BitCast(d, exponent));
}

/// e^x for x <= 0 within 2 ulp; 0 below -87, NaN for NaN.
HWY_INLINE FloatVec exp_nonpositive(FloatTag d, FloatVec x) {
  FloatVec n;
  const FloatVec fraction = exp_fraction(d, x, n);
  return hn::IfThenZeroElse(hn::Lt(x, hn::Set(d, -87.0F)), scale_by_power(d, fraction, n, 127));
}

/// e^x within 2 ulp; 0 below -87, infinity above the largest float's logarithm, NaN for NaN.
HWY_INLINE FloatVec exp(FloatTag d, FloatVec x) {
  FloatVec n;
  const FloatVec fraction = exp_fraction(d, x, n);
  // 2^n as 2 * 2^(n-1), so that n = 128 fits.
  const FloatVec y = hn::Mul(scale_by_power(d, fraction, n, 126), hn::Set(d, 2.0F));
  const FloatVec bounded = hn::IfThenZeroElse(hn::Lt(x, hn::Set(d, -87.0F)), y);
  return hn::IfThenElse(hn::Gt(x, hn::Set(d, 88.7228394F)),
                        hn::Set(d, std::numeric_limits<float>::infinity()), bounded);
}

/// x * sigmoid(x)
HWY_INLINE FloatVec silu(FloatTag d, FloatVec x) {
  return hn::Div(x, hn::Add(hn::Set(d, 1.0F), exp(d, hn::Neg(x))));
}

HWY_INLINE FloatVec sigmoid(FloatTag d, FloatVec x) {
  return hn::Div(hn::Set(d, 1.0F), hn::Add(hn::Set(d, 1.0F), exp(d, hn::Neg(x))));
}

/// silu(x) and its derivative sigmoid(x) (1 + x (1 - sigmoid(x))).
HWY_INLINE void silu_and_slope(FloatTag d, FloatVec x, FloatVec& value, FloatVec& slope) {
  const FloatVec one = hn::Set(d, 1.0F);
  const FloatVec s = sigmoid(d, x);
  value = hn::Mul(x, s);
  slope = hn::Mul(s, hn::MulAdd(x, hn::Sub(one, s), one));
}

/// log(1 + e^x) as max(x, 0) + log1p(e^-|x|), log1p(u) as 2 atanh(u / (2 + u)): no cancellation anywhere.
HWY_INLINE FloatVec softplus(FloatTag d, FloatVec x) {
  const FloatVec u = exp_nonpositive(d, hn::Neg(hn::Abs(x)));
  const FloatVec s = hn::Div(u, hn::Add(u, hn::Set(d, 2.0F)));
  const FloatVec t = hn::Mul(s, s);
  FloatVec g = hn::Set(d, 0.116121646F);
  g = hn::MulAdd(g, t, hn::Set(d, 0.108532879F));
  g = hn::MulAdd(g, t, hn::Set(d, 0.14296179F));
  g = hn::MulAdd(g, t, hn::Set(d, 0.199998532F));
  g = hn::MulAdd(g, t, hn::Set(d, 0.333333337F));
  const FloatVec log1p = hn::Mul(hn::Add(s, s), hn::MulAdd(g, t, hn::Set(d, 1.0F)));
  return hn::Add(hn::IfThenZeroElse(hn::Lt(x, hn::Zero(d)), x), log1p);
}

/// Sine and cosine of the angles, each rounded from x * 2/pi reduced in double precision.
HWY_INLINE void sin_cos(FloatTag d, FloatVec angle, FloatVec& sine, FloatVec& cosine) {
  HWY_ALIGN float quadrant[hn::MaxLanes(d)];
  HWY_ALIGN float rest[hn::MaxLanes(d)];
  hn::Store(angle, d, rest);
  const hn::Half<FloatTag> dh;
  const hn::RepartitionToWide<FloatTag> dd;
  for (std::size_t i = 0; i < hn::Lanes(d); i += hn::Lanes(dd)) {
    const auto wide = hn::PromoteTo(dd, hn::LoadU(dh, rest + i));
    const auto q = hn::Round(hn::Mul(wide, hn::Set(dd, 0.63661977236758134)));
    const auto r = hn::NegMulAdd(q, hn::Set(dd, 1.5707963267948966), wide);
    hn::StoreU(hn::DemoteTo(dh, q), dh, quadrant + i);
    hn::StoreU(hn::DemoteTo(dh, r), dh, rest + i);
  }
  const FloatVec r = hn::Load(d, rest);
  const FloatVec t = hn::Mul(r, r);
  FloatVec s = hn::MulAdd(hn::Set(d, -0.000195873871F), t, hn::Set(d, 0.00833274594F));
  s = hn::MulAdd(hn::MulAdd(s, t, hn::Set(d, -0.166666647F)), hn::Mul(r, t), r);
  FloatVec c = hn::MulAdd(hn::Set(d, 2.45474372e-05F), t, hn::Set(d, -0.00138883007F));
  c = hn::MulAdd(c, t, hn::Set(d, 0.0416666646F));
  c = hn::MulAdd(hn::MulAdd(c, t, hn::Set(d, -0.5F)), t, hn::Set(d, 1.0F));

  const hn::RebindToSigned<FloatTag> di;
  const auto q = hn::ConvertTo(di, hn::Load(d, quadrant));
  const auto swap = hn::MaskFromVec(hn::BitCast(d, hn::VecFromMask(di, hn::TestBit(q, hn::Set(di, 1)))));
  const auto sign = [&](auto quarter) HWY_ATTR {
    return hn::BitCast(d, hn::ShiftLeft<30>(hn::And(quarter, hn::Set(di, 2))));
  };
  sine = hn::Xor(hn::IfThenElse(swap, c, s), sign(q));
  cosine = hn::Xor(hn::IfThenElse(swap, s, c), sign(hn::Add(q, hn::Set(di, 1))));
}

/// x = softmax(x) over `count` elements.
HWY_INLINE void softmax(FloatTag d, float* x, std::size_t count) {
  if (count == 0) return;
  FloatVec largest = hn::Set(d, x[0]);
  const std::size_t step = hn::Lanes(d);
  std::size_t i = 0;
  for (; i + step <= count; i += step) largest = hn::Max(largest, hn::LoadU(d, x + i));
  float top = hn::GetLane(hn::MaxOfLanes(d, largest));
  for (; i < count; ++i) top = std::max(top, x[i]);
  FloatVec sums = hn::Zero(d);
  float sum = 0.0F;
  for_vectors(d, count, [&](std::size_t at, std::size_t n) HWY_ATTR {
    const FloatVec weight = exp_nonpositive(d, hn::Sub(load_n(d, x + at, n), hn::Set(d, top)));
    store_n(weight, d, x + at, n);
    if (n == step) sums = hn::Add(sums, weight);
  });
  for (i = count / step * step; i < count; ++i) sum += x[i];
  const FloatVec factor = hn::Set(d, 1.0F / (sum + hn::GetLane(hn::SumOfLanes(d, sums))));
  for_vectors(d, count, [&](std::size_t at, std::size_t n) HWY_ATTR {
    store_n(hn::Mul(load_n(d, x + at, n), factor), d, x + at, n);
  });
}

#if HWY_TARGET == HWY_SCALAR

/// Writes the sums of the lanes of a, b, c and e.
HWY_INLINE void store_sums(FloatTag /*d*/, FloatVec a, FloatVec b, FloatVec c, FloatVec e, float* to) {
  to[0] = hn::GetLane(a);
  to[1] = hn::GetLane(b);
  to[2] = hn::GetLane(c);
  to[3] = hn::GetLane(e);
}

#else

/// Adds a vector's 128-bit blocks into one.
template <class D, class V>
HWY_INLINE hn::Vec<hn::FixedTag<float, 4> > sum_blocks(D d, V v) {
  if constexpr (hn::MaxLanes(d) > 4) {
    const hn::Half<D> half;
    return sum_blocks(half, hn::Add(hn::LowerHalf(half, v), hn::UpperHalf(half, v)));
  } else {
    return v;
  }
}

/// Writes the sums of the lanes of a, b, c and e.
HWY_INLINE void store_sums(FloatTag d, FloatVec a, FloatVec b, FloatVec c, FloatVec e, float* to) {
  const hn::RepartitionToWide<FloatTag> pairs;
  const FloatVec ab = hn::Add(hn::InterleaveLower(d, a, b), hn::InterleaveUpper(d, a, b));
  const FloatVec ce = hn::Add(hn::InterleaveLower(d, c, e), hn::InterleaveUpper(d, c, e));
  const auto ab2 = hn::BitCast(pairs, ab);
  const auto ce2 = hn::BitCast(pairs, ce);
  const FloatVec even = hn::BitCast(d, hn::InterleaveLower(pairs, ab2, ce2));
  const FloatVec odd = hn::BitCast(d, hn::InterleaveUpper(pairs, ab2, ce2));
  hn::StoreU(sum_blocks(d, hn::Add(even, odd)), hn::FixedTag<float, 4>(), to);
}

#endif

}  // namespace tandem::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
