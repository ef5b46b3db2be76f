#include <autodiff/ops/apply.hpp>
#include <autodiff/ops/trigonometry_ops.hpp>

namespace xgrad {

using namespace detail;

Tensor tan(const Located& x) { return unary<Tan>(x); }
Tensor arcsin(const Located& x) { return unary<ArcSin>(x); }
Tensor arccos(const Located& x) { return unary<ArcCos>(x); }
Tensor arctan(const Located& x) { return unary<ArcTan>(x); }
Tensor arctan2(const Operand& y, const Operand& x) { return binary<ArcTan2>(y, x); }
Tensor sinh(const Located& x) { return unary<Sinh>(x); }
Tensor cosh(const Located& x) { return unary<Cosh>(x); }
Tensor arcsinh(const Located& x) { return unary<ArcSinh>(x); }
Tensor arccosh(const Located& x) { return unary<ArcCosh>(x); }
Tensor arctanh(const Located& x) { return unary<ArcTanh>(x); }
Tensor exp2(const Located& x) { return unary<Exp2>(x); }
Tensor log2(const Located& x) { return unary<Log2>(x); }
Tensor log10(const Located& x) { return unary<Log10>(x); }
Tensor cbrt(const Located& x) { return unary<Cbrt>(x); }
Tensor hypot(const Operand& a, const Operand& b) { return binary<Hypot>(a, b); }

Tensor reciprocal(const Located& x) {
  check_defined("reciprocal", x);
  return 1 / x;
}
Tensor rsqrt(const Located& x) {
  check_defined("rsqrt", x);
  return 1 / sqrt(x);
}

}  // namespace xgrad
