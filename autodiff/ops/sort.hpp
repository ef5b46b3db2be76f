// Sorting and searching, and choosing elements by masks. NaN counts as larger than all numbers, as in NumPy; equal elements
// keep their order.
#pragma once

#include <autodiff/core/tensor.hpp>
#include <cstdint>
#include <utility>

namespace xgrad {

/// Indices that sort along an axis; int64, no gradient.
Tensor argsort(const Tensor& x, std::int64_t axis = -1, bool descending = false);
/// Sorted along an axis. Cotangents go back to where the elements came from.
Tensor sort(const Located& x, std::int64_t axis = -1, bool descending = false);
template <Flag B>
Tensor argsort(const Tensor& x, B axis_is_a_number_and_comes_before_descending, bool descending = false) = delete;
template <Flag B>
Tensor sort(const Located& x, B axis_is_a_number_and_comes_before_descending, bool descending = false) = delete;
/// The k largest (or smallest) along an axis, the first of them first, and their indices.
/// Throws std::invalid_argument unless 0 <= k <= the axis' extent.
std::pair<Tensor, Tensor> topk(const Located& x, std::int64_t k, std::int64_t axis = -1, bool largest = true);
template <Flag B>
std::pair<Tensor, Tensor> topk(const Located& x, std::int64_t k, B axis_is_a_number_and_comes_before_largest, bool largest = true) = delete;
/// Where each value would go into a sorted vector: before equal elements, or behind them with `right`; int64, no gradient.
/// Throws std::invalid_argument unless `sorted` is a vector.
Tensor searchsorted(const Tensor& sorted, const Tensor& values, bool right = false);
/// The same beside an xtensor expression, whose own function of this name would take anything.
template <class A, class B>
  requires(detail::HasTensor<A, B> && (XtExpression<std::remove_cvref_t<A>> || XtExpression<std::remove_cvref_t<B>>))
Tensor searchsorted(A&& sorted, B&& values, bool right = false) {
  return searchsorted(Tensor(sorted), Tensor(values), right);
}
/// The middle element along axes (all by default), the mean of the two middle ones of an even number; NaN if any is. int64 and
/// bool turn into float64. Throws std::invalid_argument over nothing.
Tensor median(const Located& x, const Axes& axes = {}, bool keepdims = false);

/// Indices of the elements that are not 0, a row for each; int64. Computed at the call, for the shape depends on values.
Tensor nonzero(const Tensor& x);
/// The elements of x where `mask`, which broadcasts with it, holds, as a vector (PyTorch's function and convention: axes are aligned
/// from the last, where `x.at(mask)` takes the first, as NumPy). The mask is read at the call.
/// Throws std::invalid_argument when `mask` is not bool.
Tensor masked_select(const Located& x, const Tensor& mask);
/// `value` where `mask` holds, else x; all three broadcast by NumPy's rules, aligned at the last axes. Throws std::invalid_argument when `mask` is not bool.
Tensor masked_fill(const Located& x, const Tensor& mask, const Operand& value);

}  // namespace xgrad
