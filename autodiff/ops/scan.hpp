// Running reductions along an axis. All throw std::invalid_argument for an axis out of range.
#pragma once

#include <autodiff/core/tensor.hpp>

namespace xgrad {

/// yᵢ = Σ xⱼ, j <= i; int64 of bool. Of a cotangent g: the sums from the end.
Tensor cumsum(const Located& x, std::int64_t axis);
/// yᵢ = Π xⱼ, j <= i; int64 of bool. Derivatives are right where elements are 0.
Tensor cumprod(const Located& x, std::int64_t axis);
/// yᵢ = ln Σ eˣⱼ, j <= i, without overflow; float64 of int64 and bool. Elements so large that their sum differs from them by less than
/// rounding, infinite ones among them, share the cotangent in an order of their own.
Tensor logcumsumexp(const Located& x, std::int64_t axis);

}  // namespace xgrad
