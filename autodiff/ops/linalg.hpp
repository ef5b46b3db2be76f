#pragma once

#include <autodiff/core/tensor.hpp>

namespace xgrad {

/// The matrix product, as NumPy's matmul: (…, n, k) x (…, k, m) gives (…, n, m), leading axes broadcast; a vector on the
/// left is a row, on the right a column, and its axis is dropped from the result. Operands promote; transposed ones go
/// to BLAS as they are. dA = g·Bᵀ, dB = Aᵀ·g.
/// Throws std::invalid_argument for scalars, for bool, and when inner or leading axes do not match.
Tensor matmul(const Located& a, const Located& b);

}  // namespace xgrad
