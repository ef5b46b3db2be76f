// What rules make cotangents with.
#pragma once

#include <autodiff/tensor.hpp>

namespace xgrad::detail {

/// A cotangent times a local derivative: g · d, but 0 where g is 0 whatever d is. With it, what a `where` masks out
/// leaves no trace in a gradient even if a derivative below is infinite or NaN. Shapes broadcast.
Tensor scale(const Tensor& g, const Tensor& d);

/// The cotangent of what was broadcast from `shape`: sums `g` over what that repeated. Or repeats `g`, where it broadcasts to `shape`.
Tensor unbroadcast(Tensor g, const Shape& shape);

}  // namespace xgrad::detail
