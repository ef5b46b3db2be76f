#pragma once

#include <autodiff/core/tensor.hpp>

namespace xgrad::detail {

/// What `x` was recorded as the `matrix_transpose` of, for rules to use in place of transposing again; undefined if `x` is
/// no such thing or if gradients stop at it.
Tensor before_transpose(const Tensor& x);

}  // namespace xgrad::detail
