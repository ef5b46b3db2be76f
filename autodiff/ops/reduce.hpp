// Reductions over any axes: none named means all. With `keepdims` reduced axes stay with extent 1. All throw
// std::invalid_argument, naming the function and the shape, for an axis out of range or given twice.
#pragma once

#include <autodiff/core/tensor.hpp>

namespace xgrad {

/// Σ x, summed pairwise, so that the error grows with the logarithm of their number; int64 of bool. Of nothing: 0.
/// Every element gets the cotangent.
Tensor sum(const Located& x, const Axes& axes = {}, bool keepdims = false);
/// Σ x / n; float64 of int64 and bool. Of nothing: NaN. Infinite where the sum is, as in NumPy.
Tensor mean(const Located& x, const Axes& axes = {}, bool keepdims = false);
/// The largest, NaN if any is, as are all slopes then; keeps the dtype. Elements that tie share the cotangent equally.
/// Throws std::invalid_argument over nothing.
Tensor max(const Located& x, const Axes& axes = {}, bool keepdims = false);
/// The smallest, as `max`.
Tensor min(const Located& x, const Axes& axes = {}, bool keepdims = false);
/// ln Σ eˣ without overflow; float64 of int64 and bool; -inf of nothing and of all -inf, whose gradient is 0.
/// d/dx = e^(x - logsumexp x).
Tensor logsumexp(const Located& x, const Axes& axes = {}, bool keepdims = false);
/// Index of the largest along one axis, the first at a tie; int64, no gradient. NaN counts as the largest.
/// Throws std::invalid_argument over nothing.
Tensor argmax(const Located& x, std::int64_t axis, bool keepdims = false);
/// Index of the smallest, as `argmax`.
Tensor argmin(const Located& x, std::int64_t axis, bool keepdims = false);
template <Flag B>
Tensor argmax(const Located& x, B axis_is_a_number_and_comes_before_keepdims, bool keepdims = false) = delete;
template <Flag B>
Tensor argmin(const Located& x, B axis_is_a_number_and_comes_before_keepdims, bool keepdims = false) = delete;
/// The same of the flattened tensor.
Tensor argmax(const Located& x);
Tensor argmin(const Located& x);

/// y = eˣ / Σ eˣ along an axis, without overflow; float64 of int64 and bool. NaN for a row of -inf.
/// Of a cotangent g: y·(g - Σ g·y).
Tensor softmax(const Located& x, std::int64_t axis = -1);
/// y = x - ln Σ eˣ along an axis, without overflow; float64 of int64 and bool. NaN for a row of -inf.
/// Of a cotangent g: g - eʸ·Σ g.
Tensor log_softmax(const Located& x, std::int64_t axis = -1);

}  // namespace xgrad
