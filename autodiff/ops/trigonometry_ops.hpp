// The trigonometric and hyperbolic functions and their kin, as elementwise_ops.hpp has them.
#pragma once

#include <autodiff/evaluate/math.hpp>
#include <autodiff/ops/elementwise.hpp>
#include <autodiff/ops/elementwise_op.hpp>
#include <autodiff/ops/support.hpp>
#include <autodiff/ops/special.hpp>
#include <cmath>
#include <numbers>

namespace xgrad::detail {

auto sinh_of(const auto& x) {
  return mend_large(x, xsimd::sinh(x), [](auto v) { return std::sinh(v); });
}
auto cosh_of(const auto& x) {
  return mend_large(x, xsimd::cosh(x), [](auto v) { return std::cosh(v); });
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
XGRAD_FUNCTION(ArcTan, "arctan", xsimd::atan, std::atan, 1 / (1 + square(x)));
XGRAD_FUNCTION(Sinh, "sinh", sinh_of, std::sinh, cosh(x));
XGRAD_FUNCTION(Cosh, "cosh", cosh_of, std::cosh, sinh(x));
XGRAD_FUNCTION(ArcSinh, "arcsinh", xsimd::asinh, std::asinh, 1 / hypot(x, 1));
XGRAD_FUNCTION(ArcCosh, "arccosh", xsimd::acosh, std::acosh, 1 / (sqrt(x - 1) * sqrt(x + 1)));
XGRAD_FUNCTION(ArcTanh, "arctanh", xsimd::atanh, std::atanh, 1 / ((1 - x) * (1 + x)));
XGRAD_FUNCTION(Exp2, "exp2", exp2_of, std::exp2, y * std::numbers::ln2);
XGRAD_FUNCTION(Log2, "log2", log2_of, std::log2, std::numbers::log2e / x);
XGRAD_FUNCTION(Log10, "log10", log10_of, std::log10, std::numbers::log10e / x);
XGRAD_FUNCTION(Cbrt, "cbrt", cbrt_of, std::cbrt, 1 / (3 * square(y)));
#undef XGRAD_FUNCTION

struct ArcTan2 : Binary<ArcTan2> {
  static constexpr std::string_view title = "arctan2";
  static constexpr bool integral = false;
  static constexpr bool scalar = true;
  static auto kernel(const auto& a, const auto& b) { return std::atan2(a, b); }
  static Tensor rule_a(const Tensor& g, const Tensor& a, const Tensor& b, const Tensor&) { return scale(g, over_square(b, a, b)); }
  static Tensor rule_b(const Tensor& g, const Tensor& a, const Tensor& b, const Tensor&) { return scale(g, -over_square(a, a, b)); }

 private:
  /// x / (a² + b²), 0 at the origin. The squares themselves may overflow or vanish.
  static Tensor over_square(const Tensor& x, const Tensor& a, const Tensor& b) {
    const Tensor length = hypot(a, b);
    return value_at_kink(length == 0, 0, x / length / length);
  }
};

struct Hypot : Binary<Hypot> {
  static constexpr std::string_view title = "hypot";
  static constexpr bool integral = false;
  static constexpr bool scalar = true;
  static auto kernel(const auto& a, const auto& b) { return std::hypot(a, b); }
  static Tensor rule_a(const Tensor& g, const Tensor& a, const Tensor&, const Tensor& y) { return scale(g, value_at_kink(y == 0, 0, a / y)); }
  static Tensor rule_b(const Tensor& g, const Tensor&, const Tensor& b, const Tensor& y) { return rule_a(g, b, b, y); }
};

}  // namespace xgrad::detail
