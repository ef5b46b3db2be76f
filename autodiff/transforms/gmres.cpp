#include <algorithm>
#include <autodiff/transforms/gmres.hpp>
#include <cmath>
#include <limits>
#include <numeric>
#include <sstream>
#include <stdexcept>
#include <vector>

namespace xgrad::detail {
namespace {

// In float64 whatever the dtype: what is long here is the product.
using Vector = std::vector<double>;

double dot(const Vector& a, const Vector& b) { return std::inner_product(a.begin(), a.end(), b.begin(), 0.0); }
double norm(const Vector& a) { return std::sqrt(dot(a, a)); }
void add_scaled(Vector& a, double factor, const Vector& b) {
  for (std::size_t i = 0; i < a.size(); ++i) a[i] += factor * b[i];
}

Vector read(const Tensor& x) {
  const Tensor wide = x.to(DType::float64);
  return Vector(wide.data<double>(), wide.data<double>() + wide.size());
}
Tensor write(const Vector& values, const Tensor& like) {
  return make_leaf_copy(like.shape(), DType::float64, values.data()).to(like.dtype()).evaluate().detach();
}

/// The least squares problem |β e₁ - H y|, H gaining a column at a time, kept triangular by rotations.
class Hessenberg {
 public:
  explicit Hessenberg(double residual) : sides_{residual} {}
  /// Adds a column of one element more than there are columns with it; returns the residual that is left.
  double add(Vector column) {
    for (std::size_t i = 0; i < rotations_.size(); ++i) rotate(rotations_[i], column[i], column[i + 1]);
    const std::size_t last = rotations_.size();
    const double length = std::hypot(column[last], column[last + 1]);
    rotations_.push_back(length > 0 ? Rotation{column[last] / length, column[last + 1] / length} : Rotation{1, 0});
    rotate(rotations_.back(), column[last], column[last + 1]);
    sides_.push_back(0);
    rotate(rotations_.back(), sides_[last], sides_[last + 1]);
    columns_.push_back(std::move(column));
    return std::abs(sides_.back());
  }
  Vector solution() const {
    Vector y(columns_.size());
    for (std::size_t i = y.size(); i-- > 0;) {
      double left = sides_[i];
      for (std::size_t j = i + 1; j < y.size(); ++j) left -= columns_[j][i] * y[j];
      y[i] = columns_[i][i] != 0 ? left / columns_[i][i] : 0;
    }
    return y;
  }

 private:
  struct Rotation {
    double cosine, sine;
  };
  static void rotate(const Rotation& by, double& a, double& b) {
    const double turned = by.cosine * a + by.sine * b;
    b = by.cosine * b - by.sine * a;
    a = turned;
  }
  std::vector<Rotation> rotations_;
  std::vector<Vector> columns_;
  Vector sides_;
};

}  // namespace

Tensor gmres(std::string_view op, const std::function<Tensor(const Tensor&)>& product, const Tensor& b, const GmresOptions& options) {
  const Vector right = read(b);
  const double goal = std::max(options.tolerance, b.dtype() == DType::float32 ? 1e-6 : 0.0) * norm(right);
  Vector x(right.size()), residual = right;
  std::int64_t products = 0;
  double left = norm(residual);
  if (!std::isfinite(left)) return write(Vector(right.size(), std::numeric_limits<double>::quiet_NaN()), b);
  while (left > goal && products < options.max_products) {
    std::vector<Vector> basis{residual};
    for (double& value : basis[0]) value /= left;
    Hessenberg hessenberg(left);
    double estimate = left;
    for (std::int64_t k = 0; k < options.restart && products < options.max_products && estimate > goal; ++k, ++products) {
      Vector next = read(product(write(basis.back(), b)));
      const double before = norm(next);
      Vector column;
      for (int twice = 0; twice < 2; ++twice)  // once leaves rounding errors along the basis
        for (std::size_t i = 0; i < basis.size(); ++i) {
          const double along = dot(next, basis[i]);
          if (twice == 0) column.push_back(along);
          else column[i] += along;
          add_scaled(next, -along, basis[i]);
        }
      const double length = norm(next);
      column.push_back(length);
      estimate = hessenberg.add(std::move(column));
      if (!(length > 1e-14 * before)) break;  // the directions so far hold the solution, if there is one
      for (double& value : next) value /= length;
      basis.push_back(std::move(next));
    }
    const Vector y = hessenberg.solution();
    for (std::size_t i = 0; i < y.size(); ++i) add_scaled(x, y[i], basis[i]);
    residual = right;
    add_scaled(residual, -1, read(product(write(x, b))));  // afresh, for the estimate drifts
    const double now = norm(residual);
    if (!(now < left)) break;
    left = now;
  }
  if (!(left <= goal)) {
    std::ostringstream message;
    message << op << ": GMRES came to a residual of " << left / norm(right) << " times the right-hand side, of shape " << to_string(b.shape()) << ", in "
            << products << " products with the matrix, which may be singular; the tolerance is " << options.tolerance;
    throw std::domain_error(message.str());
  }
  return write(x, b);
}

}  // namespace xgrad::detail
