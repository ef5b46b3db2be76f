// More functions of mathematics, as elementwise_ops.hpp has the basic ones.
#pragma once

#include <autodiff/kernels/math.hpp>
#include <autodiff/ops/create.hpp>
#include <autodiff/ops/elementwise.hpp>
#include <autodiff/ops/elementwise_op.hpp>
#include <autodiff/ops/slope_ops.hpp>
#include <autodiff/ops/support.hpp>
#include <autodiff/ops/special.hpp>
#include <cmath>
#include <limits>
#include <numbers>

namespace xgrad::detail {

double digamma_of(double x);
double polygamma_of(std::int64_t n, double x);

struct Erfc : Unary<Erfc> {
  static constexpr std::string_view title = "erfc";
  static constexpr bool scalar = true;
  static auto kernel(const auto& x) { return std::erfc(x); }
  static Tensor rule(const Tensor& g, const Tensor& x, const Tensor&) { return scale(g, -2 * std::numbers::inv_sqrtpi * unary<Gaussian>(x)); }
};

struct LGamma : Unary<LGamma> {
  static constexpr std::string_view title = "lgamma";
  static constexpr bool scalar = true;
  static auto kernel(const auto& x) {
    int sign = 0;  // std::lgamma writes it to a variable that all threads share
    return static_cast<std::remove_cvref_t<decltype(x)>>(::lgamma_r(static_cast<double>(x), &sign));
  }
  static Tensor rule(const Tensor& g, const Tensor& x, const Tensor&) { return scale(g, digamma(x)); }
};

struct Digamma : Unary<Digamma> {
  static constexpr std::string_view title = "digamma";
  static constexpr bool scalar = true;
  static auto kernel(const auto& x) { return static_cast<std::remove_cvref_t<decltype(x)>>(digamma_of(static_cast<double>(x))); }
  static Tensor rule(const Tensor& g, const Tensor& x, const Tensor&) { return scale(g, polygamma(1, x)); }
};

/// The order comes as an operand, a number.
struct Polygamma : Binary<Polygamma> {
  static constexpr std::string_view title = "polygamma";
  static constexpr bool integral = false;
  static constexpr bool scalar = true;
  static auto kernel(const auto& n, const auto& x) {
    return static_cast<std::remove_cvref_t<decltype(x)>>(polygamma_of(static_cast<std::int64_t>(n), static_cast<double>(x)));
  }
  static Tensor rule_a(const Tensor&, const Tensor&, const Tensor&, const Tensor&) { return {}; }
  static Tensor rule_b(const Tensor& g, const Tensor& n, const Tensor& x, const Tensor&) {
    const Tensor inputs[] = {n + 1, x};
    return scale(g, record(shared_op<Polygamma>(), inputs, x.shape(), x.dtype()));
  }
};

struct Softplus : Unary<Softplus> {
  static constexpr std::string_view title = "softplus";
  static constexpr bool costly = true;
  static auto kernel(const auto& x) {
    using T = std::remove_cvref_t<decltype(x)>;
    return log1p_of(exp_of(-xsimd::abs(x))) + choose(x > T(0), x, T(0));  // the first is NaN of NaN
  }
  static Tensor rule(const Tensor& g, const Tensor& x, const Tensor&) { return scale(g, sigmoid(x)); }
};

struct LogAddExp : Binary<LogAddExp> {
  static constexpr std::string_view title = "logaddexp";
  static constexpr bool integral = false;
  static constexpr bool costly = true;
  static auto kernel(const auto& a, const auto& b) {
    using T = std::remove_cvref_t<decltype(a)>;
    const auto larger = choose(a > b, a, b);
    const auto distance = choose(a == b, T(0), -xsimd::abs(a - b));  // two infinities have none
    return larger + log1p_of(exp_of(distance));
  }
  static Tensor rule_a(const Tensor& g, const Tensor& a, const Tensor& b, const Tensor&) {
    return scale(g, binary<LogAddExpSlope>(a, b));
  }
  static Tensor rule_b(const Tensor& g, const Tensor& a, const Tensor& b, const Tensor& y) { return rule_a(g, b, a, y); }
};

struct XLogY : Binary<XLogY> {
  static constexpr std::string_view title = "xlogy";
  static constexpr bool integral = false;
  static constexpr bool costly = true;
  static auto kernel(const auto& a, const auto& b) {
    using T = std::remove_cvref_t<decltype(a)>;
    const auto value = a * log_of(b);
    return choose(a == T(0), choose(is_nan(b), b, T(0)), value);
  }
  static Tensor rule_a(const Tensor& g, const Tensor& a, const Tensor& b, const Tensor&) {
    return scale(g, value_at_kink(logical_and(a == 0, b <= 0), 0, log(b)));
  }
  static Tensor rule_b(const Tensor& g, const Tensor& a, const Tensor& b, const Tensor&) { return scale(g, value_at_kink(a == 0, 0, binary<LogSlope>(a, b))); }
};

/// The remainder of whole numbers: INT64_MIN by -1 has no quotient, but a remainder.
template <class T, class F>
T integer_remainder(T a, T b, F sign_of) {
  if (b == 0 || b == -1) return 0;
  const T rest = a % b;
  return rest != 0 && sign_of(rest, b) ? rest + b : rest;
}

/// The slope of a remainder along what is divided, which has none where there is no value.
inline Tensor one_unless_nan(const Tensor& y) { return where(y == y, ones_like(y), std::numeric_limits<double>::quiet_NaN()); }

struct FMod : Binary<FMod> {
  static constexpr std::string_view title = "fmod";
  static constexpr bool scalar = true;
  static constexpr bool follows_divisor = false;
  static auto kernel(const auto& a, const auto& b) {
    using T = std::remove_cvref_t<decltype(a)>;
    if constexpr (std::is_floating_point_v<T>) return std::fmod(a, b);
    else if constexpr (std::is_same_v<T, bool>) return false;
    else return integer_remainder(a, b, [](T, T) { return false; });
  }
  static Tensor rule_a(const Tensor& g, const Tensor&, const Tensor&, const Tensor& y) { return scale(g, one_unless_nan(y)); }
  static Tensor rule_b(const Tensor& g, const Tensor& a, const Tensor& b, const Tensor&) { return scale(g, -binary<WholeQuotient<FMod>>(a, b)); }
};

struct Remainder : Binary<Remainder> {
  static constexpr std::string_view title = "remainder";
  static constexpr bool scalar = true;
  static constexpr bool follows_divisor = true;
  static auto kernel(const auto& a, const auto& b) {
    using T = std::remove_cvref_t<decltype(a)>;
    if constexpr (std::is_floating_point_v<T>) {
      const T rest = std::fmod(a, b);
      if (rest == 0) return std::copysign(rest, b);
      return (rest < 0) != (b < 0) ? rest + b : rest;
    } else if constexpr (std::is_same_v<T, bool>) {
      return false;
    } else {
      return integer_remainder(a, b, [](T rest, T divisor) { return (rest < 0) != (divisor < 0); });
    }
  }
  static Tensor rule_a(const Tensor& g, const Tensor&, const Tensor&, const Tensor& y) { return scale(g, one_unless_nan(y)); }
  static Tensor rule_b(const Tensor& g, const Tensor& a, const Tensor& b, const Tensor&) { return scale(g, -binary<WholeQuotient<Remainder>>(a, b)); }
};

#define XGRAD_ROUNDING(type, function, batch)                                                          \
  struct type : Unary<type> {                                                                          \
    static constexpr std::string_view title = function;                                                \
    static constexpr bool integral = true;                                                             \
    static auto kernel(const auto& x) {                                                                \
      if constexpr (std::is_integral_v<std::remove_cvref_t<decltype(x)>>) return x;                    \
      else return batch(x);                                                                            \
    }                                                                                                  \
    static Tensor rule(const Tensor&, const Tensor&, const Tensor&) { return {}; }                     \
  }
XGRAD_ROUNDING(Floor, "floor", xsimd::floor);
XGRAD_ROUNDING(Ceil, "ceil", xsimd::ceil);
XGRAD_ROUNDING(Round, "round", xsimd::nearbyint);
XGRAD_ROUNDING(Trunc, "trunc", xsimd::trunc);
#undef XGRAD_ROUNDING

}  // namespace xgrad::detail
