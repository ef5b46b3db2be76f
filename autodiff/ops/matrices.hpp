// What the ops of linear algebra share.
#pragma once

#include <algorithm>
#include <autodiff/core/trace_state.hpp>
#include <autodiff/ops/batching.hpp>
#include <autodiff/kernels/blas.hpp>
#include <autodiff/kernels/lapack.hpp>
#include <autodiff/core/runtime.hpp>
#include <autodiff/kernels/threads.hpp>
#include <autodiff/ops/contiguous.hpp>
#include <autodiff/ops/decompositions.hpp>
#include <autodiff/ops/shape.hpp>
#include <cmath>
#include <exception>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace xgrad::detail {

/// Matrices of a batch, copied column by column as LAPACK takes them.
template <class T>
class Columns {
 public:
  Columns(std::int64_t rows, std::int64_t columns) : rows(rows), columns(columns), values(static_cast<std::size_t>(rows * columns)) {}
  T* data() { return values.data(); }
  void read(const T* row_major) {
    for (std::int64_t i = 0; i < rows; ++i)
      for (std::int64_t j = 0; j < columns; ++j) values[static_cast<std::size_t>(j * rows + i)] = row_major[i * columns + j];
  }
  void write(T* row_major) const {
    for (std::int64_t i = 0; i < rows; ++i)
      for (std::int64_t j = 0; j < columns; ++j) row_major[i * columns + j] = values[static_cast<std::size_t>(j * rows + i)];
  }

  std::int64_t rows, columns;
  std::vector<T> values;
};

/// What a function reads of a matrix.
enum class Region : std::uint8_t { all, lower, upper, below_diagonal, above_diagonal };

/// `triangular_solve` on behalf of another function, which errors name. Unless `rank_of` is 0, A is R of Q R with so many rows, whose
/// columns may not depend on each other up to rounding; and right-hand sides of zeros have the solution 0 whatever the matrix.
Tensor triangular_solve_for(std::string_view op, const Tensor& a, const Tensor& b, const TriangularOptions& options, std::int64_t rank_of = 0);
/// `qr` likewise.
std::pair<Tensor, Tensor> qr_for(std::string_view op, const Tensor& a);

/// Calls f(T()) for the floating type.
template <class F>
void with_floating(DType dtype, const F& f) {
  if (dtype == DType::float32) f(float());
  else f(double());
}

inline std::int64_t batches(const Shape& shape) {
  std::int64_t count = 1;
  for (std::size_t i = 0; i + 2 < shape.size(); ++i) count *= shape[i];
  return count;
}
inline Shape batch_shape(const Shape& shape) { return Shape(shape.begin(), shape.end() - 2); }
inline Shape with_matrix(Shape batch, std::int64_t rows, std::int64_t columns) {
  batch.push_back(rows);
  batch.push_back(columns);
  return batch;
}

/// Matrices of a floating dtype.
inline Tensor matrices(std::string_view op, const Tensor& a, bool square = false) {
  check_defined(op, a);
  if (a.dim() < 2 || (square && a.shape(-1) != a.shape(-2)))
    throw detail::located<std::invalid_argument>(std::string(op) + ": shape " + to_string(a.shape()) + " is not one of " + (square ? "square " : "") + "matrices");
  return is_floating(a.dtype()) ? a : a.to(DType::float64);
}

inline double epsilon_of(DType dtype) {
  return dtype == DType::float32 ? std::numeric_limits<float>::epsilon() : std::numeric_limits<double>::epsilon();
}

[[noreturn]] inline void refuse_matrix(std::string_view op, const std::string& why, std::int64_t which, std::int64_t count) {
  throw detail::located<std::domain_error>(std::string(op) + ": the matrix " + (count > 1 ? std::to_string(which) + " of " + std::to_string(count) + " " : "") + why);
}

/// The rule of all functions here: a matrix with a NaN or an infinity in what is read of it is refused, since LAPACK answers to such
/// whatever it happens to compute.
template <class T>
void check_finite(std::string_view op, const T* row_major, std::int64_t rows, std::int64_t columns, std::int64_t which, std::int64_t count,
                  Region region = Region::all) {
  const bool below = region == Region::lower || region == Region::below_diagonal, above = region == Region::upper || region == Region::above_diagonal;
  for (std::int64_t i = 0; i < rows; ++i) {
    const std::int64_t first = above ? std::min(i + (region == Region::above_diagonal), columns) : 0;
    const std::int64_t end = below ? std::min(i + (region == Region::lower), columns) : columns;
    const T* const row = row_major + i * columns;
    T probe = 0;  // 0 · x is 0 for finite x alone
    for (std::int64_t j = first; j < end; ++j) probe += row[j] * T(0);
    if (probe == 0) continue;
    std::int64_t j = first;
    while (std::isfinite(row[j])) ++j;
    const std::string value = std::isnan(row[j]) ? "NaN" : row[j] > 0 ? "inf" : "-inf";
    refuse_matrix(op, "is not finite: it has " + value + " at (" + std::to_string(i) + ", " + std::to_string(j) + ")", which, count);
  }
}

/// Calls make()(i) for each matrix i of a batch, each of about `work` multiplications: on several threads where that pays, each of
/// which makes a function, with memory, of its own. LAPACK keeps to the thread it is called on, so results are the same bits for any
/// number of threads; and the error is that of the first matrix that has one.
template <class Make>
void for_each_matrix(std::int64_t count, double work, const Make& make) {
  std::optional<SerialBlas> serial;
  if (num_threads() > 1) serial.emplace();
  const bool shared = num_threads() > 1 && work * static_cast<double>(count) > work_of_thread;
  const std::int64_t parts = shared ? std::min<std::int64_t>(count, 4 * num_threads()) : 1;
  std::vector<std::exception_ptr> failures(static_cast<std::size_t>(parts));
  parallel_for(static_cast<std::size_t>(parts), [&](std::size_t part) {
    try {
      const auto at = static_cast<std::int64_t>(part);
      auto each = make();
      for (std::int64_t i = at * count / parts; i < (at + 1) * count / parts; ++i) each(i);
    } catch (...) {
      failures[part] = std::current_exception();
    }
  });
  for (const std::exception_ptr& failure : failures)
    if (failure) std::rethrow_exception(failure);
}

/// The cube of an extent, as the work of a decomposition.
inline double cube(std::int64_t n) { return static_cast<double>(n) * static_cast<double>(n) * static_cast<double>(n); }

/// Calls f(i, u, s, vt) with the factors of each matrix: u (m × k) and vt (k × n) column by column, k = min(m, n).
template <class T, class F>
void for_each_svd(std::string_view op, const Array& input, const F& f) {
  const Shape& shape = *input.shape;
  const std::int64_t m = shape[shape.size() - 2], n = shape.back(), k = std::min(m, n), count = batches(shape);
  const Contiguous<T> a(input);
  for_each_matrix(count, 8 * cube(std::max(m, n)), [&] {
    return [&, matrix = Columns<T>(m, n), u = Columns<T>(m, k), vt = Columns<T>(k, n), s = std::vector<T>(static_cast<std::size_t>(k))](std::int64_t i) mutable {
      check_finite(op, a.data() + i * m * n, m, n, i, count);
      matrix.read(a.data() + i * m * n);
      if (singular_values(m, n, matrix.data(), u.data(), s.data(), vt.data()) != 0)
        refuse_matrix(op, "has values for which the iteration does not end", i, count);
      f(i, u, s, vt);
    };
  });
}

/// Errors in values appear at the call; but a rule computes nothing ahead, and its values were checked with the forward pass.
inline Tensor checked_now(Tensor x) {
  if (!Tracing::active()) x.evaluate();
  return x;
}

/// An op of matrices and their right-hand sides for a batch: sides of one matrix stand beside each other.
inline Tensor solve_batch(const Batched& batched) {
  if (batched.mapped(0) || batched.input(0).dim() != 2) return checked_now(batched.by_leading_axes());
  const Tensor& sides = batched.input(1);
  const std::int64_t count = batched.count(), n = sides.shape(-2), columns = sides.shape(-1);
  const Tensor inputs[] = {batched.input(0), reshape(transpose(sides, {1, 0, 2}), {n, count * columns})};
  const Tensor together = checked_now(batched.record_self(inputs, {n, count * columns}));
  return transpose(reshape(together, {n, count, columns}), {1, 0, 2});
}

}  // namespace xgrad::detail
