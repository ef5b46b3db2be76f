// Selecting by position. Indices are int64 tensors; negative ones count from the end; one out of range throws
// std::out_of_range at the call, which therefore computes the indices. Indices get no gradient.
#pragma once

#include <autodiff/core/tensor.hpp>

namespace xgrad {

/// The entries of `x` along `axis` at `indices`, whose shape takes the place of the axis (NumPy's take). Repeated
/// indices add their cotangents.
Tensor take(const Located& x, const Tensor& indices, std::int64_t axis = 0);
/// For each position of `indices` the entry of `x` at that position but for `axis`, where the index says
/// (NumPy's take_along_axis, PyTorch's gather). Axes other than `axis` must match or broadcast.
Tensor take_along_axis(const Located& x, const Tensor& indices, std::int64_t axis = -1);
/// A copy of `x` to which `source` is added along `axis` at `indices` (rank 1), the transpose of `take`
/// (PyTorch's index_add). `source` has x's shape but for `axis`, where it has the length of `indices`.
Tensor index_add(const Located& x, const Tensor& indices, const Located& source, std::int64_t axis = 0);
/// A copy of `x` to which each entry of `source` is added at its position but for `axis`, where the index says, the
/// transpose of `take_along_axis` (PyTorch's scatter_add). `source` and `indices` have one shape, which equals x's but for `axis`.
Tensor scatter_add(const Located& x, const Tensor& indices, const Located& source, std::int64_t axis = -1);
/// `n` classes as rows of 0 and 1: shape (…, n).  Throws std::out_of_range for an index outside 0 … n-1.
Tensor one_hot(const Tensor& indices, std::int64_t n, DType dtype = DType::float32);

}  // namespace xgrad
