#include <algorithm>
#include <autodiff/ops/create.hpp>
#include <autodiff/ops/decompositions.hpp>
#include <autodiff/ops/elementwise.hpp>
#include <autodiff/ops/linalg.hpp>
#include <autodiff/ops/matrices.hpp>
#include <autodiff/ops/rearrange.hpp>
#include <autodiff/ops/reduce.hpp>
#include <autodiff/ops/support.hpp>
#include <autodiff/ops/statistics.hpp>
#include <cmath>
#include <limits>

namespace xgrad {
namespace {

using namespace detail;

Tensor turned(const Tensor& x) { return matrix_transpose(x); }

/// Calls f(i, factors, pivots, info) for the factors of each matrix.
template <class T, class F>
void for_each_lu(const Array& input, const F& f) {
  const std::int64_t n = input.shape->back(), count = batches(*input.shape);
  const Contiguous<T> a(input);
  Columns<T> matrix(n, n);
  std::vector<int> pivots;
  for (std::int64_t i = 0; i < count; ++i) {
    matrix.read(a.data() + i * n * n);
    const int info = lu(n, matrix.data(), pivots);
    f(i, matrix, pivots, info);
  }
}

/// Inputs: matrices and right-hand sides of one batch shape.
struct Solve final : GeneralOp {
  /// For `caller`, which errors name.
  explicit Solve(std::string_view caller) : caller(caller) {}
  bool operator==(const Solve& other) const { return caller == other.caller; }
  std::string_view name() const override { return "solve"; }
  void evaluate(std::span<const Array> inputs, const Array& output) const override {
    const std::int64_t n = inputs[0].shape->back(), columns = output.shape->back(), count = batches(*output.shape);
    if (output.size == 0) return;
    with_floating(output.dtype, [&]<class T>(T) {
      const Contiguous<T> b(inputs[1]);
      Columns<T> sides(n, columns);
      for_each_lu<T>(inputs[0], [&](std::int64_t i, Columns<T>& factors, const std::vector<int>& pivots, int info) {
        if (info != 0) refuse_matrix(caller, "is singular", i, count);
        sides.read(b.data() + i * n * columns);
        lu_solve(n, columns, factors.data(), pivots, sides.data(), false);
        sides.write(output.as<T>() + i * n * columns);
      });
    });
  }
  Tensor vjp(std::size_t i, const Tensor& g, std::span<const Tensor> inputs, const Tensor& x) const override {
    const Tensor back = solve_for(caller, turned(inputs[0]), g);
    return i == 1 ? back : -matmul(back, turned(x));
  }
  Tensor vectorized(const Batched& batched) const override { return solve_batch(batched); }
  std::string_view caller;
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
      Columns<T> inverse(n, n);
      for_each_lu<T>(inputs[0], [&](std::int64_t i, Columns<T>& factors, const std::vector<int>& pivots, int info) {
        if (info != 0) refuse_matrix(caller, "is singular", i, count);
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

Tensor column_and_row(const Tensor& g) { return expand_dims(expand_dims(g, -1), -1); }

/// The matrix of cofactors, det A · A⁻ᵀ, which singular matrices have too: det U det V · U diag(Π of the other values) Vᵀ.
struct Cofactors final : GeneralOp {
  std::string_view name() const override { return "det"; }
  void evaluate(std::span<const Array> inputs, const Array& output) const override {
    const std::int64_t n = output.shape->back();
    if (output.size == 0) return;
    with_floating(output.dtype, [&]<class T>(T) {
      std::vector<int> pivots;
      const auto sign_of = [&](Columns<T> orthogonal) {
        lu(n, orthogonal.data(), pivots);
        T sign = 1;
        for (std::int64_t i = 0; i < n; ++i)
          if ((orthogonal.data()[i * n + i] < 0) != (pivots[static_cast<std::size_t>(i)] != i + 1)) sign = -sign;
        return sign;
      };
      for_each_svd<T>("det", inputs[0], [&](std::int64_t i, const Columns<T>& u, const std::vector<T>& s, const Columns<T>& vt) {
        T* const to = output.as<T>() + i * n * n;
        std::fill_n(to, n * n, T(0));
        const T sign = sign_of(u) * sign_of(vt);
        for (std::int64_t r = 0; r < n; ++r) {
          T others = sign;
          for (std::int64_t k = 0; k < n; ++k)
            if (k != r) others *= s[static_cast<std::size_t>(k)];
          for (std::int64_t row = 0; row < n; ++row)
            for (std::int64_t column = 0; column < n; ++column)
              to[row * n + column] += others * u.values[static_cast<std::size_t>(r * n + row)] * vt.values[static_cast<std::size_t>(column * n + r)];
        }
      });
    });
  }
  Tensor vjp(std::size_t, const Tensor& g, std::span<const Tensor> inputs, const Tensor& c) const override {
    const Tensor weight = column_and_row(sum(g * c, {-2, -1})) * eye(c.shape(-1), c.dtype());
    return matmul(weight - matmul(c, turned(g)), turned(inverse("det", inputs[0])));
  }
  Tensor vectorized(const Batched& batched) const override { return checked_now(batched.by_leading_axes()); }
};

enum class Determinant : std::uint8_t { value, sign, logarithm };

template <Determinant which>
struct Det final : GeneralOp {
  std::string_view name() const override { return which == Determinant::value ? "det" : "slogdet"; }
  void evaluate(std::span<const Array> inputs, const Array& output) const override {
    const std::int64_t n = inputs[0].shape->back();
    with_floating(output.dtype, [&]<class T>(T) {
      for_each_lu<T>(inputs[0], [&](std::int64_t i, Columns<T>& factors, const std::vector<int>& pivots, int) {
        T value = 1, sign = 1, logarithm = 0;
        for (std::int64_t k = 0; k < n; ++k) {
          const T pivot = factors.data()[k * n + k];
          if (pivots[static_cast<std::size_t>(k)] != k + 1) value = -value, sign = -sign;
          value *= pivot;
          sign *= static_cast<T>((pivot > 0) - (pivot < 0));
          logarithm += std::log(std::abs(pivot));
        }
        output.as<T>()[i] = which == Determinant::value ? value : which == Determinant::sign ? sign : logarithm;
      });
    });
  }
  Tensor vjp(std::size_t, const Tensor& g, std::span<const Tensor> inputs, const Tensor&) const override {
    if constexpr (which == Determinant::sign) return {};
    else if constexpr (which == Determinant::value) return scale(column_and_row(g), record(shared_op<Cofactors>(), {&inputs[0], 1}, inputs[0].shape(), inputs[0].dtype()));
    else return scale(column_and_row(g), turned(inverse("slogdet", inputs[0])));
  }
  Tensor vectorized(const Batched& batched) const override { return checked_now(batched.by_leading_axes()); }
};

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
        T* const to = output.as<T>() + i * m * n;
        std::fill_n(to, m * n, T(0));
        for (std::int64_t r = 0; r < k && s[static_cast<std::size_t>(r)] > relative * s[0]; ++r)
          for (std::int64_t row = 0; row < n; ++row) {
            const T factor = vt.values[static_cast<std::size_t>(row * k + r)] / s[static_cast<std::size_t>(r)];
            for (std::int64_t column = 0; column < m; ++column) to[row * m + column] += factor * u.values[static_cast<std::size_t>(r * m + column)];
          }
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

/// Columns of A that depend on the others, up to rounding, leave a 0 on R's diagonal, up to rounding.
void check_rank(const Tensor& r, std::int64_t longest) {
  if ((Tracing::active() && !Capturing::active()) || r.size() == 0) return;
  const double epsilon = r.dtype() == DType::float32 ? std::numeric_limits<float>::epsilon() : std::numeric_limits<double>::epsilon();
  const Tensor sizes = abs(diagonal(r.detach(), 0, -2, -1)), bound = max(sizes, -1, true) * (epsilon * static_cast<double>(longest));
  const Tensor deficient = reshape(any(sizes <= bound, -1), {-1});
  const bool* values = deficient.data<bool>();
  for (std::int64_t i = 0; i < deficient.size(); ++i)
    if (values[i]) refuse_matrix("lstsq", "has not full rank", i, deficient.size());
}

template <Determinant which>
Tensor determinant(const Tensor& a) {
  return record(shared_op<Det<which>>(), {&a, 1}, batch_shape(a.shape()), a.dtype());
}

}  // namespace

Tensor solve(const Located& a, const Located& b) { return solve_for("solve", a, b); }

Tensor detail::solve_for(std::string_view op, const Tensor& a, const Tensor& b) {
  check_defined(op, b);
  const Tensor left = matrices(op, a, true);
  if (b.dim() == 1) return squeeze(solve_for(op, left, expand_dims(b, -1)), -1);
  const Tensor right = matrices(op, b);
  const DType dtype = promote(left.dtype(), right.dtype());
  if (right.shape(-2) != left.shape(-1))
    throw std::invalid_argument(std::string(op) + ": shapes " + to_string(a.shape()) + " and " + to_string(b.shape()) + " do not go together");
  const Shape batch = broadcast_shapes(op, batch_shape(left.shape()), batch_shape(right.shape()));
  const std::int64_t n = left.shape(-1), columns = right.shape(-1);
  Tensor inputs[] = {broadcast_to(left.to(dtype), with_matrix(batch, n, n)), broadcast_to(right.to(dtype), with_matrix(batch, n, columns))};
  return checked_now(record_moved(interned<Solve>(op), inputs, with_matrix(batch, n, columns), dtype));
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
    throw std::invalid_argument("lstsq: shapes " + to_string(a.shape()) + " and " + to_string(b.shape()) + " do not go together");
  if (input.shape(-2) >= input.shape(-1)) {
    const auto [q, r] = qr(input);
    check_rank(r, input.shape(-2));
    return triangular_solve_for("lstsq", r, matmul(turned(q), b), {.lower = false});
  }
  const auto [q, r] = qr(turned(input));
  check_rank(r, input.shape(-1));
  return matmul(q, triangular_solve_for("lstsq", r, b, {.lower = false, .transposed = true}));
}

Tensor det(const Located& a) { return determinant<Determinant::value>(matrices("det", a, true)); }

std::pair<Tensor, Tensor> slogdet(const Located& a) {
  const Tensor input = matrices("slogdet", a, true);
  return {determinant<Determinant::sign>(input), determinant<Determinant::logarithm>(input)};
}

Tensor matrix_power(const Located& a, std::int64_t n) {
  check_defined("matrix_power", a);
  if (a.dim() < 2 || a.shape(-1) != a.shape(-2)) matrices("matrix_power", a, true);
  if (n < 0) return matrix_power(inverse("matrix_power", matrices("matrix_power", a, true)), -n);
  Tensor result, power = a;
  for (; n > 0; n /= 2) {
    if (n % 2) result = result.defined() ? matmul(result, power) : power;
    if (n > 1) power = matmul(power, power);
  }
  return result.defined() ? result : broadcast_to(eye(a.shape(-1), a.dtype()), a.shape());
}

Tensor expm(const Located& a) {
  const Tensor input = matrices("expm", a, true);
  const std::int64_t n = input.shape(-1);
  if (input.size() == 0) return input;
  // Halved until its norm is below 1/2, where Padé's approximation of degree 8 is exact to the last digit.
  const double norm = no_grad([&] { return max(sum(abs(input), -1)).item(); });
  const int halvings = std::isfinite(norm) && norm > 0.5 ? static_cast<int>(std::ceil(std::log2(norm / 0.5))) : 0;
  const Tensor x = input * std::exp2(-halvings);
  constexpr int degree = 8;
  double coefficient = 1;
  Tensor power, even = eye(n, input.dtype()), odd = zeros({n, n}, input.dtype());
  for (int k = 1; k <= degree; ++k) {
    coefficient *= static_cast<double>(degree - k + 1) / (k * (2.0 * degree - k + 1));
    power = k == 1 ? x : matmul(power, x);
    (k % 2 ? odd : even) = (k % 2 ? odd : even) + coefficient * power;
  }
  Tensor result = solve(even - odd, even + odd);
  for (int k = 0; k < halvings; ++k) result = matmul(result, result);
  return result;
}

}  // namespace xgrad
