// Exponential functions of float32 batches, without the branches of xsimd's; and functions that are right up to the ends of the range.
#pragma once

#include <autodiff/kernels/kernels.hpp>
#include <cmath>
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

// Clamped so that NaN stays, whichever operand min and max take of two where one is NaN: that changed in xsimd 14.
template <class A>
xsimd::batch<float, A> clamped(const xsimd::batch<float, A>& x, float low, float high) {
  using Batch = xsimd::batch<float, A>;
  return choose(x > Batch(high), Batch(high), choose(x < Batch(low), Batch(low), x));
}

template <class A>
xsimd::batch<float, A> exp_of(const xsimd::batch<float, A>& x) {
  using Batch = xsimd::batch<float, A>;
  const ReducedExp<A> e(clamped(x, -104.0f, 89.0f));
  // In two steps, for 2ⁿ has no place in a float32 at either end of the range.
  const auto half = e.n >> 1;
  return (Batch(1.0f) + e.p) * e.power(half) * e.power(e.n - half);
}

template <class A>
xsimd::batch<float, A> sigmoid_of(const xsimd::batch<float, A>& x) {
  using Batch = xsimd::batch<float, A>;
  const ReducedExp<A> e(clamped(-x, -87.0f, 88.7f));
  const Batch y = Batch(1.0f) / (Batch(1.0f) + (Batch(1.0f) + e.p) * e.power(e.n));
  return mended(x, y, x < Batch(-87.0f), [](float v) { return static_cast<float>(std::exp(static_cast<double>(v))); });
}

/// (e²ˣ - 1) / (e²ˣ + 1), the numerator as expm1, so that small ones keep their digits.
template <class A>
xsimd::batch<float, A> tanh_of(const xsimd::batch<float, A>& x) {
  using Batch = xsimd::batch<float, A>;
  const Batch size = xsimd::abs(x);
  const ReducedExp<A> e(choose(size > Batch(10.0f), Batch(20.0f), size + size));
  const Batch power = e.power(e.n), less_one = xsimd::fma(power, e.p, power - Batch(1.0f));
  return xsimd::copysign(less_one / (less_one + Batch(2.0f)), x);
}

// The functions of xsimd, with their ends as the C library has them. On numbers they are the C library's.

template <class A>
xsimd::batch<double, A> exp_of(const xsimd::batch<double, A>& x) {
  using Batch = xsimd::batch<double, A>;  // xsimd's is 0 or infinite some way before its value is
  return mended(x, xsimd::exp(x), xsimd::abs(x) > Batch(707), [](double v) { return std::exp(v); });
}
inline float exp_of(float x) { return std::exp(x); }
inline double exp_of(double x) { return std::exp(x); }

template <class A>
xsimd::batch<double, A> sigmoid_of(const xsimd::batch<double, A>& x) {
  using Batch = xsimd::batch<double, A>;
  return mended(x, Batch(1.0) / (Batch(1.0) + exp_of(-x)), x < Batch(-707), [](double v) { return std::exp(v); });
}

template <class T>
  requires std::is_floating_point_v<T>
T sigmoid_of(T x) {
  return x < -T(std::numeric_limits<T>::max_exponent) / 2 ? std::exp(x) : T(1) / (T(1) + std::exp(-x));
}

template <class T, class A, class F>
xsimd::batch<T, A> mend_subnormals(const xsimd::batch<T, A>& x, const xsimd::batch<T, A>& logarithm, F f) {
  return mended(x, logarithm, (x < xsimd::batch<T, A>(std::numeric_limits<T>::min())) & (x > xsimd::batch<T, A>(0)), f);
}

/// xsimd's logarithms are wrong for subnormal numbers.
auto log_of(const auto& x) {
  if constexpr (std::is_arithmetic_v<std::remove_cvref_t<decltype(x)>>) return std::log(x);
  else return mend_subnormals(x, xsimd::log(x), [](auto v) { return std::log(v); });
}
auto log2_of(const auto& x) {
  if constexpr (std::is_arithmetic_v<std::remove_cvref_t<decltype(x)>>) return std::log2(x);
  else return mend_subnormals(x, xsimd::log2(x), [](auto v) { return std::log2(v); });
}
auto log10_of(const auto& x) {
  if constexpr (std::is_arithmetic_v<std::remove_cvref_t<decltype(x)>>) return std::log10(x);
  else return mend_subnormals(x, xsimd::log10(x), [](auto v) { return std::log10(v); });
}
/// xsimd's cube root is wrong for subnormal numbers.
auto cbrt_of(const auto& x) {
  using T = std::remove_cvref_t<decltype(x)>;
  if constexpr (std::is_arithmetic_v<T>) return std::cbrt(x);
  else return mended(x, xsimd::cbrt(x), (xsimd::abs(x) < T(std::numeric_limits<typename T::value_type>::min())) & (x != T(0)), [](auto v) { return std::cbrt(v); });
}
/// ±0 keeps its sign.
auto log1p_of(const auto& x) {
  using T = std::remove_cvref_t<decltype(x)>;
  if constexpr (std::is_arithmetic_v<T>) return std::log1p(x);
  else return choose(x == T(0), x, xsimd::log1p(x));
}
template <class T, class A>
xsimd::batch<T, A> exp2_of(const xsimd::batch<T, A>& x) {
  using Batch = xsimd::batch<T, A>;
  constexpr T far = std::numeric_limits<T>::max_exponent - 3;
  return mended(x, xsimd::exp2(x), xsimd::abs(x) > Batch(far), [](T v) { return std::exp2(v); });
}
/// For the functions of eˣ that overflow later than it does.
template <class T, class A, class F>
xsimd::batch<T, A> mend_large(const xsimd::batch<T, A>& x, const xsimd::batch<T, A>& y, F f) {
  return mended(x, y, xsimd::abs(x) > xsimd::batch<T, A>(std::is_same_v<T, float> ? T(87) : T(707)), f);
}

}  // namespace xgrad::detail
