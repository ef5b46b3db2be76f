// Products of vectors and tensors, through `matmul` and so BLAS; differentiable to any order. All throw std::invalid_argument,
// naming the function and the shapes, when extents do not agree.
#pragma once

#include <autodiff/core/tensor.hpp>
#include <cstdint>
#include <string>
#include <vector>

namespace xgrad {

/// NumPy's dot: of vectors Σ aᵢbᵢ, of matrices their product; else the sum over a's last axis and b's last but one. A scalar
/// multiplies.
Tensor dot(const Located& a, const Located& b);
/// The sum over the last axis of both. A scalar multiplies.
Tensor inner(const Located& a, const Located& b);
/// aᵢbⱼ of all elements of a and of b.
Tensor outer(const Located& a, const Located& b);
/// The sum over the last `axes` axes of a and the first of b.
Tensor tensordot(const Located& a, const Located& b, std::int64_t axes = 2);
/// The sum over pairs of axes; what is left of a comes first.
Tensor tensordot(const Located& a, const Located& b, const std::vector<std::int64_t>& a_axes, const std::vector<std::int64_t>& b_axes);
/// Kronecker's product: blocks aᵢⱼ·b. Missing axes at the front count as 1.
Tensor kron(const Located& a, const Located& b);
/// a × b of vectors of 3 along the last axis; the others broadcast.
Tensor cross(const Located& a, const Located& b);
/// The sum of products that subscripts spell out, as NumPy's: "ij,jk->ik". Letters stand for axes; those not in the output are
/// summed over; one given twice in an operand is its diagonal; "..." stands for axes that broadcast, and are summed over too where the
/// output leaves them out (PyTorch's convention; NumPy refuses); without "->" the output has "..." and the letters that come once, in
/// alphabetic order. Several operands are multiplied two at a time, next the pair whose product has the fewest elements, by `matmul`
/// where there is something to sum. Throws std::invalid_argument, quoting the subscripts, when they are not valid or do not fit the
/// shapes.
Tensor einsum(const std::string& subscripts, const std::vector<Tensor>& operands,
              std::source_location where = std::source_location::current());

}  // namespace xgrad
