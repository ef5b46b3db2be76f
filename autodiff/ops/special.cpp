#include <algorithm>
#include <autodiff/core/per_thread.hpp>
#include <autodiff/core/trace_state.hpp>
#include <autodiff/ops/apply.hpp>
#include <autodiff/ops/check_values.hpp>
#include <autodiff/ops/contiguous.hpp>
#include <autodiff/ops/special_ops.hpp>
#include <stdexcept>
#include <vector>

namespace xgrad {
namespace detail {
namespace {

// Bernoulli numbers B₂, B₄, … of the asymptotic series, whose terms from `far` on are beyond float64.
constexpr double bernoulli[] = {1.0 / 6, -1.0 / 30, 1.0 / 42, -1.0 / 30, 5.0 / 66, -691.0 / 2730, 7.0 / 6, -3617.0 / 510, 43867.0 / 798};
constexpr double far = 12;

}  // namespace

namespace {
/// cot(πx), with the digits that it has about its zeros.
double cotangent(double x) {
  const double part = x - std::round(x);
  return std::abs(part) > 0.25 ? std::copysign(std::tan(std::numbers::pi * (0.5 - std::abs(part))), part) : 1 / std::tan(std::numbers::pi * part);
}
}  // namespace

/// Abramowitz & Stegun 6.3.5 to go up, 6.3.18 from there, 6.3.7 below 0.
double digamma_of(double x) {
  constexpr double pi = std::numbers::pi;
  if (x == 0) return std::copysign(std::numeric_limits<double>::infinity(), -x);
  if (x < 0) {
    if (x == std::floor(x)) return std::numeric_limits<double>::quiet_NaN();
    return digamma_of(1 - x) - pi * cotangent(x);
  }
  if (std::isinf(x)) return x;
  double result = 0;
  for (; x < far; ++x) result -= 1 / x;
  const double inverse = 1 / (x * x);
  double power = inverse;
  result += std::log(x) - 0.5 / x;
  for (int k = 1; k <= 9; ++k, power *= inverse) result -= bernoulli[k - 1] / (2 * k) * power;
  return result;
}

/// The n-th derivative of cot(πx): πⁿ Pₙ(cot(πx)) with P₀ = c and Pₙ₊₁ = -(1 + c²) Pₙ'.
double cotangent_derivative(std::int64_t n, double x) {
  struct Polynomial {
    std::vector<double> coefficients;
  };
  std::vector<double>& p = per_thread<Polynomial>().coefficients;  // Pₙ, whose degree is n + 1; the same for all elements
  if (p.size() != static_cast<std::size_t>(n) + 2) {
    p = {0, 1};
    for (std::int64_t k = 0; k < n; ++k) {
      std::vector<double> next(p.size() + 1, 0.0);
      for (std::size_t power = 1; power < p.size(); ++power) {
        const double slope = -static_cast<double>(power) * p[power];
        next[power - 1] += slope;
        next[power + 1] += slope;
      }
      p = std::move(next);
    }
  }
  const double c = cotangent(x);
  double value = p.back();
  for (std::size_t power = p.size() - 1; power-- > 0;) value = value * c + p[power];
  return std::pow(std::numbers::pi, n) * value;
}

/// (-1)ⁿ⁺¹ n! Σ 1/(x + k)ⁿ⁺¹, the tail by Euler and Maclaurin (Abramowitz & Stegun 6.4.10 and 6.4.11);
/// below 0 reflected (6.4.7).
double polygamma_of(std::int64_t n, double x) {
  if (n == 0) return digamma_of(x);
  if (x == 0) return std::numeric_limits<double>::infinity() * (n % 2 ? 1 : -1);
  if (std::isnan(x) || (x < 0 && x == std::floor(x))) return std::numeric_limits<double>::quiet_NaN();
  if (x < 0) return (n % 2 ? 1 : -1) * ((n % 2 ? -1 : 1) * std::numbers::pi * cotangent_derivative(n, x) - polygamma_of(n, 1 - x));
  const auto order = static_cast<double>(n);
  const double high = far + order;
  double sum = 0;
  for (; x < high; ++x) sum += std::pow(x, -order - 1);
  double tail = std::pow(x, -order) / order + std::pow(x, -order - 1) / 2;
  double factor = (order + 1) / 2 * std::pow(x, -order - 2);  // (n + 2k - 1)! / (n! (2k)!) / xⁿ⁺²ᵏ
  for (int k = 1; k <= 9; ++k) {
    tail += bernoulli[k - 1] * factor;
    factor *= (order + 2 * k) * (order + 2 * k + 1) / ((2.0 * k + 1) * (2.0 * k + 2)) / (x * x);
  }
  return (n % 2 ? 1 : -1) * std::tgamma(order + 1) * (sum + tail);
}

namespace {

/// As binary, but an int64 divisor of 0 is refused at the call.
template <class O>
Tensor remainder_of(const Operand& a, const Operand& b) {
  a.check(O::title);
  b.check(O::title);
  const DType dtype = common_dtype(a, b);
  if (is_floating(dtype)) return binary<O>(a, b, dtype, dtype);
  const Checked divisor = check_values(O::title, b.to(DType::int64), [](const Array& divisors) {
    const Contiguous<std::int64_t> values(divisors);
    if (std::find(values.data(), values.data() + divisors.size, 0) != values.data() + divisors.size)
      throw detail::located<std::domain_error>(std::string(O::title) + ": an int64 tensor has no remainder by 0; convert it with to(DType::float64)");
    return true;
  });
  return binary<O>(a, divisor.values, DType::int64, DType::int64);
}

}  // namespace
}  // namespace detail

using namespace detail;

Tensor erfc(const Located& x) { return unary<Erfc>(x); }
Tensor lgamma(const Located& x) { return unary<LGamma>(x); }
Tensor digamma(const Located& x) { return unary<Digamma>(x); }
Tensor polygamma(std::int64_t n, const Located& x) {
  constexpr std::int64_t most = 1000;  // values of all greater orders are beyond float64, or 0
  check_defined("polygamma", x);
  if (n < 0) throw detail::located<std::invalid_argument>("polygamma: the order is " + std::to_string(n) + "; it must be at least 0");
  if (n > most) throw detail::located<std::invalid_argument>("polygamma: the order is " + std::to_string(n) + "; it must be at most " + std::to_string(most));
  const DType dtype = to_floating(x.dtype());
  return binary<Polygamma>(static_cast<double>(n), x, dtype, dtype);
}
Tensor softplus(const Located& x) { return unary<Softplus>(x); }
Tensor logaddexp(const Operand& a, const Operand& b) { return binary<LogAddExp>(a, b); }
Tensor xlogy(const Operand& a, const Operand& b) { return binary<XLogY>(a, b); }
Tensor fmod(const Operand& a, const Operand& b) { return remainder_of<FMod>(a, b); }
Tensor remainder(const Operand& a, const Operand& b) { return remainder_of<Remainder>(a, b); }
Tensor floor(const Located& x) { return unary<Floor>(x); }
Tensor ceil(const Located& x) { return unary<Ceil>(x); }
Tensor round(const Located& x) { return unary<Round>(x); }
Tensor trunc(const Located& x) { return unary<Trunc>(x); }

Tensor sinc(const Located& x) {
  check_defined("sinc", x);
  const Tensor u = x * std::numbers::pi, near = abs(u) < 0.5;
  // sin(πx) of x in [-1, 1], up to which whole turns have gone.
  const Tensor turned = x - 2 * round(x / 2);
  // Σ (-1)ᵏ u²ᵏ / (2k + 1)!, in which derivatives at 0 are those of a polynomial.
  const Tensor v = square(where(near, u, 0));
  Tensor series = v * (1 / 355687428096000.0);
  for (const double factorial : {1307674368000.0, 6227020800.0, 39916800.0, 362880.0, 5040.0, 120.0, 6.0}) series = v * (1 / factorial - series);
  return where(near, 1 - series, sin(turned * std::numbers::pi) / where(near, 1, u));
}

Tensor copysign(const Operand& a, const Operand& b) {
  check_broadcast("copysign", {&a, &b});
  const DType dtype = to_floating(common_dtype(a, b));
  const Tensor sign_of = b.to(dtype).detach();
  const Tensor negative = logical_or(sign_of < 0, logical_and(sign_of == 0, 1 / sign_of < 0));
  return abs(a.to(dtype)) * where(negative, -1, 1).to(dtype);
}

Tensor lerp(const Operand& a, const Operand& b, const Operand& w) {
  check_broadcast("lerp", {&a, &b, &w});
  const DType dtype = to_floating(common_dtype({&a, &b, &w}));
  const Tensor start = a.to(dtype);
  return start + w.to(dtype) * (b.to(dtype) - start);
}

Tensor nan_to_num(const Located& x, double nan, std::optional<double> posinf, std::optional<double> neginf) {
  check_defined("nan_to_num", x);
  if (!is_floating(x.dtype())) return x;
  const double largest = x.dtype() == DType::float32 ? std::numeric_limits<float>::max() : std::numeric_limits<double>::max();
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const Tensor finite = where(x == infinity, posinf.value_or(largest), where(x == -infinity, neginf.value_or(-largest), x));
  return where(x == x, finite, nan);
}

Tensor isnan(const Located& x) {
  check_defined("isnan", x);
  return not_equal(x, x);
}
Tensor isinf(const Located& x) {
  check_defined("isinf", x);
  return is_floating(x.dtype()) ? equal(abs(x), std::numeric_limits<double>::infinity()) : not_equal(x, x);
}
Tensor isfinite(const Located& x) {
  check_defined("isfinite", x);
  return is_floating(x.dtype()) ? less(abs(x), std::numeric_limits<double>::infinity()) : equal(x, x);
}
Tensor logical_and(const Operand& a, const Operand& b) {
  check_broadcast("logical_and", {&a, &b});
  return where(a.to(DType::bool_), b.to(DType::bool_), false);
}
Tensor logical_or(const Operand& a, const Operand& b) {
  check_broadcast("logical_or", {&a, &b});
  return where(a.to(DType::bool_), true, b.to(DType::bool_));
}
Tensor logical_xor(const Operand& a, const Operand& b) {
  check_broadcast("logical_xor", {&a, &b});
  return not_equal(a.to(DType::bool_), b.to(DType::bool_));
}
Tensor logical_not(const Located& x) {
  check_defined("logical_not", x);
  return equal(x.to(DType::bool_), false);
}

}  // namespace xgrad
