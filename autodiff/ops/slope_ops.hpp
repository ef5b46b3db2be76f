// Local derivatives that a formula of public ops would get wrong at the ends of the range, or outside of a function's domain, or that
// would take several: each an op with a rule of its own. In the rules a, b, x are the inputs, y the output, g its cotangent.
#pragma once

#include <autodiff/kernels/math.hpp>
#include <autodiff/ops/apply.hpp>
#include <autodiff/ops/elementwise.hpp>
#include <autodiff/ops/elementwise_op.hpp>
#include <autodiff/ops/special.hpp>
#include <autodiff/ops/support.hpp>
#include <cmath>
#include <limits>

namespace xgrad::detail {

/// c/x for x >= 0, else NaN: the slope of c ln x, which has none where it has no value.
struct LogSlope : Binary<LogSlope> {
  static constexpr std::string_view title = "log";
  static constexpr bool integral = false;
  static auto kernel(const auto& c, const auto& x) {
    using T = std::remove_cvref_t<decltype(x)>;
    return choose(x < T(0), T(std::numeric_limits<double>::quiet_NaN()), c / xsimd::abs(x));
  }
  static Tensor rule_a(const Tensor& g, const Tensor&, const Tensor& x, const Tensor&) { return scale(g, binary<LogSlope>(1.0, x)); }
  static Tensor rule_b(const Tensor& g, const Tensor&, const Tensor& x, const Tensor& y) { return scale(g, -(y / x)); }
};

/// exp(-x²), with the digits that the square loses.
struct Gaussian : Unary<Gaussian> {
  static constexpr std::string_view title = "erf";
  static constexpr bool costly = true;
  static auto kernel(const auto& x) {
    using T = std::remove_cvref_t<decltype(x)>;
    // x in two halves, whose products are exact (Dekker): x² = square + rest.
    const T wide = x * T(halves<T>()), high = wide - (wide - x), low = x - high, square = x * x;
    const T rest = ((high * high - square) + T(2) * high * low) + low * low, y = exp_of(-square);
    return choose(y == T(0), y, y - y * rest);
  }
  static Tensor rule(const Tensor& g, const Tensor& x, const Tensor& y) { return scale(g, -2 * (x * y)); }

 private:
  template <class T>
  static constexpr auto halves() {
    if constexpr (std::is_same_v<T, float> || is_batch_of<T, float>) return 4097.0f;
    else return 134217729.0;
  }
};

/// 1/(1 + x²), the slope of arctan x; the square may overflow.
struct ArcTanSlope : Unary<ArcTanSlope> {
  static constexpr std::string_view title = "arctan";
  static auto kernel(const auto& x) {
    using T = std::remove_cvref_t<decltype(x)>;
    return choose(xsimd::abs(x) > T(1e9), (T(1) / x) / x, T(1) / (T(1) + x * x));
  }
  static Tensor rule(const Tensor& g, const Tensor& x, const Tensor& y) { return scale(g, -2 * (x * y) * y); }
};

/// 1/√(1 + x²), the slope of arcsinh x; the square may overflow.
struct ArcSinhSlope : Unary<ArcSinhSlope> {
  static constexpr std::string_view title = "arcsinh";
  static auto kernel(const auto& x) {
    using T = std::remove_cvref_t<decltype(x)>;
    const T size = xsimd::abs(x);
    return T(1) / choose(size > T(1e9), size, xsimd::sqrt(T(1) + x * x));
  }
  static Tensor rule(const Tensor& g, const Tensor& x, const Tensor& y) { return scale(g, -(x * y) * square(y)); }
};

/// eᵃ/(eᵃ + eᵇ), the slope of logaddexp(a, b) along a: half for two equal infinities.
struct LogAddExpSlope : Binary<LogAddExpSlope> {
  static constexpr std::string_view title = "logaddexp";
  static constexpr bool integral = false;
  static constexpr bool costly = true;
  static auto kernel(const auto& a, const auto& b) {
    using T = std::remove_cvref_t<decltype(a)>;
    // a - b = difference + rest (Knuth); the rest of infinite ones is NaN.
    const T difference = a - b, part = difference - a, rest = (a - (difference - part)) - (b + part);
    const T y = sigmoid_of(choose(a == b, T(0), difference));
    return y + choose(is_nan(rest), T(0), y * (T(1) - y) * rest);
  }
  static Tensor rule_a(const Tensor& g, const Tensor& a, const Tensor& b, const Tensor& y) { return scale(g, y * binary<LogAddExpSlope>(b, a)); }
  static Tensor rule_b(const Tensor& g, const Tensor& a, const Tensor& b, const Tensor& y) { return -rule_a(g, a, b, y); }
};

/// b·aᵇ⁻¹, 0 for b = 0; NaN where aᵇ is.
struct PowerSlope : Binary<PowerSlope> {
  static constexpr std::string_view title = "power";
  static constexpr bool integral = false;
  static constexpr bool scalar = true;
  static auto kernel(const auto& a, const auto& b) {
    using T = std::remove_cvref_t<decltype(a)>;
    const T y = std::pow(a, b);
    if (b == 0) return T(0);
    // b - 1 may round, which aᵇ/a does not; unless that has left the range.
    if (std::isnormal(y) || std::isnan(y)) return std::abs(y) > 1 && std::abs(b) >= 1 ? y / a * b : b * y / a;
    if (a == 0) return b * std::pow(a, b - 1);
    return b * std::copysign(std::pow(std::abs(a), b - 1), std::signbit(a) == std::signbit(y) ? T(1) : T(-1));
  }
  static Tensor rule_a(const Tensor& g, const Tensor& a, const Tensor& b, const Tensor&) { return scale(g, b * binary<PowerSlope>(a, b - 1)); }
  static Tensor rule_b(const Tensor& g, const Tensor& a, const Tensor& b, const Tensor&) {
    const Tensor lower = power(a, b - 1);
    return scale(g, lower + b * value_at_kink(logical_and(a == 0, b >= 1), 0, lower * log(a)));
  }
};

/// The exponent of the larger of two numbers if their squares would leave the range, else 0.
inline int exponent_of_both(double a, double b) {
  const double larger = std::max(std::abs(a), std::abs(b));
  return larger == 0 || !std::isfinite(larger) || (larger > 0x1p-400 && larger < 0x1p400) ? 0 : std::ilogb(larger);
}

/// a/√(a² + b²), the slope of hypot; 0 at the origin.
struct HypotSlope : Binary<HypotSlope> {
  static constexpr std::string_view title = "hypot";
  static constexpr bool integral = false;
  static constexpr bool scalar = true;
  static auto kernel(const auto& a, const auto& b) {
    using T = std::remove_cvref_t<decltype(a)>;
    if (a == 0 && b == 0) return T(0);
    if (std::isinf(a) && std::isfinite(b)) return std::copysign(T(1), a);
    if (std::isinf(b) && std::isfinite(a)) return std::copysign(T(0), a);
    const int exponent = exponent_of_both(a, b);
    const double x = std::ldexp(a, -exponent), y = std::ldexp(b, -exponent);
    return static_cast<T>(x / std::sqrt(x * x + y * y));
  }
  static Tensor rule_a(const Tensor& g, const Tensor& a, const Tensor& b, const Tensor&) { return scale(g, square(binary<HypotSlope>(b, a)) / hypot(a, b)); }
  static Tensor rule_b(const Tensor& g, const Tensor& a, const Tensor& b, const Tensor& y) { return scale(g, -y * (binary<HypotSlope>(b, a) / hypot(a, b))); }
};

/// a/(a² + b²), that of arctan2 with respect to the other; 0 at the origin, where it has no derivative.
struct ArcTan2Slope : Binary<ArcTan2Slope> {
  static constexpr std::string_view title = "arctan2";
  static constexpr bool integral = false;
  static constexpr bool scalar = true;
  static auto kernel(const auto& a, const auto& b) {
    using T = std::remove_cvref_t<decltype(a)>;
    if (a == 0 && b == 0) return T(0);
    if ((std::isinf(a) || std::isinf(b)) && !std::isnan(a) && !std::isnan(b)) return std::copysign(T(0), a);
    const int exponent = exponent_of_both(a, b);
    const double x = std::ldexp(a, -exponent), y = std::ldexp(b, -exponent);
    return static_cast<T>(std::ldexp(x / (x * x + y * y), -exponent));
  }
  static Tensor rule_a(const Tensor& g, const Tensor& a, const Tensor& b, const Tensor& y) {
    const Tensor other = binary<ArcTan2Slope>(b, a);
    return at_origin(scale(g, (other - y) * (other + y)), g, a, b);
  }
  static Tensor rule_b(const Tensor& g, const Tensor& a, const Tensor& b, const Tensor& y) {
    return at_origin(scale(g, -2 * y * binary<ArcTan2Slope>(b, a)), g, a, b);
  }

 private:
  static Tensor at_origin(const Tensor& slope, const Tensor& g, const Tensor& a, const Tensor& b) { return slope + nan_where(logical_and(a == 0, b == 0), g); }
};

/// How often b goes into a, as the remainder `O` counts: the slope of that along b, but for the sign.
template <class O>
struct WholeQuotient : Binary<WholeQuotient<O>> {
  static constexpr std::string_view title = O::title;
  static constexpr bool integral = false;
  static constexpr bool scalar = true;
  static auto kernel(const auto& a, const auto& b) {
    using T = std::remove_cvref_t<decltype(a)>;
    const T rest = std::fmod(a, b), truncated = std::isinf(b) ? T(0) : std::round((a - rest) / b);
    if (std::isnan(rest)) return rest;
    return O::follows_divisor && rest != 0 && (rest < 0) != (b < 0) ? truncated - 1 : truncated;
  }
  static Tensor rule_a(const Tensor&, const Tensor&, const Tensor&, const Tensor&) { return {}; }
  static Tensor rule_b(const Tensor&, const Tensor&, const Tensor&, const Tensor&) { return {}; }
};

}  // namespace xgrad::detail
