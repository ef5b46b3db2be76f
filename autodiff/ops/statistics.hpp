// More reductions; axes and `keepdims` as in reduce.hpp. Names are NumPy's.
#pragma once

#include <autodiff/core/tensor.hpp>

namespace xgrad {

/// Π x, pairwise; int64 of bool. Of nothing: 1. Derivatives are right where elements are 0. Products on the way overflow or vanish as
/// numbers do, so that the result may be infinite, NaN or 0 where the whole product would not be.
Tensor prod(const Located& x, const Axes& axes = {}, bool keepdims = false);
/// Σ (x - mean)² / (n - ddof); float64 of int64 and bool. NaN of nothing and with an infinite element; n - ddof <= 0 gives NaN or inf.
Tensor var(const Located& x, const Axes& axes = {}, double ddof = 0, bool keepdims = false);
/// √var, also where var is beyond the range; named as in xtensor, for `std` is a namespace. Where elements are all equal, the gradient
/// is 0 and further derivatives are NaN.
Tensor stddev(const Located& x, const Axes& axes = {}, double ddof = 0, bool keepdims = false);
/// Options of `var` and `stddev`: var(x, -1, {.ddof = 1, .keepdims = true}).
struct VarOptions {
  double ddof = 0;
  bool keepdims = false;
};
inline Tensor var(const Located& x, const Axes& axes, const VarOptions& options) { return var(x, axes, options.ddof, options.keepdims); }
inline Tensor stddev(const Located& x, const Axes& axes, const VarOptions& options) { return stddev(x, axes, options.ddof, options.keepdims); }
template <Flag B>
Tensor var(const Located& x, const Axes& axes, B ddof_is_a_number_and_comes_before_keepdims, bool keepdims = false) = delete;
template <Flag B>
Tensor stddev(const Located& x, const Axes& axes, B ddof_is_a_number_and_comes_before_keepdims, bool keepdims = false) = delete;
/// (Σ |x|ᵖ)^(1/p) over axes, also where the powers are beyond the range; of all elements of a matrix with p = 2 that is Frobenius' norm.
/// p = inf: the largest |x|, -inf: the smallest, 0: how many are not 0 (without gradient). NaN if any element is. Where the norm is 0 the
/// gradient is 0; so is that of |x|ᵖ in elements that are 0. The gradient is NaN in elements that are infinite, and where the norm
/// overflows.
/// Throws std::invalid_argument for p = NaN.
Tensor norm(const Located& x, double p = 2, const Axes& axes = {}, bool keepdims = false);
template <Flag B>
Tensor norm(const Located& x, B p_is_a_number_and_keepdims_comes_last, const Axes& axes = {}, bool keepdims = false) = delete;

/// Whether any element is not 0; false of nothing. bool, no gradient.
Tensor any(const Located& x, const Axes& axes = {}, bool keepdims = false);
/// Whether all elements are not 0; true of nothing. bool, no gradient.
Tensor all(const Located& x, const Axes& axes = {}, bool keepdims = false);

}  // namespace xgrad
