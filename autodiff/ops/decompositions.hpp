// Linear algebra by LAPACK, of float32 and float64 (int64 and bool turn into float64). Matrices are the last two axes, those before
// are batches. Differentiable to any order. All throw std::invalid_argument, naming the function and the shape, for ranks and
// extents that do not fit; what depends on values is computed at the call, so that std::domain_error, naming the function and
// which matrix of the batch it was, appears there. So it does for matrices with a NaN or an infinity in what is read of them (SciPy's
// convention), while right-hand sides hand on what they have. Rules: M. Giles, "An extended collection of matrix derivative results" (2008);
// J. Townsend, "Differentiating the singular value decomposition" (2016).
#pragma once

#include <autodiff/core/tensor.hpp>
#include <tuple>
#include <utility>

namespace xgrad {

/// L of A = L Lᵀ, lower triangular. Reads A's lower triangle; gradients are symmetric. Throws std::domain_error unless A is
/// positive definite, beyond rounding.
Tensor cholesky(const Located& a);
/// Q (m × n) and R (n × n, upper triangular) of A = Q R; of fewer rows than columns Q is m × m and R m × n. There is no
/// gradient, but std::domain_error, where columns (the first m of them) depend on each other up to rounding.
std::pair<Tensor, Tensor> qr(const Located& a);
/// Eigenvalues w, ascending, and eigenvectors as the columns of V, of a symmetric matrix of which the lower triangle is read. Gradients
/// are symmetric. Where eigenvalues are equal, up to rounding, V is one of many. The gradient is then right for symmetric functions of
/// w, for functions of V alone that are blind to that choice, and where neither the vectors nor the values of a pair of equal values
/// are used; that of one of them is v vᵀ. In all other cases it is NaN: so it is for V diag(f(w)) Vᵀ, of which the cotangents of V and
/// w do not tell f′, and, where a pair is used, at second order.
std::pair<Tensor, Tensor> eigh(const Located& a);
/// U (m × k), the singular values, descending, and Vᵀ (k × n) of A = U diag(s) Vᵀ, k = min(m, n). The same
/// holds of equal values as in `eigh`, for what turning U and V together does not change, such as U Vᵀ; and of the vectors of values
/// that are 0 up to rounding.
std::tuple<Tensor, Tensor, Tensor> svd(const Located& a);

/// Options of `triangular_solve`.
struct TriangularOptions {
  bool lower = true;        ///< which triangle of A is read
  bool transposed = false;  ///< solves Aᵀ X = B
  bool unit = false;        ///< takes A's diagonal for ones
};
/// X of A X = B for triangular A; batches broadcast. B is a matrix. Throws std::domain_error for a 0 on the diagonal.
Tensor triangular_solve(const Located& a, const Located& b, const TriangularOptions& options = {});
/// X of A X = B; batches broadcast. B is a vector if it has one axis, else matrices. Throws std::domain_error if A is singular, up to
/// rounding: if the condition of |A⁻¹| |A|, which scaling rows and columns does not change, is about 1/(n ε) or more.
Tensor solve(const Located& a, const Located& b);
/// A⁻¹. Throws std::domain_error if A is singular, as `solve` does.
Tensor inv(const Located& a);
/// Moore and Penrose's inverse; singular values up to `rcond` times the largest (by default the larger extent times the dtype's
/// epsilon) count as 0. The derivative is that at constant rank.
Tensor pinv(const Located& a, double rcond = -1);
/// X that minimises |A X - B|; the shortest where A has fewer rows than columns. Throws std::domain_error unless A has full rank, up to
/// rounding: `matmul(pinv(a), b)` is the shortest of them for any rank.
Tensor lstsq(const Located& a, const Located& b);
/// d/dA: the cofactors, which singular matrices have too; and derivatives of any order are right for matrices of any rank, since nothing
/// is divided by. The k-th takes about n^k k! multiplications from the third on.
Tensor det(const Located& a);
/// The sign of det A, and ln |det A| (-inf if A is singular); without overflow. d ln|det A|/dA = A⁻ᵀ; std::domain_error where
/// `inv` has none, unless the cotangent is 0.
std::pair<Tensor, Tensor> slogdet(const Located& a);
/// Aⁿ; of negative n powers of the inverse.
Tensor matrix_power(const Located& a, std::int64_t n);
/// e^A = Σ Aᵏ/k!, by scaling, Padé's approximation and squaring. d/dA: a block of the exponential of a matrix twice as large.
Tensor expm(const Located& a);

}  // namespace xgrad
