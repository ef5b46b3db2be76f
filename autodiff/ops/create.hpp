// Tensors from nothing; by NumPy's names. float32 unless said otherwise, as PyTorch.
// Throw std::invalid_argument for a negative extent.
#pragma once

#include <autodiff/core/tensor.hpp>

namespace xgrad {

Tensor zeros(const Shape& shape, DType dtype = DType::float32);
Tensor ones(const Shape& shape, DType dtype = DType::float32);
/// `value` everywhere, without storing it more than once. Throws std::invalid_argument for what no int64 can hold.
Tensor full(const Shape& shape, double value, DType dtype = DType::float32);
Tensor zeros_like(const Tensor& x);
Tensor ones_like(const Tensor& x);
/// start, start + step, … before stop. Throws std::invalid_argument for a step of 0, for arguments that are not finite,
/// and for bool.
Tensor arange(double start, double stop, double step = 1, DType dtype = DType::float32);
/// `n` values from `start` to `stop`, both included; rounded down to int64. Throws std::invalid_argument for n < 0 and
/// for ends that are not finite.
Tensor linspace(double start, double stop, std::int64_t n, DType dtype = DType::float32);
/// Ones on the diagonal of an n × n matrix.
Tensor eye(std::int64_t n, DType dtype = DType::float32);

}  // namespace xgrad
