// Elementwise functions. All broadcast by NumPy's rules and promote dtypes (see Operand); functions that have no
// integer values (exp, sin, division, ...) turn int64 and bool inputs into float64. All throw std::invalid_argument,
// naming the function and the shapes, when shapes do not broadcast. Where a derivative is infinite or undefined, a
// cotangent of zero stays zero: what `where` masks out leaves no trace in a gradient.
#pragma once

#include <autodiff/core/tensor.hpp>

namespace xgrad {

/// a + b.
Tensor add(const Operand& a, const Operand& b);
/// a - b. Throws std::invalid_argument for bool.
Tensor subtract(const Operand& a, const Operand& b);
/// a · b.
Tensor multiply(const Operand& a, const Operand& b);
/// a / b; true division, also of integers. d/da = 1/b, d/db = -a/b².
Tensor divide(const Operand& a, const Operand& b);
/// -x. Throws std::invalid_argument for bool.
Tensor negative(const Located& x);
/// aᵇ. d/da = b·aᵇ⁻¹ (0 where b = 0), d/db = aᵇ·ln a (0 where a = 0 and b > 0); NaN where a < 0 and b is not a whole
/// number. int64 to a negative int64 power throws std::domain_error at the call.
Tensor power(const Operand& a, const Operand& b);

inline Tensor operator+(const Tensor& a, const Operand& b) { return add(Operand(a, b.site()), b); }
inline Tensor operator-(const Tensor& a, const Operand& b) { return subtract(Operand(a, b.site()), b); }
inline Tensor operator*(const Tensor& a, const Operand& b) { return multiply(Operand(a, b.site()), b); }
inline Tensor operator/(const Tensor& a, const Operand& b) { return divide(Operand(a, b.site()), b); }
template <Number T>
Tensor operator+(T a, const Located& b) {
  return add(Operand(a, b.site()), b);
}
template <Number T>
Tensor operator-(T a, const Located& b) {
  return subtract(Operand(a, b.site()), b);
}
template <Number T>
Tensor operator*(T a, const Located& b) {
  return multiply(Operand(a, b.site()), b);
}
template <Number T>
Tensor operator/(T a, const Located& b) {
  return divide(Operand(a, b.site()), b);
}
inline Tensor operator-(const Tensor& x) { return negative(x); }

/// `a` becomes the result of a + b; other handles to the tensor that it was keep theirs. Throws std::logic_error where that is a leaf
/// which requires gradients: it would be out of the reach of its optimiser.
Tensor& operator+=(Tensor& a, const Operand& b);
Tensor& operator-=(Tensor& a, const Operand& b);
Tensor& operator*=(Tensor& a, const Operand& b);
Tensor& operator/=(Tensor& a, const Operand& b);
// An xtensor array takes a tensor's values, as in x += t.array<double>().
template <XtExpression E, std::same_as<Tensor> T>
void operator+=(E& an_xtensor_array_takes_values, const T& so_write_the_tensor_dot_array) = delete;
template <XtExpression E, std::same_as<Tensor> T>
void operator-=(E& an_xtensor_array_takes_values, const T& so_write_the_tensor_dot_array) = delete;
template <XtExpression E, std::same_as<Tensor> T>
void operator*=(E& an_xtensor_array_takes_values, const T& so_write_the_tensor_dot_array) = delete;
template <XtExpression E, std::same_as<Tensor> T>
void operator/=(E& an_xtensor_array_takes_values, const T& so_write_the_tensor_dot_array) = delete;

/// eˣ.
Tensor exp(const Located& x);
/// ln x; -inf at 0, NaN below. d/dx = 1/x.
Tensor log(const Located& x);
/// ln(1 + x), accurate near 0. d/dx = 1/(1 + x).
Tensor log1p(const Located& x);
/// eˣ - 1, accurate near 0. d/dx = eˣ.
Tensor expm1(const Located& x);
/// √x; NaN below 0. d/dx = 1/(2√x), infinite at 0.
Tensor sqrt(const Located& x);
/// x².
Tensor square(const Located& x);
/// |x|. d/dx = sign(x), 0 at 0.
Tensor abs(const Located& x);
/// -1, 0 or 1. Its derivative is 0.
Tensor sign(const Located& x);
/// The argument is in radians.
Tensor sin(const Located& x);
Tensor cos(const Located& x);
/// d/dx = 1 - tanh²x.
Tensor tanh(const Located& x);
/// The logistic function 1 / (1 + e⁻ˣ). d/dx = σ(x)(1 - σ(x)).
Tensor sigmoid(const Located& x);
/// The error function 2/√π ∫₀ˣ e^(-t²) dt. d/dx = 2/√π · e^(-x²).
Tensor erf(const Located& x);
/// max(x, 0). d/dx = 1 for x > 0, else 0 (0 at 0).
Tensor relu(const Located& x);

/// The larger; NaN if either is. At a tie each gets half of the cotangent.
Tensor maximum(const Operand& a, const Operand& b);
/// The smaller; NaN if either is. At a tie each gets half of the cotangent.
Tensor minimum(const Operand& a, const Operand& b);
/// min(max(x, low), high). d/dx = 1 for low <= x <= high (1 at a bound), else 0; the bounds get no gradient.
Tensor clip(const Located& x, const Operand& low, const Operand& high);
/// a where `condition` holds, else b; the branch not taken gets a cotangent of zero, whatever its value.
/// Throws std::invalid_argument when `condition` is not bool.
Tensor where(const Located& condition, const Operand& a, const Operand& b);

/// Comparisons give bool, without gradient.
Tensor equal(const Operand& a, const Operand& b);
Tensor not_equal(const Operand& a, const Operand& b);
Tensor less(const Operand& a, const Operand& b);
Tensor less_equal(const Operand& a, const Operand& b);
Tensor greater(const Operand& a, const Operand& b);
Tensor greater_equal(const Operand& a, const Operand& b);

inline Tensor operator==(const Tensor& a, const Operand& b) { return equal(Operand(a, b.site()), b); }
inline Tensor operator!=(const Tensor& a, const Operand& b) { return not_equal(Operand(a, b.site()), b); }
inline Tensor operator<(const Tensor& a, const Operand& b) { return less(Operand(a, b.site()), b); }
inline Tensor operator<=(const Tensor& a, const Operand& b) { return less_equal(Operand(a, b.site()), b); }
inline Tensor operator>(const Tensor& a, const Operand& b) { return greater(Operand(a, b.site()), b); }
inline Tensor operator>=(const Tensor& a, const Operand& b) { return greater_equal(Operand(a, b.site()), b); }
template <Number T>
Tensor operator<(T a, const Located& b) {
  return less(Operand(a, b.site()), b);
}
template <Number T>
Tensor operator<=(T a, const Located& b) {
  return less_equal(Operand(a, b.site()), b);
}
template <Number T>
Tensor operator>(T a, const Located& b) {
  return greater(Operand(a, b.site()), b);
}
template <Number T>
Tensor operator>=(T a, const Located& b) {
  return greater_equal(Operand(a, b.site()), b);
}
// The compiler takes == and != the other way round too, so both must fit as they are; and a tensor is one, for two xtensor arrays have
// an operator of their own.
template <std::same_as<Tensor> U, class T>
  requires(Number<T> || XtExpression<T>)
Tensor operator==(const U& a, const T& b) {
  return equal(Operand(a, detail::CallSite()), Operand(b, detail::CallSite()));
}
template <class T, std::same_as<Tensor> U>
  requires(Number<T> || XtExpression<T>)
Tensor operator==(const T& a, const U& b) {
  return equal(Operand(a, detail::CallSite()), Operand(b, detail::CallSite()));
}
template <std::same_as<Tensor> U, class T>
  requires(Number<T> || XtExpression<T>)
Tensor operator!=(const U& a, const T& b) {
  return not_equal(Operand(a, detail::CallSite()), Operand(b, detail::CallSite()));
}
template <class T, std::same_as<Tensor> U>
  requires(Number<T> || XtExpression<T>)
Tensor operator!=(const T& a, const U& b) {
  return not_equal(Operand(a, detail::CallSite()), Operand(b, detail::CallSite()));
}

}  // namespace xgrad
