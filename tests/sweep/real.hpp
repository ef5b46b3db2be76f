// Numbers of 320 bits with an exponent that does not end, by MPFR: what results of float32 and float64 are compared with.
#pragma once

#include <mpfr.h>

#include <utility>

namespace xgrad::sweep {

/// Functions have C's values at infinities, NaN and signed zeros, except where noted.
class Real {
 public:
  Real() { mpfr_init2(value_, bits); }
  Real(double x) : Real() { mpfr_set_d(value_, x, MPFR_RNDN); }
  Real(const Real& other) : Real() { mpfr_set(value_, other.value_, MPFR_RNDN); }
  Real(Real&& other) : Real() { mpfr_swap(value_, other.value_); }
  Real& operator=(Real other) {
    mpfr_swap(value_, other.value_);
    return *this;
  }
  ~Real() { mpfr_clear(value_); }

  mpfr_ptr get() { return value_; }
  mpfr_srcptr get() const { return value_; }
  bool is_nan() const { return mpfr_nan_p(value_); }
  bool is_infinite() const { return mpfr_inf_p(value_); }
  bool is_zero() const { return mpfr_zero_p(value_); }
  bool is_whole() const { return mpfr_integer_p(value_); }
  bool is_negative() const { return mpfr_signbit(value_); }
  /// The e of 2ᵉ⁻¹ <= |x| < 2ᵉ.
  long exponent() const { return mpfr_get_exp(value_); }

  friend Real operator-(const Real& x) { return of(mpfr_neg, x); }
  friend Real operator+(const Real& a, const Real& b) { return of(mpfr_add, a, b); }
  friend Real operator-(const Real& a, const Real& b) { return of(mpfr_sub, a, b); }
  friend Real operator*(const Real& a, const Real& b) { return of(mpfr_mul, a, b); }
  friend Real operator/(const Real& a, const Real& b) { return of(mpfr_div, a, b); }
  // False for NaN.
  friend bool operator==(const Real& a, const Real& b) { return mpfr_equal_p(a.value_, b.value_); }
  friend bool operator<(const Real& a, const Real& b) { return mpfr_less_p(a.value_, b.value_); }
  friend bool operator>(const Real& a, const Real& b) { return mpfr_greater_p(a.value_, b.value_); }
  friend bool operator<=(const Real& a, const Real& b) { return mpfr_lessequal_p(a.value_, b.value_); }
  friend bool operator>=(const Real& a, const Real& b) { return mpfr_greaterequal_p(a.value_, b.value_); }

  /// A function of MPFR of one or two numbers.
  template <class F>
  static Real of(F f, const Real& x) {
    Real result;
    f(result.value_, x.value_, MPFR_RNDN);
    return result;
  }
  template <class F>
  static Real of(F f, const Real& a, const Real& b) {
    Real result;
    f(result.value_, a.value_, b.value_, MPFR_RNDN);
    return result;
  }

 private:
  static constexpr mpfr_prec_t bits = 320;
  mpfr_t value_;
};

#define XGRAD_REAL_FUNCTION(name, function) \
  inline Real name(const Real& x) { return Real::of(function, x); }
XGRAD_REAL_FUNCTION(exp, mpfr_exp)
XGRAD_REAL_FUNCTION(exp2, mpfr_exp2)
XGRAD_REAL_FUNCTION(expm1, mpfr_expm1)
XGRAD_REAL_FUNCTION(log, mpfr_log)
XGRAD_REAL_FUNCTION(log2, mpfr_log2)
XGRAD_REAL_FUNCTION(log10, mpfr_log10)
XGRAD_REAL_FUNCTION(log1p, mpfr_log1p)
XGRAD_REAL_FUNCTION(sqrt, mpfr_sqrt)
XGRAD_REAL_FUNCTION(cbrt, mpfr_cbrt)
XGRAD_REAL_FUNCTION(abs, mpfr_abs)
XGRAD_REAL_FUNCTION(sin, mpfr_sin)
XGRAD_REAL_FUNCTION(cos, mpfr_cos)
XGRAD_REAL_FUNCTION(tan, mpfr_tan)
XGRAD_REAL_FUNCTION(asin, mpfr_asin)
XGRAD_REAL_FUNCTION(acos, mpfr_acos)
XGRAD_REAL_FUNCTION(atan, mpfr_atan)
XGRAD_REAL_FUNCTION(sinh, mpfr_sinh)
XGRAD_REAL_FUNCTION(cosh, mpfr_cosh)
XGRAD_REAL_FUNCTION(tanh, mpfr_tanh)
XGRAD_REAL_FUNCTION(asinh, mpfr_asinh)
XGRAD_REAL_FUNCTION(acosh, mpfr_acosh)
XGRAD_REAL_FUNCTION(atanh, mpfr_atanh)
XGRAD_REAL_FUNCTION(erf, mpfr_erf)
XGRAD_REAL_FUNCTION(erfc, mpfr_erfc)
XGRAD_REAL_FUNCTION(floor, mpfr_rint_floor)
XGRAD_REAL_FUNCTION(ceil, mpfr_rint_ceil)
XGRAD_REAL_FUNCTION(trunc, mpfr_rint_trunc)
XGRAD_REAL_FUNCTION(round_to_even, mpfr_rint_roundeven)
#undef XGRAD_REAL_FUNCTION

inline Real pow(const Real& a, const Real& b) { return Real::of(mpfr_pow, a, b); }
inline Real atan2(const Real& a, const Real& b) { return Real::of(mpfr_atan2, a, b); }
inline Real hypot(const Real& a, const Real& b) { return Real::of(mpfr_hypot, a, b); }
inline Real fmod(const Real& a, const Real& b) { return Real::of(mpfr_fmod, a, b); }
inline Real copysign(const Real& a, const Real& b) { return Real::of(mpfr_copysign, a, b); }
inline Real square(const Real& x) { return x * x; }
/// NaN of NaN.
inline Real max(const Real& a, const Real& b) { return a.is_nan() || a > b ? a : b; }
inline Real min(const Real& a, const Real& b) { return a.is_nan() || a < b ? a : b; }
inline Real pi() {
  Real result;
  mpfr_const_pi(result.get(), MPFR_RNDN);
  return result;
}
/// ln |Γ(x)|.
inline Real lgamma(const Real& x) {
  Real result;
  int sign = 0;
  mpfr_lgamma(result.get(), &sign, x.get(), MPFR_RNDN);
  return result;
}

}  // namespace xgrad::sweep
