// The base of ops that reduce over axes.
#pragma once

#include <autodiff/ops/batching.hpp>
#include <autodiff/core/tape.hpp>
#include <span>
#include <utility>

namespace xgrad::detail {

/// A reduction, with what its rules need.
struct Reduction : ReductionOp {
  using ReductionOp::ReductionOp;

  /// `t`, of the result's shape, with the reduced axes as extents of 1, so that it broadcasts to the input.
  Tensor kept(const Tensor& t) const;
  /// Likewise, for a cotangent of the result.
  Support kept(const Support& g) const;
};

/// The shape left of `shape` when `axes` (sorted, counted from the front) are reduced.
Shape reduced_shape(const Shape& shape, std::span<const std::int64_t> axes, bool keepdims);

/// `x` with the reduced axes as one at the end, the others in their order.
Tensor reduced_last(const Tensor& x, std::span<const std::int64_t> axes);

/// Records the reduction `R` of `x`.
template <class R>
Tensor reduce(const Tensor& x, AxisList axes, bool keepdims, DType dtype) {
  Shape shape = reduced_shape(x.shape(), axes, keepdims);
  return record(interned<R>(std::move(axes), keepdims), {&x, 1}, std::move(shape), dtype);
}

/// The reduction `R` for a batch.
template <class R>
Tensor reduce(const Batched& batched, const Reduction& of_one) {
  return reduce<R>(batched.input(0), behind_batch(of_one.axes), of_one.keepdims, batched.dtype());
}

}  // namespace xgrad::detail
