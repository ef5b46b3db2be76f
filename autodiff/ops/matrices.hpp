// What the ops of linear algebra share.
#pragma once

#include <algorithm>
#include <autodiff/detail/batched.hpp>
#include <autodiff/detail/lapack.hpp>
#include <autodiff/ops/contiguous.hpp>
#include <autodiff/ops/decompositions.hpp>
#include <autodiff/ops/shape.hpp>
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

/// `solve` and `triangular_solve` on behalf of another function, which errors name.
Tensor solve_for(std::string_view op, const Tensor& a, const Tensor& b);
Tensor triangular_solve_for(std::string_view op, const Tensor& a, const Tensor& b, const TriangularOptions& options);

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
    throw std::invalid_argument(std::string(op) + ": shape " + to_string(a.shape()) + " is not one of " + (square ? "square " : "") + "matrices");
  return is_floating(a.dtype()) ? a : a.to(DType::float64);
}

[[noreturn]] inline void refuse_matrix(std::string_view op, const std::string& why, std::int64_t which, std::int64_t count) {
  throw std::domain_error(std::string(op) + ": the matrix " + (count > 1 ? std::to_string(which) + " of " + std::to_string(count) + " " : "") + why);
}

/// Calls f(i, u, s, vt) with the factors of each matrix: u (m × k) and vt (k × n) column by column, k = min(m, n).
template <class T, class F>
void for_each_svd(std::string_view op, const Array& input, const F& f) {
  const Shape& shape = *input.shape;
  const std::int64_t m = shape[shape.size() - 2], n = shape.back(), k = std::min(m, n), count = batches(shape);
  const Contiguous<T> a(input);
  Columns<T> matrix(m, n), u(m, k), vt(k, n);
  std::vector<T> s(static_cast<std::size_t>(k));
  for (std::int64_t i = 0; i < count; ++i) {
    matrix.read(a.data() + i * m * n);
    if (singular_values(m, n, matrix.data(), u.data(), s.data(), vt.data()) != 0)
      refuse_matrix(op, "has values for which the iteration does not end", i, count);
    f(i, u, s, vt);
  }
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
