// Discrete Fourier transforms along an axis, by NumPy's names and signs, of any length; differentiable to any order. There is no
// complex dtype: complex values have a last axis of 2, (real, imaginary), which `axis` does not count. int64 and bool turn into float64.
// Computed in float64, in n log n steps unless n has large prime factors. All throw std::invalid_argument, naming the function and
// the shape, for an axis that is out of range or empty, and for complex values without pairs at their end.
#pragma once

#include <autodiff/core/tensor.hpp>
#include <cstdint>

namespace xgrad {

/// Xₖ = Σⱼ xⱼ e^(-2πi jk/n) of real x, for k = 0 … n/2: the others are their conjugates. Shape (…, n, …) gives (…, n/2 + 1, …, 2).
Tensor rfft(const Located& x, std::int64_t axis = -1);
/// The n real values of which y is the `rfft`; the imaginary parts of y₀ and, for even n, of yₙ/₂ do not count. Throws
/// std::invalid_argument unless y has n/2 + 1 elements along the axis.
Tensor irfft(const Located& y, std::int64_t n, std::int64_t axis = -1);
/// Xₖ = Σⱼ xⱼ e^(-2πi jk/n) of complex x.
Tensor fft(const Located& x, std::int64_t axis = -1);
/// The inverse of `fft`: xⱼ = Σₖ Xₖ e^(2πi jk/n) / n.
Tensor ifft(const Located& x, std::int64_t axis = -1);

}  // namespace xgrad
