// Factors of matrices by Gauss's elimination, and what is solved by them.
#pragma once

#include <autodiff/kernels/condition.hpp>
#include <autodiff/ops/matrices.hpp>

namespace xgrad::detail {

/// Whether a matrix, of which the LU decomposition is given, is singular up to rounding. Scaling rows or columns changes nothing in
/// that: its condition is that of |A⁻¹| |A|, with columns scaled (F. Bauer, 1966; R. Skeel, 1979).
template <class T>
bool is_singular(const T* row_major, const Columns<T>& lu, const std::vector<int>& pivots) {
  const std::int64_t n = lu.rows;
  const auto has_small_pivot = [&] {
    const T* const a = lu.values.data();
    for (std::int64_t k = 0; k < n; ++k) {
      const T* const column = a + k * n;
      T largest = 0;
      for (std::int64_t j = 0; j <= k; ++j) largest = std::max(largest, std::abs(column[j]));
      if (std::abs(column[k]) > small_pivot<T> * static_cast<T>(k + 1) * largest) continue;  // since no l is beyond 1
      T terms = std::abs(column[k]);
      for (std::int64_t j = 0; j < k; ++j) terms += std::abs(a[j * n + k] * column[j]);
      if (std::abs(column[k]) <= small_pivot<T> * terms) return true;
    }
    return false;
  };
  if (!has_small_pivot()) return false;
  std::vector<T> columns(static_cast<std::size_t>(n)), rows(columns);
  const auto magnitude = [&](std::size_t i, std::size_t j) { return std::abs(row_major[i * columns.size() + j]); };
  for (std::size_t i = 0; i < rows.size(); ++i)
    for (std::size_t j = 0; j < rows.size(); ++j) columns[j] = std::max(columns[j], magnitude(i, j));
  for (std::size_t i = 0; i < rows.size(); ++i)
    for (std::size_t j = 0; j < rows.size(); ++j) rows[i] += magnitude(i, j) / columns[j];
  const auto scale = [](std::vector<T>& x, const std::vector<T>& by) {
    for (std::size_t i = 0; i < x.size(); ++i) x[i] *= by[i];
  };
  const auto step = [&](const std::vector<T>& before, bool transposed, const std::vector<T>& after) {
    return [&, transposed](std::vector<T>& x) {
      scale(x, before);
      lu_solve(n, 1, lu.values.data(), pivots, x.data(), transposed);
      scale(x, after);
    };
  };
  return is_singular(column_norm<T>(n, step(columns, true, rows), step(rows, false, columns)), n);
}

/// Calls f(i, factors, pivots, singular, x) for the factors of each matrix; x is memory for so many right-hand sides.
template <class T, class F>
void for_each_lu(std::string_view op, const Array& input, std::int64_t sides, const F& f) {
  const std::int64_t n = input.shape->back(), count = batches(*input.shape);
  const Contiguous<T> a(input);
  const double work = static_cast<double>(n) * static_cast<double>(n) * (static_cast<double>(n) / 3 + static_cast<double>(sides));
  for_each_matrix(count, work, [&] {
    return [&, matrix = Columns<T>(n, n), x = Columns<T>(n, sides), pivots = std::vector<int>()](std::int64_t i) mutable {
      check_finite(op, a.data() + i * n * n, n, n, i, count);
      matrix.read(a.data() + i * n * n);
      const bool exactly = lu(n, matrix.data(), pivots) != 0;
      f(i, matrix, pivots, exactly || (sides > 0 && is_singular(a.data() + i * n * n, matrix, pivots)), x);
    };
  });
}

/// Whether systems of singular matrices are an error even if their right-hand sides are zeros, which 0 solves.
enum class Sides : std::uint8_t { any, may_be_zeros };

/// `solve` on behalf of another function, which errors name.
Tensor solve_for(std::string_view op, const Tensor& a, const Tensor& b, Sides kind = Sides::any);

}  // namespace xgrad::detail
