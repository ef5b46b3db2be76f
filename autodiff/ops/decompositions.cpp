#include <algorithm>
#include <autodiff/ops/create.hpp>
#include <autodiff/ops/decompositions.hpp>
#include <autodiff/ops/elementwise.hpp>
#include <autodiff/ops/linalg.hpp>
#include <autodiff/ops/matrices.hpp>
#include <autodiff/ops/rearrange.hpp>
#include <autodiff/ops/reduce.hpp>
#include <autodiff/ops/support.hpp>
#include <limits>

namespace xgrad {
namespace {

using namespace detail;

Tensor turned(const Tensor& x) { return matrix_transpose(x); }
Tensor symmetric(const Tensor& x) { return 0.5 * (x + turned(x)); }
/// Rows `first` to `last` of matrices.
Tensor rows(const Tensor& x, std::int64_t first, std::int64_t last) { return x.slice(xt::ellipsis(), xt::range(first, last), xt::all()); }
Tensor row(const Tensor& x, std::int64_t i) { return x.slice(xt::ellipsis(), i, xt::all()); }
Tensor along_rows(const Tensor& x) { return expand_dims(x, -2); }
Tensor along_columns(const Tensor& x) { return expand_dims(x, -1); }
/// 1 / x, and 0 where x is no more than rounding errors of `largest` over `n` values: what it would magnify is noise.
Tensor safe_reciprocal(const Tensor& x, const Tensor& largest, std::int64_t n) {
  const double epsilon = x.dtype() == DType::float32 ? std::numeric_limits<float>::epsilon() : std::numeric_limits<double>::epsilon();
  const Tensor is_zero = abs(x) <= largest.detach() * (epsilon * static_cast<double>(n));
  return where(is_zero, 0, 1 / where(is_zero, 1, x));
}
/// The largest magnitude of each vector, to compare matrices with.
Tensor largest_of(const Tensor& w) { return expand_dims(max(abs(w), -1, true), -1); }
/// The lower triangle with half the diagonal.
Tensor half_lower(const Tensor& x) { return 0.5 * (tril(x) + tril(x, -1)); }

struct Cholesky final : GeneralOp {
  std::string_view name() const override { return "cholesky"; }
  void evaluate(std::span<const Array> inputs, const Array& output) const override {
    const std::int64_t n = output.shape->back(), count = batches(*output.shape);
    if (output.size == 0) return;
    with_floating(output.dtype, [&]<class T>(T) {
      const Contiguous<T> a(inputs[0]);
      Columns<T> matrix(n, n);
      for (std::int64_t i = 0; i < count; ++i) {
        matrix.read(a.data() + i * n * n);
        if (detail::cholesky(n, matrix.data()) != 0) refuse_matrix("cholesky", "is not positive definite", i, count);
        for (std::int64_t c = 0; c < n; ++c) std::fill_n(matrix.data() + c * n, c, T(0));
        matrix.write(output.as<T>() + i * n * n);
      }
    });
  }
  Tensor vjp(std::size_t, const Tensor& g, std::span<const Tensor>, const Tensor& l) const override {
    const Tensor inner = half_lower(matmul(turned(l), tril(g)));
    const Tensor left = triangular_solve(l, inner, {.transposed = true});
    return symmetric(turned(triangular_solve(l, turned(left), {.transposed = true})));
  }
  Tensor vectorized(const Batched& batched) const override { return checked_now(batched.by_leading_axes()); }
};

/// Inputs: triangular matrices and right-hand sides of one batch shape.
struct TriangularSolve final : GeneralOp {
  /// For `caller`, which errors name.
  TriangularSolve(std::string_view caller, TriangularOptions options) : caller(caller), options(options) {}
  bool operator==(const TriangularSolve& other) const {
    return caller == other.caller && options.lower == other.options.lower && options.transposed == other.options.transposed && options.unit == other.options.unit;
  }
  std::string_view name() const override { return "triangular_solve"; }
  void evaluate(std::span<const Array> inputs, const Array& output) const override {
    const std::int64_t n = inputs[0].shape->back(), columns = output.shape->back(), count = batches(*output.shape);
    if (output.size == 0) return;
    with_floating(output.dtype, [&]<class T>(T) {
      const Contiguous<T> a(inputs[0]), b(inputs[1]);
      Columns<T> matrix(n, n), sides(n, columns);
      for (std::int64_t i = 0; i < count; ++i) {
        matrix.read(a.data() + i * n * n);
        sides.read(b.data() + i * n * columns);
        for (std::int64_t k = 0; k < n && !options.unit; ++k)
          if (matrix.data()[k * n + k] == 0) refuse_matrix(caller, "is singular", i, count);
        detail::triangular_solve(n, columns, matrix.data(), sides.data(), options.lower, options.transposed, options.unit);
        sides.write(output.as<T>() + i * n * columns);
      }
    });
  }
  Tensor vjp(std::size_t i, const Tensor& g, std::span<const Tensor> inputs, const Tensor& x) const override {
    TriangularOptions other = options;
    other.transposed = !options.transposed;
    const Tensor back = xgrad::triangular_solve(inputs[0], g, other);
    if (i == 1) return back;
    const Tensor full = options.transposed ? matmul(x, turned(back)) : matmul(back, turned(x));
    const std::int64_t beside = options.unit ? 1 : 0;
    return -(options.lower ? tril(full, -beside) : triu(full, beside));
  }
  Tensor vectorized(const Batched& batched) const override { return solve_batch(batched); }
  std::string_view caller;
  TriangularOptions options;
};

/// Q above R, of matrices with at least as many rows as columns.
struct Qr final : GeneralOp {
  std::string_view name() const override { return "qr"; }
  void evaluate(std::span<const Array> inputs, const Array& output) const override {
    const Shape& shape = *inputs[0].shape;
    const std::int64_t m = shape[shape.size() - 2], n = shape.back(), count = batches(shape);
    if (output.size == 0) return;
    with_floating(output.dtype, [&]<class T>(T) {
      const Contiguous<T> a(inputs[0]);
      Columns<T> q(m, n), r(n, n);
      for (std::int64_t i = 0; i < count; ++i) {
        q.read(a.data() + i * m * n);
        detail::qr(m, n, q.data(), r.data());
        T* const to = output.as<T>() + i * (m + n) * n;
        q.write(to);
        r.write(to + m * n);
      }
    });
  }
  Tensor vjp(std::size_t, const Tensor& g, std::span<const Tensor> inputs, const Tensor& y) const override {
    const std::int64_t m = inputs[0].shape(-2), n = inputs[0].shape(-1);
    const Tensor q = rows(y, 0, m), r = rows(y, m, m + n), gq = rows(g, 0, m), gr = triu(rows(g, m, m + n));
    const Tensor inner = matmul(r, turned(gr)) - matmul(turned(gq), q);
    const Tensor mirrored = tril(inner) + turned(tril(inner, -1));
    return turned(triangular_solve(r, turned(gq + matmul(q, mirrored)), {.lower = false}));
  }
  Tensor vectorized(const Batched& batched) const override { return checked_now(batched.by_leading_axes()); }
};

/// V above w.
struct Eigh final : GeneralOp {
  std::string_view name() const override { return "eigh"; }
  void evaluate(std::span<const Array> inputs, const Array& output) const override {
    const std::int64_t n = inputs[0].shape->back(), count = batches(*inputs[0].shape);
    if (output.size == 0) return;
    with_floating(output.dtype, [&]<class T>(T) {
      const Contiguous<T> a(inputs[0]);
      Columns<T> matrix(n, n);
      for (std::int64_t i = 0; i < count; ++i) {
        T* const to = output.as<T>() + i * (n + 1) * n;
        matrix.read(a.data() + i * n * n);
        if (symmetric_eigen(n, matrix.data(), to + n * n) != 0) refuse_matrix("eigh", "has values for which the iteration does not end", i, count);
        matrix.write(to);
      }
    });
  }
  Tensor vjp(std::size_t, const Tensor& g, std::span<const Tensor> inputs, const Tensor& y) const override {
    const std::int64_t n = inputs[0].shape(-1);
    const Tensor v = rows(y, 0, n), w = row(y, n), gv = rows(g, 0, n), gw = row(g, n);
    if (n == 0) return inputs[0];
    const Tensor gaps = safe_reciprocal(along_rows(w) - along_columns(w), largest_of(w), n);
    const Tensor inner = scale(matmul(turned(v), gv), gaps) + along_columns(gw) * eye(n, g.dtype());
    return symmetric(matmul(matmul(v, inner), turned(v)));
  }
  Tensor vectorized(const Batched& batched) const override { return checked_now(batched.by_leading_axes()); }
};

/// U above s above V.
struct Svd final : GeneralOp {
  std::string_view name() const override { return "svd"; }
  void evaluate(std::span<const Array> inputs, const Array& output) const override {
    const Shape& shape = *inputs[0].shape;
    const std::int64_t m = shape[shape.size() - 2], n = shape.back(), k = std::min(m, n);
    if (output.size == 0) return;
    with_floating(output.dtype, [&]<class T>(T) {
      for_each_svd<T>("svd", inputs[0], [&](std::int64_t i, const Columns<T>& u, const std::vector<T>& values, const Columns<T>& vt) {
        T* const to = output.as<T>() + i * (m + 1 + n) * k;
        u.write(to);
        std::copy(values.begin(), values.end(), to + m * k);
        std::copy(vt.values.begin(), vt.values.end(), to + (m + 1) * k);  // column by column, which is V row by row
      });
    });
  }
  Tensor vjp(std::size_t, const Tensor& g, std::span<const Tensor> inputs, const Tensor& y) const override {
    const std::int64_t m = inputs[0].shape(-2), n = inputs[0].shape(-1), k = std::min(m, n);
    const Tensor u = rows(y, 0, m), s = row(y, m), v = rows(y, m + 1, m + 1 + n);
    const Tensor gu = rows(g, 0, m), gs = row(g, m), gv = rows(g, m + 1, m + 1 + n);
    if (k == 0) return inputs[0];
    const Tensor largest = largest_of(s), size = squeeze(largest, -1);
    const Tensor inverse = safe_reciprocal(s, size, k);
    const Tensor ug = matmul(turned(u), gu), vg = matmul(turned(v), gv), a = ug - turned(ug), b = vg - turned(vg);
    // By sums and differences rather than 1/(sⱼ² - sᵢ²): where u and v turn together, as in U Vᵀ, equal values do no harm.
    const Tensor gaps = safe_reciprocal(along_rows(s) - along_columns(s), largest, k), sums = safe_reciprocal(along_rows(s) + along_columns(s), largest, k);
    const Tensor inner = 0.5 * (scale(a + b, gaps) + scale(a - b, sums)) + along_columns(gs) * eye(k, g.dtype());
    Tensor result = matmul(matmul(u, inner), turned(v));
    if (m > k) result = result + matmul(scale(gu - matmul(u, ug), along_rows(inverse)), turned(v));
    if (n > k) result = result + matmul(u, turned(scale(gv - matmul(v, vg), along_rows(inverse))));
    return result;
  }
  Tensor vectorized(const Batched& batched) const override { return checked_now(batched.by_leading_axes()); }
};

}  // namespace

Tensor cholesky(const Located& a) {
  const Tensor input = matrices("cholesky", a, true);
  return checked_now(record(shared_op<Cholesky>(), {&input, 1}, input.shape(), input.dtype()));
}

Tensor triangular_solve(const Located& a, const Located& b, const TriangularOptions& options) {
  return triangular_solve_for("triangular_solve", a, b, options);
}

Tensor detail::triangular_solve_for(std::string_view op, const Tensor& a, const Tensor& b, const TriangularOptions& options) {
  check_defined(op, b);
  const Tensor left = matrices(op, a, true), right = matrices(op, b);
  const DType dtype = promote(left.dtype(), right.dtype());
  if (right.shape(-2) != left.shape(-1))
    throw std::invalid_argument(std::string(op) + ": shapes " + to_string(a.shape()) + " and " + to_string(b.shape()) + " do not go together");
  const Shape batch = broadcast_shapes(op, batch_shape(left.shape()), batch_shape(right.shape()));
  const std::int64_t n = left.shape(-1), columns = right.shape(-1);
  Tensor inputs[] = {broadcast_to(left.to(dtype), with_matrix(batch, n, n)), broadcast_to(right.to(dtype), with_matrix(batch, n, columns))};
  return checked_now(record_moved(interned<TriangularSolve>(op, options), inputs, with_matrix(batch, n, columns), dtype));
}

std::pair<Tensor, Tensor> qr(const Located& a) {
  const Tensor input = matrices("qr", a);
  const std::int64_t m = input.shape(-2), n = input.shape(-1);
  if (m < n) {
    const auto [q, r] = qr(input.slice(xt::ellipsis(), xt::range(0, m)));
    return {q, concatenate({r, matmul(turned(q), input.slice(xt::ellipsis(), xt::range(m, n)))}, -1)};
  }
  const Tensor both = record(shared_op<Qr>(), {&input, 1}, with_matrix(batch_shape(input.shape()), m + n, n), input.dtype());
  return {rows(both, 0, m), rows(both, m, m + n)};
}

std::pair<Tensor, Tensor> eigh(const Located& a) {
  const Tensor input = matrices("eigh", a, true);
  const std::int64_t n = input.shape(-1);
  const Tensor both = checked_now(record(shared_op<Eigh>(), {&input, 1}, with_matrix(batch_shape(input.shape()), n + 1, n), input.dtype()));
  return {row(both, n), rows(both, 0, n)};
}

std::tuple<Tensor, Tensor, Tensor> svd(const Located& a) {
  const Tensor input = matrices("svd", a);
  const std::int64_t m = input.shape(-2), n = input.shape(-1), k = std::min(m, n);
  const Tensor all = checked_now(record(shared_op<Svd>(), {&input, 1}, with_matrix(batch_shape(input.shape()), m + 1 + n, k), input.dtype()));
  return {rows(all, 0, m), row(all, m), turned(rows(all, m + 1, m + 1 + n))};
}

}  // namespace xgrad
