// The one way to LAPACK. Matrices lie column by column without gaps, as LAPACK takes them; functions that may fail return LAPACK's
// info: 0 where all went well. While a SerialBlas lives (kernels/threads.hpp) bits do not depend on the number of threads. Extents
// beyond LAPACK's index type throw std::length_error.
#pragma once

#include <cstdint>
#include <vector>

namespace xgrad::detail {

/// P A = L U of an n × n matrix, in its place.
template <class T>
int lu(std::int64_t n, T* a, std::vector<int>& pivots);
/// X of A X = B from that, in B's place (n × columns).
template <class T>
void lu_solve(std::int64_t n, std::int64_t columns, const T* lu, const std::vector<int>& pivots, T* b, bool transposed);
/// L of A = L Lᵀ into the lower triangle, from the lower triangle.
template <class T>
int cholesky(std::int64_t n, T* a);
/// Eigenvalues, ascending, of a symmetric matrix given by its lower triangle, whose place the eigenvectors take as columns.
template <class T>
int symmetric_eigen(std::int64_t n, T* a, T* values);
/// A = U diag(s) Vᵀ with k = min(m, n): U is m × k, Vᵀ k × n. Overwrites A.
template <class T>
int singular_values(std::int64_t m, std::int64_t n, T* a, T* u, T* s, T* vt);
/// A = Q R, m >= n: Q in A's place, R (n × n).
template <class T>
int qr(std::int64_t m, std::int64_t n, T* a, T* r);
/// X of T X = B in B's place (n × columns), T triangular.
template <class T>
void triangular_solve(std::int64_t n, std::int64_t columns, const T* a, T* b, bool lower, bool transposed, bool unit);

}  // namespace xgrad::detail
