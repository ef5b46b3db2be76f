#include <autodiff/ops/create.hpp>
#include <autodiff/ops/elementwise.hpp>
#include <autodiff/ops/lu.hpp>
#include <autodiff/ops/reduce.hpp>
#include <numeric>

namespace xgrad {
namespace {

using namespace detail;

/// A product that neither overflows nor underflows on the way.
class Product {
 public:
  Product& operator*=(double x) {
    int shift = 0;
    mantissa_ = std::frexp(mantissa_ * x, &shift);
    exponent_ += shift;
    return *this;
  }
  Product& operator*=(const Product& other) {
    exponent_ += other.exponent_;
    return *this *= other.mantissa_;
  }
  double value() const { return std::ldexp(mantissa_, static_cast<int>(std::clamp<std::int64_t>(exponent_, -4000, 4000))); }

 private:
  double mantissa_ = 1;
  std::int64_t exponent_ = 0;
};

/// The W for which Σ wᵢⱼ xᵢⱼ is the derivative of det(S + X) for X and then E₁ … Eₖ, at S = diag(s): sums of products of elements of the
/// E, which have `rows` and columns in common, and of all other s. Nothing is divided by, so S may be singular.
class DiagonalMinors {
 public:
  DiagonalMinors(const std::vector<double>& s, std::span<const std::vector<double>> e, std::vector<double>& w)
      : n_(s.size()), s_(s), e_(e), w_(w), rows_(e.size() + 1), taken_(n_) {
    std::vector<std::size_t> order(rows_.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    do {
      int inversions = 0;
      for (std::size_t i = 0; i < order.size(); ++i)
        for (std::size_t j = i + 1; j < order.size(); ++j) inversions += order[i] > order[j];
      permutations_.push_back({order, inversions % 2 ? -1.0 : 1.0});
    } while (std::next_permutation(order.begin(), order.end()));
    choose(0);
  }

 private:
  struct Permutation {
    std::vector<std::size_t> of;
    double sign;
  };

  /// Chooses the rows of the E from number `at` on, all different.
  void choose(std::size_t at) {
    if (at == e_.size()) return add();
    for (std::size_t row = 0; row < n_; ++row) {
      if (taken_[row]) continue;
      taken_[row] = true;
      rows_[at] = row;
      choose(at + 1);
      taken_[row] = false;
    }
  }
  /// For each row left as that of X: the product of the s of the others, and what the E have at the permutations of these rows.
  void add() {
    std::vector<std::size_t> left;
    for (std::size_t row = 0; row < n_; ++row)
      if (!taken_[row]) left.push_back(row);
    std::vector<Product> behind(left.size() + 1);
    for (std::size_t i = left.size(); i-- > 0;) (behind[i] = behind[i + 1]) *= s_[left[i]];
    Product before;
    for (std::size_t i = 0; i < left.size(); before *= s_[left[i++]]) {
      rows_.back() = left[i];
      const double others = (Product(before) *= behind[i + 1]).value();
      for (const auto& [of, sign] : permutations_) {
        double term = sign * others;
        for (std::size_t m = 0; m < e_.size(); ++m) term *= e_[m][rows_[m] * n_ + rows_[of[m]]];
        w_[rows_.back() * n_ + rows_[of.back()]] += term;
      }
    }
  }

  std::size_t n_;
  const std::vector<double>& s_;
  std::span<const std::vector<double>> e_;
  std::vector<double>& w_;
  std::vector<std::size_t> rows_;
  std::vector<bool> taken_;
  std::vector<Permutation> permutations_;
};

/// Inputs: A, and E₁ … Eₖ. The W for which Σ wᵢⱼ xᵢⱼ is the derivative of det at A for E₁, …, Eₖ and X; of no E the matrix of cofactors,
/// det A · A⁻ᵀ. By A's singular values, without a division, for singular matrices have them too; so the rule is another of the kind.
/// From A = U S Vᵀ it is det U det V · U W′ Vᵀ, with W′ that of S and Uᵀ E V.
struct Cofactors final : GeneralOp {
  std::string_view name() const override { return "det"; }
  void evaluate(std::span<const Array> inputs, const Array& output) const override {
    const std::int64_t n = output.shape->back();
    if (output.size == 0) return;
    with_floating(output.dtype, [&]<class T>(T) {
      std::vector<Contiguous<T>> directions;
      for (const Array& e : inputs.subspan(1)) directions.emplace_back(e);
      const auto size = static_cast<std::size_t>(n * n);
      for_each_svd<T>("det", inputs[0], [&](std::int64_t i, const Columns<T>& u, const std::vector<T>& s, const Columns<T>& vt) {
        const MatrixView<T> left{u.values.data(), n, true}, left_turned{u.values.data(), n, false}, right{vt.values.data(), n, false},
            right_turned{vt.values.data(), n, true};
        std::vector<T> half(size), whole(size);
        std::vector<std::vector<double>> turned;
        for (const Contiguous<T>& e : directions) {
          gemm(n, n, n, left_turned, {e.data() + i * n * n, n, false}, half.data());
          gemm(n, n, n, {half.data(), n, false}, right, whole.data());
          turned.emplace_back(whole.begin(), whole.end());
        }
        std::vector<double> minors(size);
        DiagonalMinors({s.begin(), s.end()}, turned, minors);
        const double sign = sign_of(u) * sign_of(vt);
        for (std::size_t at = 0; at < size; ++at) whole[at] = static_cast<T>(sign * minors[at]);
        gemm(n, n, n, left, {whole.data(), n, false}, half.data());
        gemm(n, n, n, {half.data(), n, false}, right_turned, output.as<T>() + i * n * n);
      });
    });
  }
  Tensor vjp(std::size_t i, const Tensor& g, std::span<const Tensor> inputs, const Tensor& w) const override {
    std::vector<Tensor> others(inputs.begin(), inputs.end());
    if (i == 0) others.push_back(g);
    else others[i] = g;
    return record(shared_op<Cofactors>(), others, w.shape(), w.dtype());
  }
  Tensor vectorized(const Batched& batched) const override { return checked_now(batched.by_leading_axes()); }

 private:
  template <class T>
  static double sign_of(Columns<T> orthogonal) {
    std::vector<int> pivots;
    const std::int64_t n = orthogonal.rows;
    lu(n, orthogonal.data(), pivots);
    double sign = 1;
    for (std::int64_t i = 0; i < n; ++i)
      if ((orthogonal.data()[i * n + i] < 0) != (pivots[static_cast<std::size_t>(i)] != i + 1)) sign = -sign;
    return sign;
  }
};

enum class Determinant : std::uint8_t { value, sign, logarithm };

template <Determinant which>
struct Det final : GeneralOp {
  std::string_view name() const override { return which == Determinant::value ? "det" : "slogdet"; }
  void evaluate(std::span<const Array> inputs, const Array& output) const override {
    const std::int64_t n = inputs[0].shape->back();
    with_floating(output.dtype, [&]<class T>(T) {
      for_each_lu<T>(name(), inputs[0], 0, [&](std::int64_t i, Columns<T>& factors, const std::vector<int>& pivots, bool, Columns<T>&) {
        Product value;
        double sign = 1, logarithm = 0;
        for (std::int64_t k = 0; k < n; ++k) {
          const auto pivot = static_cast<double>(factors.data()[k * n + k]);
          if (pivots[static_cast<std::size_t>(k)] != k + 1) value *= -1, sign = -sign;
          value *= pivot;
          sign *= static_cast<double>((pivot > 0) - (pivot < 0));
          logarithm += std::log(std::abs(pivot));
        }
        output.as<T>()[i] = static_cast<T>(which == Determinant::value ? value.value() : which == Determinant::sign ? sign : logarithm);
      });
    });
  }
  Tensor vjp(std::size_t, const Tensor& g, std::span<const Tensor> inputs, const Tensor&) const override {
    const Tensor& a = inputs[0];
    const Tensor of_matrix = expand_dims(expand_dims(g, -1), -1);
    if constexpr (which == Determinant::sign) return {};
    else if constexpr (which == Determinant::value) return of_matrix * record(shared_op<Cofactors>(), {&a, 1}, a.shape(), a.dtype());
    else return solve_for("slogdet", matrix_transpose(a), of_matrix * eye(a.shape(-1), a.dtype()), Sides::may_be_zeros);
  }
  Tensor vectorized(const Batched& batched) const override { return checked_now(batched.by_leading_axes()); }
};

template <Determinant which>
Tensor determinant(const Tensor& a) {
  return checked_now(record(shared_op<Det<which>>(), {&a, 1}, batch_shape(a.shape()), a.dtype()));
}

}  // namespace

Tensor det(const Located& a) { return determinant<Determinant::value>(matrices("det", a, true)); }

std::pair<Tensor, Tensor> slogdet(const Located& a) {
  const Tensor input = matrices("slogdet", a, true);
  return {determinant<Determinant::sign>(input), determinant<Determinant::logarithm>(input)};
}

}  // namespace xgrad
