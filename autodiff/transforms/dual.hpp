// Numbers that carry their derivatives along: Dual<T> is v + d·ε with ε² = 0. Nested, they carry higher ones.
#pragma once

#include <cmath>
#include <concepts>
#include <numbers>

namespace xgrad::detail {

template <class T>
struct Dual {
  T value{}, derivative{};

  Dual() = default;
  Dual(T value, T derivative) : value(value), derivative(derivative) {}
  template <class N>
    requires std::is_arithmetic_v<N>
  Dual(N number) : value(static_cast<T>(number)) {}

  friend Dual operator+(Dual a, Dual b) { return {a.value + b.value, a.derivative + b.derivative}; }
  friend Dual operator-(Dual a, Dual b) { return {a.value - b.value, a.derivative - b.derivative}; }
  friend Dual operator*(Dual a, Dual b) { return {a.value * b.value, a.derivative * b.value + a.value * b.derivative}; }
  friend Dual operator/(Dual a, Dual b) {
    const T quotient = a.value / b.value;
    return {quotient, (a.derivative - quotient * b.derivative) / b.value};
  }
  friend Dual operator-(Dual a) { return {-a.value, -a.derivative}; }
  friend Dual operator+(Dual a) { return a; }
  Dual& operator+=(Dual b) { return *this = *this + b; }
  Dual& operator-=(Dual b) { return *this = *this - b; }
  Dual& operator*=(Dual b) { return *this = *this * b; }
  Dual& operator/=(Dual b) { return *this = *this / b; }
  // Comparisons are of values: which branch is taken is not differentiated.
  friend bool operator<(Dual a, Dual b) { return a.value < b.value; }
  friend bool operator>(Dual a, Dual b) { return a.value > b.value; }
  friend bool operator<=(Dual a, Dual b) { return a.value <= b.value; }
  friend bool operator>=(Dual a, Dual b) { return a.value >= b.value; }
  friend bool operator==(Dual a, Dual b) { return a.value == b.value; }
};

/// f(x) with f'(x) given.
template <class T>
Dual<T> chain(const Dual<T>& x, T value, T slope) {
  return {value, x.derivative * slope};
}

// Found by argument-dependent lookup; numbers within go to std.
#define XGRAD_DUAL(name, slope)                 \
  template <class T>                            \
  Dual<T> name(const Dual<T>& x) {              \
    using std::name, std::cos, std::sin, std::cosh, std::sinh, std::sqrt, std::exp, std::log; \
    const T v = x.value, y = name(v);           \
    return chain(x, y, T(slope));               \
  }
XGRAD_DUAL(exp, y)
XGRAD_DUAL(expm1, y + T(1))
XGRAD_DUAL(log, T(1) / v)
XGRAD_DUAL(log1p, T(1) / (T(1) + v))
XGRAD_DUAL(sqrt, T(0.5) / y)
XGRAD_DUAL(cbrt, T(1) / (T(3) * y * y))
XGRAD_DUAL(sin, cos(v))
XGRAD_DUAL(cos, -sin(v))
XGRAD_DUAL(tan, T(1) + y * y)
XGRAD_DUAL(asin, T(1) / sqrt(T(1) - v * v))
XGRAD_DUAL(acos, T(-1) / sqrt(T(1) - v * v))
XGRAD_DUAL(atan, T(1) / (T(1) + v * v))
XGRAD_DUAL(sinh, cosh(v))
XGRAD_DUAL(cosh, sinh(v))
XGRAD_DUAL(tanh, T(1) - y * y)
XGRAD_DUAL(erf, T(2 * std::numbers::inv_sqrtpi) * exp(-(v * v)))
#undef XGRAD_DUAL

template <class T>
Dual<T> abs(const Dual<T>& x) {
  return x.value < T(0) ? -x : x.value > T(0) ? x : Dual<T>(x.value, T(0));
}
template <class T>
Dual<T> pow(const Dual<T>& a, const Dual<T>& b) {
  using std::pow, std::log;
  const T y = pow(a.value, b.value);
  T derivative = T(0);
  if (!(b.value == T(0))) derivative = a.derivative * b.value * pow(a.value, b.value - T(1));
  if (!(b.derivative == T(0))) derivative = derivative + b.derivative * y * log(a.value);
  return {y, derivative};
}
template <class T, class N>
  requires std::is_arithmetic_v<N>
Dual<T> pow(const Dual<T>& a, N b) {
  return pow(a, Dual<T>(b));
}
template <class T, class N>
  requires std::is_arithmetic_v<N>
Dual<T> pow(N a, const Dual<T>& b) {
  return pow(Dual<T>(a), b);
}
template <class T>
Dual<T> max(const Dual<T>& a, const Dual<T>& b) {
  return a < b ? b : a;
}
template <class T>
Dual<T> min(const Dual<T>& a, const Dual<T>& b) {
  return b < a ? b : a;
}

}  // namespace xgrad::detail
