#pragma once

#include <autodiff/tensor.hpp>
#include <vector>

namespace xgrad::detail {

/// Zeros like `x` (false where `values` is bool), with `values` where the slices of x lie.
Tensor embed_slice(const Tensor& values, const Tensor& x, const std::vector<Slice>& slices);

}  // namespace xgrad::detail
