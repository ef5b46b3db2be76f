#include <algorithm>
#include <autodiff/kernels/condition.hpp>
#include <autodiff/ops/create.hpp>
#include <autodiff/ops/decompositions.hpp>
#include <autodiff/ops/elementwise.hpp>
#include <autodiff/ops/linalg.hpp>
#include <autodiff/ops/matrices.hpp>
#include <autodiff/ops/rearrange.hpp>
#include <autodiff/ops/reduce.hpp>
#include <autodiff/ops/special.hpp>
#include <autodiff/ops/statistics.hpp>
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
/// The largest magnitude of each vector, to compare matrices with.
Tensor largest_of(const Tensor& w) { return expand_dims(max(abs(w), -1, true), -1); }
/// Whether x is no more than rounding errors of `largest` over `n` values.
Tensor is_rounding(const Tensor& x, const Tensor& largest, std::int64_t n) {
  return abs(x.detach()) <= largest.detach() * (epsilon_of(x.dtype()) * static_cast<double>(n));
}

/// What factors were used for, as bits.
enum Use : unsigned { vectors = 1, values = 2, both = vectors | values };

/// Rows `first` to `last` of factors that lie one above the other, with two rows below them whose cotangents say whether vectors and
/// whether values were used. It takes both to tell: of V alone, only what equal values leave open is missing from the gradient, but in
/// V f(w) Vᵀ their vectors hold a term with f′(w), of which the cotangents of V and w know nothing.
struct Factor final : ViewOp {
  Factor(std::int64_t first, std::int64_t last, Use use) : first(first), last(last), use(use) {}
  bool operator==(const Factor& other) const { return first == other.first && last == other.last && use == other.use; }
  std::string_view name() const override { return "slice"; }
  bool view(const Shape&, const Value& input, const Shape&, Value& output) const override {
    output.strides = input.strides;
    output.offset = input.offset + first * input.strides[input.strides.size() - 2];
    return true;
  }
  Tensor vjp(std::size_t, const Tensor& g, std::span<const Tensor> inputs, const Tensor&) const override {
    const std::int64_t behind = inputs[0].shape(-2) - 2, k = g.shape(-1);
    const auto filled = [&](std::int64_t rows, double value) { return full(with_matrix(batch_shape(g.shape()), rows, k), value, g.dtype()); };
    return concatenate({filled(first, 0), g, filled(behind - last, 0), filled(1, (use & vectors) != 0), filled(1, (use & values) != 0)}, -2);
  }
  Tensor vectorized(const Batched& batched) const override { return record_view(batched.op(), batched.input(0), batched.of_all()); }
  std::int64_t first, last;
  Use use;
};
Tensor factor(const Tensor& factors, std::int64_t first, std::int64_t last, Use use) {
  return record_view(interned<Factor>(first, last, use), factors, with_matrix(batch_shape(factors.shape()), last - first, factors.shape(-1)));
}
/// A factor of one row.
Tensor values_at(const Tensor& factors, std::int64_t at, Use use) { return row(factor(factors, at, at + 1, use), 0); }

/// Quotients of a rule by differences of values, or by values, that may be 0 up to rounding. What is divided by 0 is left out where the
/// loss is blind to it: where the numerator is 0 up to rounding, or, if vectors and values were both used, where neither belongs to
/// a vector that was. Otherwise there is no derivative, and the result is NaN.
class Quotients {
 public:
  /// For the cotangent `g` of factors whose vectors have the cotangents `of_vectors`.
  Quotients(const Tensor& g, std::initializer_list<Tensor> of_vectors) {
    const std::int64_t marks = g.shape(-2) - 2;
    both_used_ = expand_dims(min(abs(rows(g.detach(), marks, marks + 2)), {-2, -1}) > 0, -1);
    both_used_ = expand_dims(both_used_, -1);
    unused_ = all(rows(g.detach(), 0, marks) == 0, -2);
    Tensor largest = zeros({}, g.dtype());
    for (const Tensor& x : of_vectors) largest = maximum(largest, max(abs(x.detach()), {-2, -1}, true));
    bound_ = largest * (32 * epsilon_of(g.dtype()) * static_cast<double>(marks));
  }

  /// numerator / x where `is_zero` has matrices over pairs of vectors.
  Tensor of_pairs(const Tensor& numerator, const Tensor& x, const Tensor& is_zero) const {
    const Tensor neither = logical_and(along_columns(unused_), along_rows(unused_));
    return divided(numerator, x, is_zero, logical_or(eye(x.shape(-1), DType::bool_), blind(numerator, neither)));
  }
  /// numerator / x, whose columns belong to vectors.
  Tensor of_columns(const Tensor& numerator, const Tensor& x, const Tensor& is_zero) const {
    return divided(numerator, along_rows(x), along_rows(is_zero), blind(numerator, along_rows(unused_)));
  }

 private:
  Tensor blind(const Tensor& numerator, const Tensor& unused) const { return where(both_used_, unused, abs(numerator.detach()) <= bound_); }
  static Tensor divided(const Tensor& numerator, const Tensor& x, const Tensor& is_zero, const Tensor& is_blind) {
    const auto number = [&](double value) { return full({}, value, numerator.dtype()); };
    return where(is_zero, where(is_blind, number(0), number(std::numeric_limits<double>::quiet_NaN())), numerator / where(is_zero, number(1), x));
  }

  Tensor both_used_, unused_, bound_;
};

/// The lower triangle with half the diagonal.
Tensor half_lower(const Tensor& x) { return 0.5 * (tril(x) + tril(x, -1)); }

struct Cholesky final : GeneralOp {
  std::string_view name() const override { return "cholesky"; }
  void evaluate(std::span<const Array> inputs, const Array& output) const override {
    const std::int64_t n = output.shape->back(), count = batches(*output.shape);
    if (output.size == 0) return;
    with_floating(output.dtype, [&]<class T>(T) {
      const Contiguous<T> a(inputs[0]);
      for_each_matrix(count, cube(n) / 6, [&] {
        return [&, matrix = Columns<T>(n, n)](std::int64_t i) mutable {
          const T* const from = a.data() + i * n * n;
          check_finite("cholesky", from, n, n, i, count, Region::lower);
          matrix.read(from);
          const bool positive = detail::cholesky(n, matrix.data()) == 0 && !is_nearly_singular(from, matrix);
          if (!positive) refuse_matrix("cholesky", "is not positive definite", i, count);
          for (std::int64_t c = 0; c < n; ++c) std::fill_n(matrix.data() + c * n, c, T(0));
          matrix.write(output.as<T>() + i * n * n);
        };
      });
    });
  }
  Tensor vjp(std::size_t, const Tensor& g, std::span<const Tensor>, const Tensor& l) const override {
    const Tensor inner = half_lower(matmul(turned(l), tril(g)));
    const Tensor left = triangular_solve(l, inner, {.transposed = true});
    return symmetric(turned(triangular_solve(l, turned(left), {.transposed = true})));
  }
  Tensor vectorized(const Batched& batched) const override { return checked_now(batched.by_leading_axes()); }

 private:
  /// With rows and columns scaled so that the diagonal is of ones (A. van der Sluis, 1969).
  template <class T>
  static bool is_nearly_singular(const T* a, const Columns<T>& l) {
    const std::int64_t n = l.rows;
    std::vector<T> roots(static_cast<std::size_t>(n));
    bool small = false;
    for (std::int64_t k = 0; k < n; ++k) {
      const T pivot = l.values[static_cast<std::size_t>(k * n + k)], root = std::sqrt(a[k * n + k]);
      roots[static_cast<std::size_t>(k)] = root;
      small = small || pivot * pivot <= small_pivot<T> * root * root;
    }
    if (!small) return false;
    const auto step = [&](std::vector<T>& x) {
      for (std::size_t k = 0; k < x.size(); ++k) x[k] *= roots[k];
      detail::triangular_solve(n, 1, l.values.data(), x.data(), true, false, false);
      detail::triangular_solve(n, 1, l.values.data(), x.data(), true, true, false);
      for (std::size_t k = 0; k < x.size(); ++k) x[k] *= roots[k];
    };
    return is_singular(column_norm<T>(n, step, step), n);
  }
};

/// Inputs: triangular matrices and right-hand sides of one batch shape.
struct TriangularSolve final : GeneralOp {
  /// For `caller`, which errors name.
  TriangularSolve(std::string_view caller, TriangularOptions options, std::int64_t rank_of) : caller(caller), options(options), rank_of(rank_of) {}
  bool operator==(const TriangularSolve& other) const {
    return caller == other.caller && options.lower == other.options.lower && options.transposed == other.options.transposed &&
           options.unit == other.options.unit && rank_of == other.rank_of;
  }
  std::string_view name() const override { return "triangular_solve"; }
  void evaluate(std::span<const Array> inputs, const Array& output) const override {
    const std::int64_t n = inputs[0].shape->back(), columns = output.shape->back(), count = batches(*output.shape);
    if (output.size == 0) return;
    with_floating(output.dtype, [&]<class T>(T) {
      const Contiguous<T> a(inputs[0]), b(inputs[1]);
      const Region region = options.unit ? (options.lower ? Region::below_diagonal : Region::above_diagonal) : options.lower ? Region::lower : Region::upper;
      for_each_matrix(count, 0.5 * static_cast<double>(n) * static_cast<double>(n) * static_cast<double>(columns), [&] {
        return [&, matrix = Columns<T>(n, n), sides = Columns<T>(n, columns)](std::int64_t i) mutable {
          const T* const from = a.data() + i * n * n;
          check_finite(caller, from, n, n, i, count, region);
          matrix.read(from);
          sides.read(b.data() + i * n * columns);
          if (!has_full_rank(matrix) && (rank_of == 0 || std::any_of(sides.values.begin(), sides.values.end(), [](T x) { return x != 0; })))
            refuse_matrix(caller, rank_of == 0 ? "is singular" : "has not full rank", i, count);
          detail::triangular_solve(n, columns, matrix.data(), sides.data(), options.lower, options.transposed, options.unit);
          sides.write(output.as<T>() + i * n * columns);
        };
      });
    });
  }
  Tensor vjp(std::size_t i, const Tensor& g, std::span<const Tensor> inputs, const Tensor& x) const override {
    TriangularOptions other = options;
    other.transposed = !options.transposed;
    const Tensor back = triangular_solve_for(caller, inputs[0], g, other, rank_of);
    if (i == 1) return back;
    const Tensor full = options.transposed ? matmul(x, turned(back)) : matmul(back, turned(x));
    const std::int64_t beside = options.unit ? 1 : 0;
    return -(options.lower ? tril(full, -beside) : triu(full, beside));
  }
  Tensor vectorized(const Batched& batched) const override { return solve_batch(batched); }
  std::string_view caller;
  TriangularOptions options;
  std::int64_t rank_of;

 private:
  template <class T>
  bool has_full_rank(const Columns<T>& matrix) const {
    const std::int64_t n = matrix.columns;
    const T* const t = matrix.values.data();
    for (std::int64_t k = 0; k < n && !options.unit; ++k)
      if (t[k * n + k] == 0) return false;
    return rank_of == 0 || !has_dependent_columns(n, t);
  }
  /// Of R, whose columns have the norms of those of Q R, and are scaled by them.
  template <class T>
  bool has_dependent_columns(std::int64_t n, const T* r) const {
    std::vector<T> norms(static_cast<std::size_t>(n));
    bool small = false;
    for (std::int64_t k = 0; k < n; ++k) {
      T& norm = norms[static_cast<std::size_t>(k)];
      for (std::int64_t i = 0; i <= k; ++i) norm = std::hypot(norm, r[k * n + i]);
      small = small || std::abs(r[k * n + k]) <= small_pivot<T> * norm;
    }
    if (!small) return false;
    const auto scale = [&](std::vector<T>& x) {
      for (std::size_t k = 0; k < x.size(); ++k) x[k] *= norms[k];
    };
    const auto apply = [&](std::vector<T>& x) {
      detail::triangular_solve(n, 1, r, x.data(), false, false, false);
      scale(x);
    };
    const auto apply_transposed = [&](std::vector<T>& x) {
      scale(x);
      detail::triangular_solve(n, 1, r, x.data(), false, true, false);
    };
    return is_singular(column_norm<T>(n, apply, apply_transposed), rank_of);
  }
};

/// Q above R, of matrices with at least as many rows as columns.
struct Qr final : GeneralOp {
  /// For `caller`, which errors name.
  explicit Qr(std::string_view caller) : caller(caller) {}
  bool operator==(const Qr& other) const { return caller == other.caller; }
  std::string_view name() const override { return "qr"; }
  void evaluate(std::span<const Array> inputs, const Array& output) const override {
    const Shape& shape = *inputs[0].shape;
    const std::int64_t m = shape[shape.size() - 2], n = shape.back(), count = batches(shape);
    if (output.size == 0) return;
    with_floating(output.dtype, [&]<class T>(T) {
      const Contiguous<T> a(inputs[0]);
      for_each_matrix(count, 2 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(n), [&] {
        return [&, q = Columns<T>(m, n), r = Columns<T>(n, n)](std::int64_t i) mutable {
          check_finite(caller, a.data() + i * m * n, m, n, i, count);
          q.read(a.data() + i * m * n);
          detail::qr(m, n, q.data(), r.data());
          T* const to = output.as<T>() + i * (m + n) * n;
          q.write(to);
          r.write(to + m * n);
        };
      });
    });
  }
  Tensor vjp(std::size_t, const Tensor& g, std::span<const Tensor> inputs, const Tensor& y) const override {
    const std::int64_t m = inputs[0].shape(-2), n = inputs[0].shape(-1);
    const Tensor q = rows(y, 0, m), r = rows(y, m, m + n), gq = rows(g, 0, m), gr = triu(rows(g, m, m + n));
    const Tensor inner = matmul(r, turned(gr)) - matmul(turned(gq), q);
    const Tensor mirrored = tril(inner) + turned(tril(inner, -1));
    return turned(triangular_solve_for(caller, r, turned(gq + matmul(q, mirrored)), {.lower = false}, m));
  }
  Tensor vectorized(const Batched& batched) const override { return checked_now(batched.by_leading_axes()); }
  std::string_view caller;
};

/// V above w.
struct Eigh final : GeneralOp {
  std::string_view name() const override { return "eigh"; }
  void evaluate(std::span<const Array> inputs, const Array& output) const override {
    const std::int64_t n = inputs[0].shape->back(), count = batches(*inputs[0].shape);
    if (output.size == 0) return;
    with_floating(output.dtype, [&]<class T>(T) {
      const Contiguous<T> a(inputs[0]);
      for_each_matrix(count, 8 * cube(n), [&] {
        return [&, matrix = Columns<T>(n, n)](std::int64_t i) mutable {
          T* const to = output.as<T>() + i * (n + 3) * n;
          check_finite("eigh", a.data() + i * n * n, n, n, i, count, Region::lower);
          matrix.read(a.data() + i * n * n);
          if (symmetric_eigen(n, matrix.data(), to + n * n) != 0) refuse_matrix("eigh", "has values for which the iteration does not end", i, count);
          matrix.write(to);
          std::fill_n(to + (n + 1) * n, 2 * n, T(0));
        };
      });
    });
  }
  Tensor vjp(std::size_t, const Tensor& g, std::span<const Tensor> inputs, const Tensor& y) const override {
    const std::int64_t n = inputs[0].shape(-1);
    if (n == 0) return inputs[0];
    const Tensor v = factor(y, 0, n, both), w = values_at(y, n, both), gv = rows(g, 0, n), gw = row(g, n);
    const Tensor mixed = matmul(turned(v), gv), gaps = along_rows(w) - along_columns(w);
    const Tensor turning = Quotients(g, {gv}).of_pairs(0.5 * (mixed - turned(mixed)), gaps, is_rounding(gaps, largest_of(w), n));
    return symmetric(matmul(matmul(v, turning + along_columns(gw) * eye(n, g.dtype())), turned(v)));
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
      for_each_svd<T>("svd", inputs[0], [&](std::int64_t i, const Columns<T>& u, const std::vector<T>& s, const Columns<T>& vt) {
        T* const to = output.as<T>() + i * (m + n + 3) * k;
        u.write(to);
        std::copy(s.begin(), s.end(), to + m * k);
        std::copy(vt.values.begin(), vt.values.end(), to + (m + 1) * k);  // column by column, which is V row by row
        std::fill_n(to + (m + n + 1) * k, 2 * k, T(0));
      });
    });
  }
  Tensor vjp(std::size_t, const Tensor& g, std::span<const Tensor> inputs, const Tensor& y) const override {
    const std::int64_t m = inputs[0].shape(-2), n = inputs[0].shape(-1), k = std::min(m, n);
    if (k == 0) return inputs[0];
    const Tensor u = factor(y, 0, m, both), s = values_at(y, m, both), v = factor(y, m + 1, m + 1 + n, both);
    const Tensor gu = rows(g, 0, m), gs = row(g, m), gv = rows(g, m + 1, m + 1 + n);
    const Quotients quotients(g, {gu, gv});
    const Tensor ug = matmul(turned(u), gu), vg = matmul(turned(v), gv), a = ug - turned(ug), b = vg - turned(vg);
    // By sums and differences rather than 1/(sⱼ² - sᵢ²): where u and v turn together, as in U Vᵀ, equal values do no harm.
    const auto over = [&](const Tensor& numerator, const Tensor& x) { return quotients.of_pairs(numerator, x, is_rounding(x, largest_of(s), k)); };
    const Tensor together = over(a + b, along_rows(s) - along_columns(s)), apart = over(a - b, along_rows(s) + along_columns(s));
    Tensor result = matmul(matmul(u, 0.5 * (together + apart) + along_columns(gs) * eye(k, g.dtype())), turned(v));
    const Tensor is_zero = is_rounding(s, squeeze(largest_of(s), -1), k);
    if (m > k) result = result + matmul(quotients.of_columns(gu - matmul(u, ug), s, is_zero), turned(v));
    if (n > k) result = result + matmul(u, turned(quotients.of_columns(gv - matmul(v, vg), s, is_zero)));
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

Tensor detail::triangular_solve_for(std::string_view op, const Tensor& a, const Tensor& b, const TriangularOptions& options, std::int64_t rank_of) {
  check_defined(op, b);
  const Tensor left = matrices(op, a, true), right = matrices(op, b);
  const DType dtype = promote(left.dtype(), right.dtype());
  if (right.shape(-2) != left.shape(-1))
    throw detail::located<std::invalid_argument>(std::string(op) + ": shapes " + to_string(a.shape()) + " and " + to_string(b.shape()) + " do not go together");
  const Shape batch = broadcast_shapes(op, batch_shape(left.shape()), batch_shape(right.shape()));
  const std::int64_t n = left.shape(-1), columns = right.shape(-1);
  Tensor inputs[] = {broadcast_to(left.to(dtype), with_matrix(batch, n, n)), broadcast_to(right.to(dtype), with_matrix(batch, n, columns))};
  return checked_now(record_moved(interned<TriangularSolve>(op, options, rank_of), inputs, with_matrix(batch, n, columns), dtype));
}

std::pair<Tensor, Tensor> qr(const Located& a) { return qr_for("qr", a); }

std::pair<Tensor, Tensor> detail::qr_for(std::string_view op, const Tensor& a) {
  const Tensor input = matrices(op, a);
  const std::int64_t m = input.shape(-2), n = input.shape(-1);
  if (m < n) {
    const auto [q, r] = qr_for(op, input.slice(xt::ellipsis(), xt::range(0, m)));
    return {q, concatenate({r, matmul(turned(q), input.slice(xt::ellipsis(), xt::range(m, n)))}, -1)};
  }
  const Tensor together = checked_now(record(interned<Qr>(op), {&input, 1}, with_matrix(batch_shape(input.shape()), m + n, n), input.dtype()));
  return {rows(together, 0, m), rows(together, m, m + n)};
}

std::pair<Tensor, Tensor> eigh(const Located& a) {
  const Tensor input = matrices("eigh", a, true);
  const std::int64_t n = input.shape(-1);
  const Tensor factors = checked_now(record(shared_op<Eigh>(), {&input, 1}, with_matrix(batch_shape(input.shape()), n + 3, n), input.dtype()));
  return {values_at(factors, n, values), factor(factors, 0, n, vectors)};
}

std::tuple<Tensor, Tensor, Tensor> svd(const Located& a) {
  const Tensor input = matrices("svd", a);
  const std::int64_t m = input.shape(-2), n = input.shape(-1), k = std::min(m, n);
  const Tensor factors = checked_now(record(shared_op<Svd>(), {&input, 1}, with_matrix(batch_shape(input.shape()), m + n + 3, k), input.dtype()));
  return {factor(factors, 0, m, vectors), values_at(factors, m, values), turned(factor(factors, m + 1, m + 1 + n, vectors))};
}

}  // namespace xgrad
