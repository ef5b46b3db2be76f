// The trigonometric and hyperbolic functions and their kin, as elementwise_ops.hpp has them.
#pragma once

#include <autodiff/kernels/math.hpp>
#include <autodiff/ops/elementwise.hpp>
#include <autodiff/ops/elementwise_op.hpp>
#include <autodiff/ops/slope_ops.hpp>
#include <autodiff/ops/support.hpp>
#include <autodiff/ops/special.hpp>
#include <cmath>
#include <limits>
#include <numbers>

namespace xgrad::detail {

auto sinh_of(const auto& x) {
  return mend_large(x, xsimd::sinh(x), [](auto v) { return std::sinh(v); });
}
auto cosh_of(const auto& x) {
  return mend_large(x, xsimd::cosh(x), [](auto v) { return std::cosh(v); });
}
auto acosh_of(const auto& x) {
  using T = std::remove_cvref_t<decltype(x)>;
  return choose(x < T(1), T(std::numeric_limits<double>::quiet_NaN()), xsimd::acosh(x));
}

/// The C++ function for numbers and xsimd's for batches; the derivative in terms of x and y.
#define XGRAD_FUNCTION(type, function, batch, number, derivative)                                         \
  struct type : Unary<type> {                                                                             \
    static constexpr std::string_view title = function;                                                   \
    static constexpr bool costly = true;                                                                  \
    static auto kernel(const auto& x) {                                                                   \
      if constexpr (std::is_arithmetic_v<std::remove_cvref_t<decltype(x)>>) return number(x);             \
      else return batch(x);                                                                               \
    }                                                                                                     \
    static Tensor rule(const Tensor& g, [[maybe_unused]] const Tensor& x, [[maybe_unused]] const Tensor& y) { \
      return scale(g, derivative);                                                                        \
    }                                                                                                     \
  }

XGRAD_FUNCTION(Tan, "tan", xsimd::tan, std::tan, 1 + square(y));
XGRAD_FUNCTION(ArcSin, "arcsin", xsimd::asin, std::asin, 1 / sqrt((1 - x) * (1 + x)));
XGRAD_FUNCTION(ArcCos, "arccos", xsimd::acos, std::acos, -1 / sqrt((1 - x) * (1 + x)));
XGRAD_FUNCTION(ArcTan, "arctan", xsimd::atan, std::atan, unary<ArcTanSlope>(x));
XGRAD_FUNCTION(Sinh, "sinh", sinh_of, std::sinh, cosh(x));
XGRAD_FUNCTION(Cosh, "cosh", cosh_of, std::cosh, sinh(x));
XGRAD_FUNCTION(ArcSinh, "arcsinh", xsimd::asinh, std::asinh, unary<ArcSinhSlope>(x));
XGRAD_FUNCTION(ArcCosh, "arccosh", acosh_of, std::acosh, 1 / (sqrt(x - 1) * sqrt(x + 1)));
XGRAD_FUNCTION(ArcTanh, "arctanh", xsimd::atanh, std::atanh, binary<LogSlope>(1.0, (1 - x) * (1 + x)));
XGRAD_FUNCTION(Exp2, "exp2", exp2_of, std::exp2, y * std::numbers::ln2);
XGRAD_FUNCTION(Log2, "log2", log2_of, std::log2, binary<LogSlope>(std::numbers::log2e, x));
XGRAD_FUNCTION(Log10, "log10", log10_of, std::log10, binary<LogSlope>(std::numbers::log10e, x));
XGRAD_FUNCTION(Cbrt, "cbrt", cbrt_of, std::cbrt, 1 / (3 * square(y)));
#undef XGRAD_FUNCTION

struct ArcTan2 : Binary<ArcTan2> {
  static constexpr std::string_view title = "arctan2";
  static constexpr bool integral = false;
  static constexpr bool scalar = true;
  static auto kernel(const auto& a, const auto& b) { return std::atan2(a, b); }
  static Tensor rule_a(const Tensor& g, const Tensor& a, const Tensor& b, const Tensor&) { return scale(g, binary<ArcTan2Slope>(b, a)); }
  static Tensor rule_b(const Tensor& g, const Tensor& a, const Tensor& b, const Tensor&) { return scale(g, -binary<ArcTan2Slope>(a, b)); }
};

struct Hypot : Binary<Hypot> {
  static constexpr std::string_view title = "hypot";
  static constexpr bool integral = false;
  static constexpr bool scalar = true;
  static auto kernel(const auto& a, const auto& b) { return std::hypot(a, b); }
  static Tensor rule_a(const Tensor& g, const Tensor& a, const Tensor& b, const Tensor&) { return scale(g, binary<HypotSlope>(a, b)); }
  static Tensor rule_b(const Tensor& g, const Tensor& a, const Tensor& b, const Tensor&) { return scale(g, binary<HypotSlope>(b, a)); }
};

}  // namespace xgrad::detail
