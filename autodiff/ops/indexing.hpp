// What ops elsewhere need of slices and indices.
#pragma once

#include <autodiff/core/tensor.hpp>
#include <string_view>
#include <vector>

namespace xgrad::detail {

/// Zeros like `x` (false where `values` is bool), with `values` where the slices of x lie.
Tensor embed_slice(const Tensor& values, const Tensor& x, const std::vector<Slice>& slices);

/// `take_along_axis` by indices that an op made or checked, which need no check and are not computed ahead.
Tensor take_along_axis_unchecked(const Tensor& x, const Tensor& indices, std::int64_t axis);
/// Does so for `take` along axis 0.
Tensor take_unchecked(const Tensor& x, const Tensor& indices);

/// For each place along axis 0 of x, where the last of the indices is that names it, or -1: int64. Throws for `op`, as `take` does.
Tensor last_naming(std::string_view op, const Tensor& x, const Tensor& indices);

/// `nonzero` for `op`, which errors name.
Tensor nonzero_for(std::string_view op, const Tensor& x);

}  // namespace xgrad::detail
