// More elementwise functions: trigonometry, logarithms, special functions, rounding, logic. As in elementwise.hpp they
// broadcast and promote, and a cotangent of zero stays zero. Names are NumPy's, SciPy's for special functions.
#pragma once

#include <autodiff/core/tensor.hpp>
#include <cstdint>
#include <optional>

namespace xgrad {

/// The argument is in radians. d/dx = 1 + tan²x.
Tensor tan(const Located& x);
/// NaN beyond [-1, 1]. d/dx = 1/√(1 - x²), infinite at ±1.
Tensor arcsin(const Located& x);
/// NaN beyond [-1, 1]. d/dx = -1/√(1 - x²), infinite at ±1.
Tensor arccos(const Located& x);
/// d/dx = 1/(1 + x²).
Tensor arctan(const Located& x);
/// The angle of the point (x, y), in (-π, π]. d/dy = x/(x² + y²), d/dx = -y/(x² + y²); both 0 at the origin.
Tensor arctan2(const Operand& y, const Operand& x);
/// d/dx = cosh x.
Tensor sinh(const Located& x);
/// d/dx = sinh x.
Tensor cosh(const Located& x);
/// d/dx = 1/√(x² + 1).
Tensor arcsinh(const Located& x);
/// NaN below 1. d/dx = 1/√(x² - 1), infinite at 1.
Tensor arccosh(const Located& x);
/// ±inf at ±1, NaN beyond. d/dx = 1/(1 - x²).
Tensor arctanh(const Located& x);

/// 2ˣ. d/dx = 2ˣ ln 2.
Tensor exp2(const Located& x);
/// d/dx = 1/(x ln 2).
Tensor log2(const Located& x);
/// d/dx = 1/(x ln 10).
Tensor log10(const Located& x);
/// 1/x. d/dx = -1/x².
Tensor reciprocal(const Located& x);
/// ∛x, also of negative x. d/dx = 1/(3 ∛x²), infinite at 0.
Tensor cbrt(const Located& x);
/// 1/√x. d/dx = -1/(2 x√x).
Tensor rsqrt(const Located& x);
/// √(a² + b²) without overflow. d/da = a/hypot(a, b), 0 where both are 0.
Tensor hypot(const Operand& a, const Operand& b);

/// 1 - erf x, accurate for large x. d/dx = -2/√π · e^(-x²).
Tensor erfc(const Located& x);
/// ln |Γ(x)|; inf at 0 and the negative whole numbers. d/dx = digamma(x).
Tensor lgamma(const Located& x);
/// ψ(x) = d/dx ln Γ(x); NaN at the negative whole numbers, -inf at 0. d/dx = polygamma(1, x).
Tensor digamma(const Located& x);
/// The nth derivative of ψ, n >= 0; NaN at the negative whole numbers. d/dx = polygamma(n + 1, x).
/// Throws std::invalid_argument for a negative n and for n > 1000.
Tensor polygamma(std::int64_t n, const Located& x);
/// ln(1 + eˣ) without overflow. d/dx = σ(x).
Tensor softplus(const Located& x);
/// ln(eᵃ + eᵇ) without overflow; -inf of two -inf. d/da = σ(a - b); half for two equal infinities.
Tensor logaddexp(const Operand& a, const Operand& b);
/// a ln b, and 0 where a = 0 unless b is NaN. d/da = ln b (0 where a = 0 and b <= 0), d/db = a/b (0 where a = 0).
Tensor xlogy(const Operand& a, const Operand& b);
/// sin(πx)/(πx), 1 at 0, as NumPy's; derivatives are right at 0 too.
Tensor sinc(const Located& x);

/// The remainder with the sign of a, as C's. d/da = 1, d/db = -trunc(a/b). An int64 b of 0 throws std::domain_error.
Tensor fmod(const Operand& a, const Operand& b);
/// The remainder with the sign of b, also that of a zero, as Python's %. d/da = 1, d/db = -floor(a/b). An int64 b of 0 throws std::domain_error.
Tensor remainder(const Operand& a, const Operand& b);
/// Rounding to whole numbers; `round` takes halves to even. Their derivative is 0: no gradient flows.
Tensor floor(const Located& x);
Tensor ceil(const Located& x);
Tensor round(const Located& x);
Tensor trunc(const Located& x);
/// |a| with the sign of b, that of zeros included. d/da = ±1, 0 at 0; b gets no gradient.
Tensor copysign(const Operand& a, const Operand& b);
/// a + w (b - a).
Tensor lerp(const Operand& a, const Operand& b, const Operand& w);
/// x with NaN, inf and -inf replaced, by default by 0 and the dtype's largest and smallest; 0 gradient there.
Tensor nan_to_num(const Located& x, double nan = 0, std::optional<double> posinf = {}, std::optional<double> neginf = {});

/// bool, without gradient.
Tensor isnan(const Located& x);
Tensor isinf(const Located& x);
Tensor isfinite(const Located& x);
/// Arguments are truth values: anything but 0 is true. bool, without gradient.
Tensor logical_and(const Operand& a, const Operand& b);
Tensor logical_or(const Operand& a, const Operand& b);
Tensor logical_xor(const Operand& a, const Operand& b);
Tensor logical_not(const Located& x);

/// Element by element: unlike those of bool, these evaluate both sides.
inline Tensor operator&&(const Tensor& a, const Operand& b) { return logical_and(Operand(a, b.site()), b); }
inline Tensor operator||(const Tensor& a, const Operand& b) { return logical_or(Operand(a, b.site()), b); }
inline Tensor operator!(const Tensor& x) { return logical_not(x); }

}  // namespace xgrad
