// What ops elsewhere need of slices and indices.
#pragma once

#include <autodiff/tensor.hpp>
#include <vector>

namespace xgrad::detail {

/// Zeros like `x` (false where `values` is bool), with `values` where the slices of x lie.
Tensor embed_slice(const Tensor& values, const Tensor& x, const std::vector<Slice>& slices);

/// `take_along_axis` by indices that an op made or checked, which need no check and are not computed ahead.
Tensor take_along_axis_unchecked(const Tensor& x, const Tensor& indices, std::int64_t axis);
/// The same for `take` from x, which has one axis.
Tensor take_unchecked(const Tensor& x, const Tensor& indices);

}  // namespace xgrad::detail
