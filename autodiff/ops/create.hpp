// Tensors from nothing; by NumPy's names. float32 unless said otherwise, as PyTorch.
// Throw std::invalid_argument for a negative extent.
#pragma once

#include <autodiff/tensor.hpp>

namespace xgrad {

Tensor zeros(const Shape& shape, DType dtype = DType::float32);
Tensor ones(const Shape& shape, DType dtype = DType::float32);
/// `value` everywhere, without storing it more than once.
Tensor full(const Shape& shape, double value, DType dtype = DType::float32);
Tensor zeros_like(const Tensor& x);
Tensor ones_like(const Tensor& x);
/// start, start + step, … before stop. Throws std::invalid_argument for a step of 0.
Tensor arange(double start, double stop, double step = 1, DType dtype = DType::float32);
/// `n` values from `start` to `stop`, both included. Throws std::invalid_argument for n < 0.
Tensor linspace(double start, double stop, std::int64_t n, DType dtype = DType::float32);
/// Ones on the diagonal of an n × n matrix.
Tensor eye(std::int64_t n, DType dtype = DType::float32);

}  // namespace xgrad
