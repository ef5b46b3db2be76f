#include <limits>
#include <tests/sweep/references.hpp>

namespace xgrad::sweep {
namespace {

const double infinity = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();

Real choose(bool condition, const Real& a, const Real& b) { return condition ? a : b; }

/// Bernoulli's number of index 2k, by ζ(2k).
Real bernoulli(unsigned k) {
  Real zeta, factorial;
  mpfr_zeta_ui(zeta.get(), 2 * k, MPFR_RNDN);
  mpfr_fac_ui(factorial.get(), 2 * k, MPFR_RNDN);
  return (k % 2 ? 2 : -2) * factorial * zeta / pow(2 * pi(), 2.0 * k);
}

/// The n-th derivative of digamma for x > 0, 1 <= n <= 3: by the recurrence up to 40, from there by the asymptotic series.
Real polygamma_above(unsigned n, Real x) {
  static const std::vector<Real> numbers = [] {
    std::vector<Real> result;
    for (unsigned k = 1; k <= 30; ++k) result.push_back(bernoulli(k));
    return result;
  }();
  if (x.is_infinite()) return 0;
  const double factorial[] = {1, 1, 2, 6};
  Real sum = 0;
  for (; x < 40; x = x + 1) sum = sum + factorial[n] / pow(x, n + 1.0);
  sum = sum + factorial[n - 1] / pow(x, n) + factorial[n] / (2 * pow(x, n + 1.0));
  Real coefficient = factorial[n] * (n + 1) / 2 / pow(x, n + 2.0);  // (2k + n - 1)! / (2k)! / x²ᵏ⁺ⁿ
  for (unsigned k = 1; k <= numbers.size(); ++k) {
    sum = sum + numbers[k - 1] * coefficient;
    coefficient = coefficient * (2.0 * k + n) * (2.0 * k + n + 1) / ((2.0 * k + 1) * (2.0 * k + 2)) / square(x);
  }
  return n % 2 ? sum : -sum;
}

Real polygamma(unsigned n, const Real& x) {
  if (x.is_zero()) return n % 2 ? infinity : -infinity;  // SciPy's
  if (x > 0 || x.is_nan()) return x.is_nan() ? x : polygamma_above(n, x);
  if (x.is_whole() || x.is_infinite()) return nan;
  const Real u = pi() * (x - round_to_even(x)), cot = 1 / tan(u), csc2 = 1 / square(sin(u));
  // The n-th derivative of π cot(πx).
  const Real slope = n == 1 ? -square(pi()) * csc2 : n == 2 ? 2 * pow(pi(), 3) * csc2 * cot : -2 * pow(pi(), 4) * (square(csc2) + 2 * csc2 * square(cot));
  const Real reflected = polygamma_above(n, 1 - x);
  return n % 2 ? -slope - reflected : reflected - slope;
}
Real digamma(const Real& x) {
  if (x.is_zero()) return x.is_negative() ? infinity : -infinity;
  if (x < 0 && (x.is_whole() || x.is_infinite())) return nan;
  return Real::of(mpfr_digamma, x);
}

/// 1 / (1 + e⁻ˣ) and its derivative, which overflow nowhere here.
Real sigmoid(const Real& x) { return 1 / (1 + exp(-x)); }
Real sigmoid_slope(const Real& x) { return 1 / square(2 * cosh(x / 2)); }
Real softplus(const Real& x) { return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x)); }
Real logaddexp(const Real& a, const Real& b) { return choose(a == b, a + log(Real(2)), max(a, b) + softplus(-abs(a - b))); }
Real sinc(const Real& x) { return choose(x.is_zero(), 1, choose(x.is_whole(), 0, sin(pi() * x) / (pi() * x))); }
Real sinc_slope(const Real& x) {
  if (x.is_zero()) return 0;
  const Real u = pi() * (x - 2 * round_to_even(x / 2));
  return choose(abs(x) < 1e-30, -square(pi()) * x / 3, (cos(u) - choose(x.is_whole(), 0, sin(u) / (pi() * x))) / x);
}
/// The sign of b; a zero has it too.
Real remainder(const Real& a, const Real& b) {
  const Real rest = fmod(a, b);
  return choose(rest.is_zero(), copysign(rest, b), choose((rest < 0) != (b < 0), rest + b, rest));
}
/// ⌊a/b⌋, that of the smallest quotient below 0 being -1.
Real floor_of_quotient(const Real& a, const Real& b) {
  const Real rest = fmod(a, b);
  return choose(!rest.is_zero() && (rest < 0) != (b < 0), trunc(a / b) - 1, trunc(a / b));
}
Real power_slope(const Real& a, const Real& b) {
  if (b.is_zero()) return 0;
  return choose(a.is_zero() || a.is_infinite() || b.is_infinite(), b * pow(a, b - 1), b * pow(a, b) / a);  // b - 1 may take more bits
}
Real power_slope_of_exponent(const Real& a, const Real& b) { return choose(a.is_zero() && b >= 0, 0, pow(a, b) * log(a)); }
/// 1 where a is greater, half at a tie.
Real share(const Real& a, const Real& b) { return choose(a.is_nan() || b.is_nan(), nan, choose(a == b, 0.5, a > b)); }

/// a / (a² + b²), 0 at the origin and towards infinity.
Real part_of_square(const Real& a, const Real& b) {
  if (a.is_nan() || b.is_nan()) return nan;
  return choose((a.is_zero() && b.is_zero()) || a.is_infinite() || b.is_infinite(), 0, a / (square(a) + square(b)));
}
/// a / √(a² + b²), the same.
Real part_of_length(const Real& a, const Real& b) {
  if (a.is_infinite() && !b.is_infinite() && !b.is_nan()) return copysign(1, a);
  return choose(a.is_zero() && b.is_zero(), 0, a / (b.is_nan() ? b : hypot(a, b)));
}

using One = Real (*)(const Real&);
using Two = Real (*)(const Real&, const Real&);

Function of(One f) {
  return [f](const Arguments& x) { return f(x[0]); };
}
Function of(Two f) {
  return [f](const Arguments& x) { return f(x[0], x[1]); };
}
Reference unary(One value, One slope) { return {of(value), {of(slope)}}; }
Reference binary(Two value, Two of_a, Two of_b) { return {of(value), {of(of_a), of(of_b)}}; }
Reference without_derivative(One value) { return {of(value), {}, {}, {}, {}, false}; }
Reference without_derivative(Two value) { return {of(value), {}, {}, {}, {}, false}; }
Reference tied(Reference reference) {
  reference.tells_zeros_apart = false;
  return reference;
}
Reference measured_in(Reference reference, Function value_size, Function derivative_size) {
  reference.value_size = std::move(value_size);
  reference.derivative_size = std::move(derivative_size);
  return reference;
}
Reference measured_by_difference(Reference lerp) {
  lerp.value_size = [](const Arguments& x) { return max(abs(x[0]), abs(x[2] * (x[1] - x[0]))); };
  lerp.on_the_way = [](const Arguments& x) { return x[1] - x[0]; };
  return lerp;
}
Reference power_of(double exponent) {
  return {[=](const Arguments& x) { return pow(x[0], exponent); }, {[=](const Arguments& x) { return power_slope(x[0], exponent); }}};
}

using R = const Real&;
const Function one = [](const Arguments&) { return Real(1); };
/// NaN where x is, else 1: the slope of a function that is straight.
Real straight(R x) { return choose(x.is_nan(), nan, 1); }

std::map<std::string, Reference> arithmetic() {
  return {
      {"negative", unary([](R x) { return -x; }, [](R) { return Real(-1); })},
      {"square", unary([](R x) { return square(x); }, [](R x) { return 2 * x; })},
      {"sqrt", unary([](R x) { return sqrt(x); }, [](R x) { return 1 / (2 * sqrt(x)); })},
      {"abs", unary([](R x) { return abs(x); }, [](R x) { return choose(x.is_nan(), nan, Real((x > 0) - (x < 0))); })},
      {"relu", tied(unary([](R x) { return choose(x <= 0, 0, x); }, [](R x) { return Real(!(x <= 0)); }))},
      {"add", binary([](R a, R b) { return a + b; }, [](R, R) { return Real(1); }, [](R, R) { return Real(1); })},
      {"subtract", binary([](R a, R b) { return a - b; }, [](R, R) { return Real(1); }, [](R, R) { return Real(-1); })},
      {"multiply", binary([](R a, R b) { return a * b; }, [](R, R b) { return b; }, [](R a, R) { return a; })},
      {"divide", binary([](R a, R b) { return a / b; }, [](R, R b) { return 1 / b; }, [](R a, R b) { return -(a / b) / b; })},
      {"reciprocal", unary([](R x) { return 1 / x; }, [](R x) { return -(1 / x) / x; })},
      {"rsqrt", unary([](R x) { return 1 / sqrt(x); }, [](R x) { return -1 / (2 * x * sqrt(x)); })},
      {"power", binary([](R a, R b) { return pow(a, b); }, power_slope, power_slope_of_exponent)},
      {"powerOfOne", unary([](R x) { return x; }, [](R) { return Real(1); })},
      {"powerOfTwo", power_of(2)},
      {"powerOfThree", power_of(3)},
      {"powerOfMinusOne", power_of(-1)},
      {"powerOfAFraction", power_of(1.75)},
      {"maximum", tied(binary([](R a, R b) { return max(a, b); }, share, [](R a, R b) { return share(b, a); }))},
      {"minimum", tied(binary([](R a, R b) { return min(a, b); }, [](R a, R b) { return share(b, a); }, share))},
      {"clip", tied(unary([](R x) { return min(max(x, -0.5), 1); }, [](R x) { return Real(!(x < -0.5 || x > 1)); }))},
      {"fmod", binary([](R a, R b) { return fmod(a, b); }, [](R a, R b) { return straight(fmod(a, b)); },
                      [](R a, R b) { return choose(fmod(a, b).is_nan(), nan, -trunc(a / b)); })},
      {"remainder", binary(remainder, [](R a, R b) { return straight(remainder(a, b)); },
                           [](R a, R b) { return choose(fmod(a, b).is_nan(), nan, -floor_of_quotient(a, b)); })},
      {"copysign", {of([](R a, R b) { return b.is_nan() ? abs(a) : copysign(a, b); }),
                    {of([](R a, R b) {
                       const Real sign = (a > 0) - (a < 0);
                       return choose(a.is_nan(), nan, !b.is_nan() && b.is_negative() ? -sign : sign);
                     }),
                     of([](R, R) { return Real(0); })}}},
      {"where", {[](const Arguments& x) { return choose(x[0] > 0, x[1], x[2]); },
                 {[](const Arguments&) { return Real(0); }, [](const Arguments& x) { return Real(x[0] > 0); }, [](const Arguments& x) { return Real(!(x[0] > 0)); }}}},
      {"lerp", measured_by_difference({[](const Arguments& x) { return x[0] + x[2] * (x[1] - x[0]); },
                            {[](const Arguments& x) { return 1 - x[2]; }, [](const Arguments& x) { return x[2]; }, [](const Arguments& x) { return x[1] - x[0]; }}})},
      {"nanToNum", unary([](R x) { return choose(x.is_nan(), 7, choose(x.is_infinite(), choose(x > 0, 8, 9), x)); },
                         [](R x) { return Real(!x.is_nan() && !x.is_infinite()); })},
  };
}

std::map<std::string, Reference> without_derivatives() {
  return {
      {"sign", without_derivative([](R x) { return choose(x.is_nan(), x, Real((x > 0) - (x < 0))); })},
      {"floor", without_derivative(floor)},
      {"ceil", without_derivative(ceil)},
      {"round", without_derivative(round_to_even)},
      {"trunc", without_derivative(trunc)},
      {"isnan", without_derivative([](R x) { return Real(x.is_nan()); })},
      {"isinf", without_derivative([](R x) { return Real(x.is_infinite()); })},
      {"isfinite", without_derivative([](R x) { return Real(!x.is_nan() && !x.is_infinite()); })},
      {"equal", without_derivative([](R a, R b) { return Real(a == b); })},
      {"not_equal", without_derivative([](R a, R b) { return Real(!(a == b)); })},
      {"less", without_derivative([](R a, R b) { return Real(a < b); })},
      {"less_equal", without_derivative([](R a, R b) { return Real(a <= b); })},
      {"greater", without_derivative([](R a, R b) { return Real(a > b); })},
      {"greater_equal", without_derivative([](R a, R b) { return Real(a >= b); })},
      {"logical_not", without_derivative([](R x) { return Real(x.is_zero()); })},
      {"logical_and", without_derivative([](R a, R b) { return Real(!a.is_zero() && !b.is_zero()); })},
      {"logical_or", without_derivative([](R a, R b) { return Real(!a.is_zero() || !b.is_zero()); })},
      {"logical_xor", without_derivative([](R a, R b) { return Real(a.is_zero() != b.is_zero()); })},
  };
}

std::map<std::string, Reference> transcendental() {
  /// The slope of a logarithm has no value where that has none.
  static const auto within = [](R x, R slope) { return choose(x < 0, nan, slope); };
  /// What the reduction by multiples of π/2 leaves of its error, beside them.
  const Function small = [](const Arguments& x) { return Real(abs(x[0]) > 1 ? 0x1p-30 : 0); };
  const auto gaussian = [](R x) { return 2 / sqrt(pi()) * exp(-square(x)); };
  return {
      {"exp", unary(exp, exp)},
      {"exp2", unary(exp2, [](R x) { return log(Real(2)) * exp2(x); })},
      {"expm1", unary(expm1, exp)},
      {"log", unary(log, [](R x) { return within(x, 1 / abs(x)); })},
      {"log2", unary(log2, [](R x) { return within(x, 1 / (abs(x) * log(Real(2)))); })},
      {"log10", unary(log10, [](R x) { return within(x, 1 / (abs(x) * log(Real(10)))); })},
      {"log1p", unary(log1p, [](R x) { return within(1 + x, 1 / (1 + x)); })},
      {"cbrt", unary(cbrt, [](R x) { return 1 / (3 * square(cbrt(x))); })},
      {"sin", measured_in(unary(sin, cos), small, small)},
      {"cos", measured_in(unary(cos, [](R x) { return -sin(x); }), small, small)},
      {"tan", measured_in(unary(tan, [](R x) { return 1 / square(cos(x)); }), [=](const Arguments& x) { return small(x) * (1 + square(tan(x[0]))); },
                          [=](const Arguments& x) { return small(x) * pow(1 + abs(tan(x[0])), 3); })},
      {"arcsin", unary(asin, [](R x) { return 1 / sqrt((1 - x) * (1 + x)); })},
      {"arccos", unary(acos, [](R x) { return -1 / sqrt((1 - x) * (1 + x)); })},
      {"arctan", unary(atan, [](R x) { return 1 / (1 + square(x)); })},
      {"sinh", unary(sinh, cosh)},
      {"cosh", unary(cosh, sinh)},
      {"tanh", measured_in(unary(tanh, [](R x) { return 1 / square(cosh(x)); }), {}, one)},
      {"arcsinh", unary(asinh, [](R x) { return 1 / sqrt(square(x) + 1); })},
      {"arccosh", unary(acosh, [](R x) { return 1 / (sqrt(x - 1) * sqrt(x + 1)); })},
      {"arctanh", unary(atanh, [](R x) { return within(1 - abs(x), 1 / ((1 - x) * (1 + x))); })},
      {"sigmoid", measured_in(unary(sigmoid, sigmoid_slope), {}, one)},
      {"softplus", unary(softplus, sigmoid)},
      {"erf", {of(erf), {[=](const Arguments& x) { return gaussian(x[0]); }}}},
      {"erfc", {of(erfc), {[=](const Arguments& x) { return -gaussian(x[0]); }}}},
      {"lgamma", measured_in(unary(lgamma, digamma), {}, one)},
      {"lgammaBelowZero", measured_in(unary(lgamma, digamma), {}, one)},
      {"digamma", measured_in(unary(digamma, [](R x) { return polygamma(1, x); }), one, {})},
      {"polygammaOf1", unary([](R x) { return polygamma(1, x); }, [](R x) { return polygamma(2, x); })},
      {"polygammaOf2", tied(unary([](R x) { return polygamma(2, x); }, [](R x) { return polygamma(3, x); }))},
      {"sinc", measured_in(tied(unary(sinc, sinc_slope)), one, one)},
      {"arctan2", binary(atan2, [](R a, R b) { return part_of_square(b, a); },
                         [](R a, R b) { return -part_of_square(a, b); })},
      {"hypot", binary([](R a, R b) { return hypot(a, b); }, part_of_length,
                       [](R a, R b) { return part_of_length(b, a); })},
      {"logaddexp", measured_in(binary(logaddexp, [](R a, R b) { return choose(a == b, 0.5, sigmoid(a - b)); }, [](R a, R b) { return choose(a == b, 0.5, sigmoid(b - a)); }),
                                [](const Arguments& x) { return max(abs(x[0]), abs(x[1])); }, {})},
      {"xlogy", binary([](R a, R b) { return choose(a.is_zero() && !b.is_nan(), 0, a * log(b)); },
                       [](R a, R b) { return choose(a.is_zero() && b <= 0, 0, log(b)); },
                       [](R a, R b) { return choose(a.is_zero(), 0, choose(b < 0, nan, a / b)); })},
  };
}

}  // namespace

const std::map<std::string, Reference>& references() {
  static const std::map<std::string, Reference> all = [] {
    std::map<std::string, Reference> result = arithmetic();
    result.merge(without_derivatives());
    result.merge(transcendental());
    return result;
  }();
  return all;
}

}  // namespace xgrad::sweep
