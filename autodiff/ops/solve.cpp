#include <algorithm>
#include <autodiff/ops/create.hpp>
#include <autodiff/ops/decompositions.hpp>
#include <autodiff/ops/elementwise.hpp>
#include <autodiff/ops/linalg.hpp>
#include <autodiff/ops/lu.hpp>
#include <autodiff/ops/reduce.hpp>
#include <cmath>
#include <limits>

namespace xgrad {
namespace {

using namespace detail;

Tensor turned(const Tensor& x) { return matrix_transpose(x); }

/// Inputs: matrices and right-hand sides of one batch shape.
struct Solve final : GeneralOp {
  /// For `caller`, which errors name.
  Solve(std::string_view caller, Sides kind) : caller(caller), kind(kind) {}
  bool operator==(const Solve& other) const { return caller == other.caller && kind == other.kind; }
  std::string_view name() const override { return "solve"; }
  void evaluate(std::span<const Array> inputs, const Array& output) const override {
    const std::int64_t n = inputs[0].shape->back(), columns = output.shape->back(), count = batches(*output.shape);
    if (output.size == 0) return;
    with_floating(output.dtype, [&]<class T>(T) {
      const Contiguous<T> b(inputs[1]);
      for_each_lu<T>(caller, inputs[0], columns, [&](std::int64_t i, Columns<T>& factors, const std::vector<int>& pivots, bool singular, Columns<T>& x) {
        const T* const from = b.data() + i * n * columns;
        T* const to = output.as<T>() + i * n * columns;
        if (kind == Sides::may_be_zeros && std::all_of(from, from + n * columns, [](T value) { return value == 0; })) {
          std::fill_n(to, n * columns, T(0));
          return;
        }
        if (singular) refuse_matrix(caller, "is singular", i, count);
        x.read(from);
        lu_solve(n, columns, factors.data(), pivots, x.data(), false);
        x.write(to);
      });
    });
  }
  Tensor vjp(std::size_t i, const Tensor& g, std::span<const Tensor> inputs, const Tensor& x) const override {
    const Tensor back = solve_for(caller, turned(inputs[0]), g, kind);
    return i == 1 ? back : -matmul(back, turned(x));
  }
  Tensor vectorized(const Batched& batched) const override { return solve_batch(batched); }
  std::string_view caller;
  Sides kind;
};

struct Inverse final : GeneralOp {
  /// For `caller`, which errors name.
  explicit Inverse(std::string_view caller) : caller(caller) {}
  bool operator==(const Inverse& other) const { return caller == other.caller; }
  std::string_view name() const override { return "inv"; }
  void evaluate(std::span<const Array> inputs, const Array& output) const override {
    const std::int64_t n = output.shape->back(), count = batches(*output.shape);
    if (output.size == 0) return;
    with_floating(output.dtype, [&]<class T>(T) {
      for_each_lu<T>(caller, inputs[0], n, [&](std::int64_t i, Columns<T>& factors, const std::vector<int>& pivots, bool singular, Columns<T>& inverse) {
        if (singular) refuse_matrix(caller, "is singular", i, count);
        std::fill(inverse.values.begin(), inverse.values.end(), T(0));
        for (std::int64_t k = 0; k < n; ++k) inverse.data()[k * n + k] = 1;
        lu_solve(n, n, factors.data(), pivots, inverse.data(), false);
        inverse.write(output.as<T>() + i * n * n);
      });
    });
  }
  Tensor vjp(std::size_t, const Tensor& g, std::span<const Tensor>, const Tensor& y) const override {
    return -matmul(matmul(turned(y), g), turned(y));
  }
  Tensor vectorized(const Batched& batched) const override { return checked_now(batched.by_leading_axes()); }
  std::string_view caller;
};

Tensor inverse(std::string_view caller, const Tensor& a) { return checked_now(record(interned<Inverse>(caller), {&a, 1}, a.shape(), a.dtype())); }

/// Rule: G. Golub and V. Pereyra (1973).
struct PseudoInverse final : GeneralOp {
  explicit PseudoInverse(double rcond) : rcond(rcond) {}
  bool operator==(const PseudoInverse& other) const { return rcond == other.rcond; }
  std::string_view name() const override { return "pinv"; }
  void evaluate(std::span<const Array> inputs, const Array& output) const override {
    const Shape& shape = *inputs[0].shape;
    const std::int64_t m = shape[shape.size() - 2], n = shape.back(), k = std::min(m, n);
    if (output.size == 0) return;
    with_floating(output.dtype, [&]<class T>(T) {
      const T relative = rcond >= 0 ? static_cast<T>(rcond) : static_cast<T>(std::max(m, n)) * std::numeric_limits<T>::epsilon();
      for_each_svd<T>("pinv", inputs[0], [&](std::int64_t i, const Columns<T>& u, const std::vector<T>& s, const Columns<T>& vt) {
        std::int64_t rank = 0;
        while (rank < k && s[static_cast<std::size_t>(rank)] > relative * s[0]) ++rank;
        std::vector<T> v = vt.values;  // row-major
        for (std::int64_t row = 0; row < n; ++row)
          for (std::int64_t r = 0; r < rank; ++r) v[static_cast<std::size_t>(row * k + r)] /= s[static_cast<std::size_t>(r)];
        gemm(n, m, rank, {v.data(), k, false}, {u.values.data(), m, false}, output.as<T>() + i * m * n);
      });
    });
  }
  Tensor vjp(std::size_t, const Tensor& g, std::span<const Tensor> inputs, const Tensor& p) const override {
    const Tensor &a = inputs[0], pt = turned(p), gt = turned(g);
    const auto product = [](const Tensor& x, const Tensor& y, const Tensor& z) { return matmul(matmul(x, y), z); };
    const Tensor outer = product(gt, p, pt), inner = product(pt, p, gt);
    return outer - product(a, p, outer) + inner - product(inner, p, a) - product(pt, g, pt);
  }
  Tensor vectorized(const Batched& batched) const override { return checked_now(batched.by_leading_axes()); }
  double rcond;
};

/// e^A by scaling, Padé's approximation of degree 8 and squaring (N. Higham, "The scaling and squaring method for the matrix exponential
/// revisited", 2005).
struct Expm final : GeneralOp {
  /// A matrix that is not finite is an error if `strict`, else its exponential is NaN.
  explicit Expm(bool strict) : strict(strict) {}
  bool operator==(const Expm& other) const { return strict == other.strict; }
  std::string_view name() const override { return "expm"; }
  void evaluate(std::span<const Array> inputs, const Array& output) const override {
    const std::int64_t n = output.shape->back(), count = batches(*output.shape);
    if (output.size == 0) return;
    with_floating(output.dtype, [&]<class T>(T) {
      const Contiguous<T> a(inputs[0]);
      for_each_matrix(count, 16 * cube(n), [&] {
        return [&](std::int64_t i) {
          if (strict) check_finite("expm", a.data() + i * n * n, n, n, i, count);
          exponential(n, a.data() + i * n * n, output.as<T>() + i * n * n);
        };
      });
    });
  }
  /// The derivative for a matrix E is a block of the exponential of [[A, E], [0, A]] (R. Mathias, 1996).
  Tensor vjp(std::size_t, const Tensor& g, std::span<const Tensor> inputs, const Tensor&) const override {
    const Tensor at = turned(inputs[0]);
    const std::int64_t n = at.shape(-1);
    if (at.size() == 0) return at;
    // It is linear in E, which must not be large beside A, since that decides how often the block is halved.
    const auto norm = [](const Tensor& x) { return max(sum(abs(x.detach()), -1), -1); };
    const Tensor factor = expand_dims(expand_dims(minimum(1, maximum(norm(at), 1) / norm(g)), -1), -1);
    const Tensor above = concatenate({at, g * factor}, -1), below = concatenate({zeros_like(at), at}, -1);
    const Tensor block = concatenate({above, below}, -2);
    const Tensor exponential = record(interned<Expm>(false), {&block, 1}, block.shape(), block.dtype());
    return exponential.slice(xt::ellipsis(), xt::range(std::int64_t{0}, n), xt::range(n, 2 * n)) / factor;
  }
  Tensor vectorized(const Batched& batched) const override { return checked_now(batched.by_leading_axes()); }
  bool strict;

 private:
  template <class T>
  static void exponential(std::int64_t n, const T* a, T* to) {
    const auto size = static_cast<std::size_t>(n * n);
    T norm = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      T row = 0;
      for (std::int64_t j = 0; j < n; ++j) row += std::abs(a[i * n + j]);
      norm = row <= norm ? norm : row;  // a NaN stays
    }
    if (!std::isfinite(norm)) {
      std::fill_n(to, size, std::numeric_limits<T>::quiet_NaN());
      return;
    }
    // Halved until its norm is below 1/2, where the approximation is exact to the last digit.
    const int halvings = norm > T(0.5) ? std::ilogb(norm) + 2 : 0;
    const auto product = [&](const std::vector<T>& x, const std::vector<T>& y) {
      std::vector<T> result(size);
      gemm(n, n, n, {x.data(), n, false}, {y.data(), n, false}, result.data());
      return result;
    };
    std::vector<T> x(a, a + size);
    for (T& value : x) value = std::ldexp(value, -halvings);
    const std::vector<T> x2 = product(x, x), x4 = product(x2, x2), x6 = product(x4, x2), x8 = product(x4, x4);
    constexpr int degree = 8;
    double c[degree + 1] = {1};
    for (int k = 1; k <= degree; ++k) c[k] = c[k - 1] * (degree - k + 1) / (k * (2.0 * degree - k + 1));
    std::vector<T> even(size), odd(size);
    for (std::size_t at = 0; at < size; ++at) {
      const T one = at % static_cast<std::size_t>(n + 1) == 0 ? T(1) : T(0);
      even[at] = one + static_cast<T>(c[2]) * x2[at] + static_cast<T>(c[4]) * x4[at] + static_cast<T>(c[6]) * x6[at] + static_cast<T>(c[8]) * x8[at];
      odd[at] = static_cast<T>(c[1]) * one + static_cast<T>(c[3]) * x2[at] + static_cast<T>(c[5]) * x4[at] + static_cast<T>(c[7]) * x6[at];
    }
    odd = product(x, odd);
    // Polynomials of one matrix commute, so what LAPACK takes for their transposes gives the transpose of the quotient.
    std::vector<T> difference(size), result(size);
    for (std::size_t at = 0; at < size; ++at) difference[at] = even[at] - odd[at], result[at] = even[at] + odd[at];
    std::vector<int> pivots;
    lu(n, difference.data(), pivots);
    lu_solve(n, n, difference.data(), pivots, result.data(), false);
    for (int k = 0; k < halvings; ++k) result = product(result, result);
    std::copy(result.begin(), result.end(), to);
  }
};

}  // namespace

Tensor solve(const Located& a, const Located& b) { return solve_for("solve", a, b); }

Tensor detail::solve_for(std::string_view op, const Tensor& a, const Tensor& b, Sides kind) {
  check_defined(op, b);
  const Tensor left = matrices(op, a, true);
  if (b.dim() == 1) return squeeze(solve_for(op, left, expand_dims(b, -1), kind), -1);
  const Tensor right = matrices(op, b);
  const DType dtype = promote(left.dtype(), right.dtype());
  if (right.shape(-2) != left.shape(-1))
    throw detail::located<std::invalid_argument>(std::string(op) + ": shapes " + to_string(a.shape()) + " and " + to_string(b.shape()) + " do not go together");
  const Shape batch = broadcast_shapes(op, batch_shape(left.shape()), batch_shape(right.shape()));
  const std::int64_t n = left.shape(-1), columns = right.shape(-1);
  Tensor inputs[] = {broadcast_to(left.to(dtype), with_matrix(batch, n, n)), broadcast_to(right.to(dtype), with_matrix(batch, n, columns))};
  return checked_now(record_moved(interned<Solve>(op, kind), inputs, with_matrix(batch, n, columns), dtype));
}

Tensor inv(const Located& a) {
  const Tensor input = matrices("inv", a, true);
  return inverse("inv", input);
}

Tensor pinv(const Located& a, double rcond) {
  const Tensor input = matrices("pinv", a);
  return checked_now(record(interned<PseudoInverse>(rcond), {&input, 1}, with_matrix(batch_shape(input.shape()), input.shape(-1), input.shape(-2)), input.dtype()));
}

Tensor lstsq(const Located& a, const Located& b) {
  check_defined("lstsq", b);
  const Tensor input = matrices("lstsq", a);
  if (b.dim() == 1) return squeeze(lstsq(input, expand_dims(b, -1)), -1);
  if (b.dim() < 2 || b.shape(-2) != input.shape(-2))
    throw detail::located<std::invalid_argument>("lstsq: shapes " + to_string(a.shape()) + " and " + to_string(b.shape()) + " do not go together");
  if (input.shape(-2) >= input.shape(-1)) {
    const auto [q, r] = qr_for("lstsq", input);
    return triangular_solve_for("lstsq", r, matmul(turned(q), b), {.lower = false}, input.shape(-2));
  }
  const auto [q, r] = qr_for("lstsq", turned(input));
  return matmul(q, triangular_solve_for("lstsq", r, b, {.lower = false, .transposed = true}, input.shape(-1)));
}

Tensor matrix_power(const Located& a, std::int64_t n) {
  check_defined("matrix_power", a);
  if (a.dim() < 2 || a.shape(-1) != a.shape(-2)) matrices("matrix_power", a, true);
  Tensor result, power = n < 0 ? inverse("matrix_power", matrices("matrix_power", a, true)) : a.tensor();
  for (auto rest = n < 0 ? 0 - static_cast<std::uint64_t>(n) : static_cast<std::uint64_t>(n); rest > 0; rest /= 2) {
    if (rest % 2) result = result.defined() ? matmul(result, power) : power;
    if (rest > 1) power = matmul(power, power);
  }
  return result.defined() ? result : broadcast_to(eye(a.shape(-1), a.dtype()), a.shape());
}

Tensor expm(const Located& a) {
  const Tensor input = matrices("expm", a, true);
  return checked_now(record(interned<Expm>(true), {&input, 1}, input.shape(), input.dtype()));
}

}  // namespace xgrad
