// The elementwise ops: each one struct with its name, its kernel for one element or one batch, and its rule.
#pragma once

#include <autodiff/kernels/math.hpp>
#include <autodiff/ops/apply.hpp>
#include <autodiff/ops/create.hpp>
#include <autodiff/ops/elementwise.hpp>
#include <autodiff/ops/elementwise_op.hpp>
#include <autodiff/ops/slope_ops.hpp>
#include <autodiff/ops/special.hpp>
#include <autodiff/ops/support.hpp>
#include <cmath>
#include <limits>
#include <numbers>

namespace xgrad::detail {

// In the rules x, a, b are the inputs, y the output, g its cotangent.

struct Negative : Unary<Negative> {
  static constexpr std::string_view title = "negative";
  static constexpr Arithmetic known_as = Arithmetic::negative;
  static constexpr bool integral = true;
  static auto kernel(const auto& x) {
    using T = std::remove_cvref_t<decltype(x)>;
    if constexpr (std::is_integral_v<T>) return -wrapping(x);
    else return T(-0.0) - x;  // xsimd's -x of 0 is not -0
  }
  static Tensor rule(const Tensor& g, const Tensor&, const Tensor&) { return -g; }
};

struct Exp : Unary<Exp> {
  static constexpr std::string_view title = "exp";
  static constexpr bool costly = true;
  static auto kernel(const auto& x) { return exp_of(x); }
  static Tensor rule(const Tensor& g, const Tensor&, const Tensor& y) { return scale(g, y); }
};

struct Log : Unary<Log> {
  static constexpr std::string_view title = "log";
  static constexpr bool costly = true;
  static auto kernel(const auto& x) { return log_of(x); }
  static Tensor rule(const Tensor& g, const Tensor& x, const Tensor&) { return scale(g, binary<LogSlope>(1.0, x)); }
};

struct Log1p : Unary<Log1p> {
  static constexpr std::string_view title = "log1p";
  static constexpr bool costly = true;
  static auto kernel(const auto& x) { return log1p_of(x); }
  static Tensor rule(const Tensor& g, const Tensor& x, const Tensor&) { return scale(g, binary<LogSlope>(1.0, 1 + x)); }
};

struct Expm1 : Unary<Expm1> {
  static constexpr std::string_view title = "expm1";
  static constexpr bool costly = true;
  static auto kernel(const auto& x) {
    using T = std::remove_cvref_t<decltype(x)>;
    if constexpr (std::is_arithmetic_v<T>) return std::expm1(x);
    else return choose(x == T(0), x, mend_large(x, xsimd::expm1(x), [](auto v) { return std::expm1(v); }));
  }
  // Not y + 1, which has few digits below 0.
  static Tensor rule(const Tensor& g, const Tensor& x, const Tensor&) { return scale(g, exp(x)); }
};

struct Sqrt : Unary<Sqrt> {
  static constexpr std::string_view title = "sqrt";
  static constexpr Arithmetic known_as = Arithmetic::sqrt;
  static auto kernel(const auto& x) { return xsimd::sqrt(x); }
  static Tensor rule(const Tensor& g, const Tensor&, const Tensor& y) { return scale(g, 0.5 / y); }
};

struct Square : Unary<Square> {
  static constexpr std::string_view title = "square";
  static constexpr Arithmetic known_as = Arithmetic::square;
  static constexpr bool integral = true;
  static auto kernel(const auto& x) { return wrapping(x) * wrapping(x); }
  static Tensor rule(const Tensor& g, const Tensor& x, const Tensor&) { return scale_twice(g, x); }
};

struct Sign : Unary<Sign> {
  static constexpr std::string_view title = "sign";
  static constexpr bool integral = true;
  static auto kernel(const auto& x) {
    using T = std::remove_cvref_t<decltype(x)>;
    return choose(x > T(0), T(1), choose(x < T(0), T(-1), x));  // x itself: 0, or NaN
  }
  static Tensor rule(const Tensor&, const Tensor&, const Tensor&) { return {}; }
};

/// The sign as the slope of |x|, whose value at 0 is a choice: there it has no derivative, which is NaN.
struct AbsSlope : Unary<AbsSlope> {
  static constexpr std::string_view title = "sign";
  static auto kernel(const auto& x) { return Sign::kernel(x); }
  static Tensor rule(const Tensor& g, const Tensor& x, const Tensor&) { return nan_where(x == 0, g); }
  Support cotangent_support(std::size_t, const Support& g, std::span<const Tensor> inputs, const Tensor& y) const final {
    return within(g, inputs[0] == 0, y.dim());
  }
};

struct Abs : Unary<Abs> {
  static constexpr std::string_view title = "abs";
  static constexpr bool integral = true;
  static auto kernel(const auto& x) {
    if constexpr (std::is_integral_v<std::remove_cvref_t<decltype(x)>>) return static_cast<std::int64_t>(x) < 0 ? -wrapping(x) : wrapping(x);
    else return xsimd::abs(x);
  }
  static Tensor rule(const Tensor& g, const Tensor& x, const Tensor&) { return scale(g, unary<AbsSlope>(x)); }
};

struct Sin : Unary<Sin> {
  static constexpr std::string_view title = "sin";
  static constexpr bool costly = true;
  static auto kernel(const auto& x) { return xsimd::sin(x); }
  static Tensor rule(const Tensor& g, const Tensor& x, const Tensor&) { return scale(g, cos(x)); }
};

struct Cos : Unary<Cos> {
  static constexpr std::string_view title = "cos";
  static constexpr bool costly = true;
  static auto kernel(const auto& x) { return xsimd::cos(x); }
  static Tensor rule(const Tensor& g, const Tensor& x, const Tensor&) { return scale(g, -sin(x)); }
};

struct Tanh : Unary<Tanh> {
  static constexpr std::string_view title = "tanh";
  static constexpr bool costly = true;
  static auto kernel(const auto& x) {
    if constexpr (is_batch_of<std::remove_cvref_t<decltype(x)>, float>) return tanh_of(x);
    else return xsimd::tanh(x);
  }
  static Tensor rule(const Tensor& g, const Tensor&, const Tensor& y) { return scale(g, 1 - y * y); }
};

struct Sigmoid : Unary<Sigmoid> {
  static constexpr std::string_view title = "sigmoid";
  static constexpr bool costly = true;
  static auto kernel(const auto& x) {
    return sigmoid_of(x);
  }
  static Tensor rule(const Tensor& g, const Tensor&, const Tensor& y) { return scale(g, y * (1 - y)); }
};

struct Erf : Unary<Erf> {
  static constexpr std::string_view title = "erf";
  static constexpr bool costly = true;
  static auto kernel(const auto& x) {
    // xsimd's is off by up to 70 ulp in float64.
    if constexpr (is_batch_of<std::remove_cvref_t<decltype(x)>, double>) return by_element(x, [](double v) { return std::erf(v); });
    else return xsimd::erf(x);
  }
  static Tensor rule(const Tensor& g, const Tensor& x, const Tensor&) { return scale(g, 2 * std::numbers::inv_sqrtpi * unary<Gaussian>(x)); }
};

struct Relu : Unary<Relu> {
  static constexpr std::string_view title = "relu";
  static constexpr Arithmetic known_as = Arithmetic::relu;
  static constexpr bool integral = true;
  static auto kernel(const auto& x) {
    using T = std::remove_cvref_t<decltype(x)>;
    return choose(x <= T(0), T(0), x);  // NaN stays
  }
  // By y, which a product behind it keeps anyway; x need not be kept.
  static Tensor rule(const Tensor& g, const Tensor&, const Tensor& y) { return where(y <= 0, 0, g); }
  Support cotangent_support(std::size_t, const Support& g, std::span<const Tensor>, const Tensor& y) const final {
    return g.is_restricted() ? within(g, logical_not(y <= 0), y.dim()) : Support{.mask = {}, .above = y};
  }
};

struct Add : Binary<Add> {
  static constexpr std::string_view title = "add";
  static constexpr Arithmetic known_as = Arithmetic::add;
  static auto kernel(const auto& a, const auto& b) { return wrapping(a) + wrapping(b); }
  static Tensor rule_a(const Tensor& g, const Tensor&, const Tensor&, const Tensor&) { return g; }
  static Tensor rule_b(const Tensor& g, const Tensor&, const Tensor&, const Tensor&) { return g; }
};

struct Subtract : Binary<Subtract> {
  static constexpr std::string_view title = "subtract";
  static constexpr Arithmetic known_as = Arithmetic::subtract;
  static auto kernel(const auto& a, const auto& b) { return wrapping(a) - wrapping(b); }
  static Tensor rule_a(const Tensor& g, const Tensor&, const Tensor&, const Tensor&) { return g; }
  // This has b's shape, which may be much smaller.
  static Tensor rule_b(const Tensor& g, const Tensor&, const Tensor& b, const Tensor&) { return -unbroadcast(g, b.shape()); }
};

struct Multiply : Binary<Multiply> {
  static constexpr std::string_view title = "multiply";
  static constexpr Arithmetic known_as = Arithmetic::multiply;
  static auto kernel(const auto& a, const auto& b) { return wrapping(a) * wrapping(b); }
  // A square gets both at once: one product rather than two and their sum.
  static Tensor rule_a(const Tensor& g, const Tensor& a, const Tensor& b, const Tensor&) {
    return a.node() == b.node() ? scale_twice(g, b) : scale(g, b);
  }
  static Tensor rule_b(const Tensor& g, const Tensor& a, const Tensor& b, const Tensor&) {
    return a.node() == b.node() ? Tensor() : scale(g, a);
  }
};

struct Divide : Binary<Divide> {
  static constexpr std::string_view title = "divide";
  static constexpr Arithmetic known_as = Arithmetic::divide;
  static constexpr bool integral = false;
  static auto kernel(const auto& a, const auto& b) { return a / b; }
  static Tensor rule_a(const Tensor& g, const Tensor&, const Tensor& b, const Tensor&) { return scale(g, 1 / b); }
  // Where b is of a shape that may be much smaller, so is the quotient. 1/b may overflow, y/b only if the derivative does.
  static Tensor rule_b(const Tensor& g, const Tensor&, const Tensor& b, const Tensor& y) {
    return scale(g, b.shape() == y.shape() ? -(y / b) : y * (-1 / b));
  }
};

struct Power : Binary<Power> {
  static constexpr std::string_view title = "power";
  static constexpr bool scalar = true;  // a batch power by exp and log loses digits as the exponent grows
  static auto kernel(const auto& a, const auto& b) {
    if constexpr (std::is_floating_point_v<std::remove_cvref_t<decltype(a)>>) {
      return std::pow(a, b);
    } else {  // b >= 0 was checked at the call; wraps as NumPy's does
      std::uint64_t result = 1, base = static_cast<std::uint64_t>(a);
      for (auto exponent = static_cast<std::uint64_t>(b); exponent != 0; exponent >>= 1, base *= base)
        if (exponent & 1) result *= base;
      return static_cast<std::int64_t>(result);
    }
  }
  static Tensor rule_a(const Tensor& g, const Tensor& a, const Tensor& b, const Tensor&) {
    // At b = 0 it is 0 also for a = 0.
    const Tensor slope = binary<PowerSlope>(a, b);
    if (!b.requires_grad()) return scale(g, where(b == 0, 0, slope));
    // Along b it is as steep as the formula says; at (0, 1) that is infinite, which the slope of 0⁰ along its exponent, a choice, hides.
    const Tensor steep = logical_and(a == 0, b == 1);
    return scale(g, where(steep, value_at_kink(steep, 1, slope / a), value_at_kink(b == 0, 0, slope)));
  }
  static Tensor rule_b(const Tensor& g, const Tensor& a, const Tensor& b, const Tensor& y) {
    const Tensor slope = y * log(a);
    return scale(g, value_at_kink(logical_and(a == 0, b >= 0), 0, slope));
  }
};

/// sign(x)·|x|ᵖ for a number p, 0 at 0 for all of them: the slope of |x|ᵖ, chosen where there is none.
struct SignedPower : Binary<SignedPower> {
  static constexpr std::string_view title = "power";
  static constexpr bool integral = false;
  static constexpr bool scalar = true;
  static auto kernel(const auto& x, const auto& p) { return x == 0 ? x : std::copysign(std::pow(std::abs(x), p), x); }
  static Tensor rule_a(const Tensor& g, const Tensor& x, const Tensor& p, const Tensor&);
  static Tensor rule_b(const Tensor&, const Tensor&, const Tensor&, const Tensor&) { return {}; }
};

/// |x|ᵖ for a number p.
struct AbsPower : Binary<AbsPower> {
  static constexpr std::string_view title = "power";
  static constexpr bool integral = false;
  static constexpr bool scalar = true;
  static auto kernel(const auto& x, const auto& p) { return std::pow(std::abs(x), p); }
  static Tensor rule_a(const Tensor& g, const Tensor& x, const Tensor& p, const Tensor&) { return scale(g, p * binary<SignedPower>(x, p - 1)); }
  static Tensor rule_b(const Tensor&, const Tensor&, const Tensor&, const Tensor&) { return {}; }
};

inline Tensor SignedPower::rule_a(const Tensor& g, const Tensor& x, const Tensor& p, const Tensor&) {
  return scale(g, p * binary<AbsPower>(x, p - 1));
}

/// The slope of maximum(a, b) with respect to a: 1 where a is greater, ½ at a tie, where it has no derivative, else 0.
struct TieWeight : Binary<TieWeight> {
  static constexpr std::string_view title = "maximum";
  static constexpr bool integral = false;
  static auto kernel(const auto& a, const auto& b) {
    using T = std::remove_cvref_t<decltype(a)>;
    return choose(a > b, T(1), choose(a == b, T(0.5), choose(a < b, T(0), a + b)));  // NaN of NaN
  }
  static Tensor rule_a(const Tensor& g, const Tensor& a, const Tensor& b, const Tensor&) { return nan_where(a == b, g); }
  static Tensor rule_b(const Tensor& g, const Tensor& a, const Tensor& b, const Tensor& y) { return rule_a(g, a, b, y); }
  Support cotangent_support(std::size_t, const Support& g, std::span<const Tensor> inputs, const Tensor& y) const final {
    return within(g, inputs[0] == inputs[1], y.dim());
  }
};

struct Maximum : Binary<Maximum> {
  static constexpr std::string_view title = "maximum";
  static auto kernel(const auto& a, const auto& b) { return choose((a > b) | is_nan(a), a, b); }
  static Tensor rule_a(const Tensor& g, const Tensor& a, const Tensor& b, const Tensor&) { return scale(g, binary<TieWeight>(a, b)); }
  static Tensor rule_b(const Tensor& g, const Tensor& a, const Tensor& b, const Tensor&) { return scale(g, binary<TieWeight>(b, a)); }
  Support cotangent_support(std::size_t i, const Support& g, std::span<const Tensor> inputs, const Tensor& y) const final {
    return within(g, logical_not(inputs[i] < inputs[1 - i]), y.dim());
  }
};

struct Minimum : Binary<Minimum> {
  static constexpr std::string_view title = "minimum";
  static auto kernel(const auto& a, const auto& b) { return choose((a < b) | is_nan(a), a, b); }
  static Tensor rule_a(const Tensor& g, const Tensor& a, const Tensor& b, const Tensor&) { return scale(g, binary<TieWeight>(b, a)); }
  static Tensor rule_b(const Tensor& g, const Tensor& a, const Tensor& b, const Tensor&) { return scale(g, binary<TieWeight>(a, b)); }
  Support cotangent_support(std::size_t i, const Support& g, std::span<const Tensor> inputs, const Tensor& y) const final {
    return within(g, logical_not(inputs[i] > inputs[1 - i]), y.dim());
  }
};

/// One op, since minimum(maximum(...)) would halve the cotangent at a bound.
struct Clip : ElementwiseOp {
  static constexpr std::size_t arity = 3;
  static constexpr bool same_type = true;
  static constexpr bool integral = true;
  std::string_view name() const final { return "clip"; }
  TileKernel tile_kernel(DType dtype) const final { return find_same_type<Clip>(dtype); }
  VectorKernel vector_kernel(DType dtype, Accumulated accumulated) const final { return simd_vector_kernel<Clip>(dtype, accumulated); }
  static auto kernel(const auto& x, const auto& low, const auto& high) {
    return choose(is_nan(x), x, Minimum::kernel(Maximum::kernel(x, low), high));
  }
  Tensor vjp(std::size_t i, const Tensor& g, std::span<const Tensor> inputs, const Tensor&) const final {
    if (i > 0) return {};
    return where(is_outside(inputs), 0, g);
  }
  Support cotangent_support(std::size_t, const Support& g, std::span<const Tensor> inputs, const Tensor& y) const final {
    return within(g, logical_not(is_outside(inputs)), y.dim());
  }

 private:
  static Tensor is_outside(std::span<const Tensor> inputs) { return logical_or(inputs[0] < inputs[1], inputs[0] > inputs[2]); }
};

template <class T>
void where_kernel(const void* const* inputs, void* output, std::size_t n) {
  const bool* condition = static_cast<const bool*>(inputs[0]);
  const T* a = static_cast<const T*>(inputs[1]);
  const T* b = static_cast<const T*>(inputs[2]);
  T* y = static_cast<T*>(output);
  for (std::size_t i = 0; i < n; ++i) y[i] = condition[i] ? a[i] : b[i];
}

/// One of two values for each element.
struct Where : ElementwiseOp {
  static constexpr std::size_t arity = 3;
  static constexpr bool same_type = false;
  std::string_view name() const final { return "where"; }
  TileKernel tile_kernel(DType dtype) const final {
    return dispatch(dtype, [](auto type) -> TileKernel { return where_kernel<decltype(type)>; });
  }
  VectorKernel vector_kernel(DType dtype, Accumulated accumulated) const final { return simd_vector_kernel<Where>(dtype, accumulated); }
  /// On batches, where a condition is 1 or 0.
  static auto kernel(const auto& condition, const auto& a, const auto& b) {
    using T = std::remove_cvref_t<decltype(condition)>;
    return choose(condition == T(0), b, a);
  }
  Tensor vjp(std::size_t i, const Tensor& g, std::span<const Tensor> inputs, const Tensor&) const override {
    if (i == 0) return {};
    return i == 1 ? where(inputs[0], g, 0) : where(inputs[0], 0, g);
  }
  Support cotangent_support(std::size_t i, const Support& g, std::span<const Tensor> inputs, const Tensor& y) const override {
    return within(g, i == 1 ? inputs[0] : logical_not(inputs[0]), y.dim());
  }
};

/// See support.hpp.
struct ValueAtKink final : Where {
  Tensor vjp(std::size_t i, const Tensor& g, std::span<const Tensor>, const Tensor&) const override { return i == 2 ? g : Tensor(); }
  Support cotangent_support(std::size_t, const Support& g, std::span<const Tensor>, const Tensor&) const override { return g; }
};

template <class From, class To>
void cast_kernel(const void* const* inputs, void* output, std::size_t n) {
  const From* x = static_cast<const From*>(inputs[0]);
  To* y = static_cast<To*>(output);
  for (std::size_t i = 0; i < n; ++i) {
    if constexpr (std::is_same_v<To, std::int64_t> && std::is_floating_point_v<From>) {
      y[i] = to_int64(x[i]);
    } else {
      y[i] = static_cast<To>(x[i]);
    }
  }
}

template <DType to>
struct Cast : ElementwiseOp {
  static constexpr std::size_t arity = 1;
  static constexpr bool same_type = false;
  std::string_view name() const final { return "to"; }
  TileKernel tile_kernel(DType from) const final {
    return dispatch(from, [](auto source) -> TileKernel {
      return dispatch(to, [](auto target) -> TileKernel { return cast_kernel<decltype(source), decltype(target)>; });
    });
  }
  /// Between a floating type and bool, which is 1 or 0 there.
  VectorKernel vector_kernel(DType dtype, Accumulated accumulated) const final {
    if constexpr (to != DType::int64)
      if (to == DType::bool_ || to == dtype) return simd_vector_kernel<Cast>(dtype, accumulated);
    return {};
  }
  static auto kernel(const auto& x) {
    if constexpr (to == DType::bool_) return !(x == std::remove_cvref_t<decltype(x)>(0));
    else return x;
  }
  Tensor vjp(std::size_t, const Tensor& g, std::span<const Tensor>, const Tensor&) const final { return g; }
};

#define XGRAD_COMPARISON(type, function, symbol)                                  \
  struct type : Comparison<type> {                                                \
    static constexpr std::string_view title = function;                           \
    static auto kernel(const auto& a, const auto& b) { return a symbol b; }       \
  };
XGRAD_COMPARISON(Equal, "equal", ==)
XGRAD_COMPARISON(Less, "less", <)
XGRAD_COMPARISON(LessEqual, "less_equal", <=)
XGRAD_COMPARISON(Greater, "greater", >)
XGRAD_COMPARISON(GreaterEqual, "greater_equal", >=)
#undef XGRAD_COMPARISON

struct NotEqual : Comparison<NotEqual> {
  static constexpr std::string_view title = "not_equal";
  static auto kernel(const auto& a, const auto& b) { return !(a == b); }  // xsimd's != is false for NaN with AVX-512
};

}  // namespace xgrad::detail
