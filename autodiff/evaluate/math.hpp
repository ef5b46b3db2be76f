// Exponential functions of float32 batches: without the branches of xsimd's, and right up to the ends of the range.
#pragma once

#include <autodiff/detail/xsimd.hpp>
#include <cstdint>

namespace xgrad::detail {

/// eˣ = 2ⁿ · (1 + p) for n = round(x / ln 2).
template <class A>
struct ReducedExp {
  using Batch = xsimd::batch<float, A>;
  using Whole = xsimd::batch<std::int32_t, A>;

  /// |x| < 2²¹.
  explicit ReducedExp(const Batch& x) {
    // Added to 1.5 · 2²³, the quotient is rounded to a whole number, which stands in the lowest bits.
    const Batch magic(12582912.0f), shifted = xsimd::fma(x, Batch(1.442695041f), magic), whole = shifted - magic;
    n = same_bits<Whole>(shifted) - same_bits<Whole>(magic);
    // ln 2 in two parts, the first so short that its multiples are exact (Cody and Waite).
    const Batch r = xsimd::fnma(whole, Batch(-2.12194440e-4f), xsimd::fnma(whole, Batch(0.693359375f), x));
    // (eʳ - 1 - r) / r², |r| <= ln 2 / 2.
    Batch q(1.9875691500e-4f);
    for (const float c : {1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f})
      q = xsimd::fma(q, r, Batch(c));
    p = xsimd::fma(r * r, q, r);
  }
  /// 2ᵏ for -127 < k <= 128; the last is infinite.
  static Batch power(const Whole& k) { return same_bits<Batch>((k + Whole(127)) << 23); }

  Whole n;
  Batch p;
};

// Clamped by min(bound, x), which is x where that is NaN.

template <class A>
xsimd::batch<float, A> exp_of(const xsimd::batch<float, A>& x) {
  using Batch = xsimd::batch<float, A>;
  const ReducedExp<A> e(xsimd::max(Batch(-104.0f), xsimd::min(Batch(89.0f), x)));
  // In two steps, for 2ⁿ has no place in a float32 at either end of the range.
  const auto half = e.n >> 1;
  return (Batch(1.0f) + e.p) * e.power(half) * e.power(e.n - half);
}

template <class A>
xsimd::batch<float, A> sigmoid_of(const xsimd::batch<float, A>& x) {
  using Batch = xsimd::batch<float, A>;
  const ReducedExp<A> e(xsimd::max(Batch(-87.0f), xsimd::min(Batch(88.7f), -x)));
  return Batch(1.0f) / (Batch(1.0f) + (Batch(1.0f) + e.p) * e.power(e.n));
}

/// (e²ˣ - 1) / (e²ˣ + 1), the numerator as expm1, so that small ones keep their digits.
template <class A>
xsimd::batch<float, A> tanh_of(const xsimd::batch<float, A>& x) {
  using Batch = xsimd::batch<float, A>;
  const Batch size = xsimd::abs(x);
  const ReducedExp<A> e(xsimd::min(Batch(20.0f), size + size));
  const Batch power = e.power(e.n), less_one = xsimd::fma(power, e.p, power - Batch(1.0f));
  return xsimd::copysign(less_one / (less_one + Batch(2.0f)), x);
}

}  // namespace xgrad::detail
