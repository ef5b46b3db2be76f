#include <autodiff/ops/create.hpp>
#include <autodiff/ops/elementwise.hpp>
#include <autodiff/ops/reduce.hpp>
#include <autodiff/ops/reduction.hpp>
#include <autodiff/ops/shape.hpp>
#include <autodiff/ops/statistics.hpp>
#include <autodiff/ops/special.hpp>
#include <autodiff/ops/support.hpp>
#include <autodiff/tape.hpp>
#include <cmath>
#include <limits>
#include <stdexcept>

namespace xgrad {
namespace {

double count_of(const Tensor& x, const AxisList& axes) {
  double n = 1;
  for (const std::int64_t axis : axes) n *= static_cast<double>(x.shape(axis));
  return n;
}

Tensor floating(const Tensor& x) { return is_floating(x.dtype()) ? x : x.to(DType::float64); }

}  // namespace

Tensor prod(const Located& x, const Axes& axes, bool keepdims) {
  detail::check_defined("prod", x);
  const AxisList reduced = axes.normalize("prod", x.shape());
  const Shape result = detail::reduced_shape(x.shape(), reduced, keepdims);
  const DType dtype = x.dtype() == DType::bool_ ? DType::int64 : x.dtype();
  // Halved until one element is left: products of others are then products of partial products.
  Tensor terms = detail::reduced_last(x.to(dtype), reduced);
  const std::int64_t n = terms.shape(-1);
  if (n == 0) return ones(result, dtype);
  for (std::int64_t length = n; length > 1;) {
    const std::int64_t half = length / 2;
    const auto part = [&](std::int64_t first, std::int64_t last) { return terms.slice(xt::ellipsis(), xt::range(first, last)); };
    const Tensor pairs = part(0, half) * part(half, 2 * half);
    terms = length % 2 ? concatenate({pairs, part(2 * half, length)}, -1) : pairs;
    length = half + length % 2;
  }
  return reshape(terms, result);
}

Tensor var(const Located& x, const Axes& axes, double ddof, bool keepdims) {
  detail::check_defined("var", x);
  const Tensor input = floating(x);
  const double n = count_of(x, axes.normalize("var", x.shape()));
  return sum(square(input - mean(input, axes, true)), axes, keepdims) / std::max(n - ddof, 0.0);
}

Tensor stddev(const Located& x, const Axes& axes, double ddof, bool keepdims) {
  detail::check_defined("stddev", x);
  const AxisList reduced = axes.normalize("stddev", x.shape());
  const Tensor variance = var(x, axes, ddof, keepdims);
  return count_of(x, reduced) == 1 ? variance : detail::flat_root(variance);  // of one element both are 0
}

Tensor norm(const Located& x, double p, const Axes& axes, bool keepdims) {
  detail::check_defined("norm", x);
  axes.normalize("norm", x.shape());
  if (std::isnan(p)) throw detail::located<std::invalid_argument>("norm: the order is NaN");
  const Tensor input = floating(x);
  if (p == 2) return detail::flat_root(sum(square(input), axes, keepdims));
  if (p == 1) return sum(abs(input), axes, keepdims);
  if (p == std::numeric_limits<double>::infinity()) return max(abs(input), axes, keepdims);
  if (p == -std::numeric_limits<double>::infinity()) return min(abs(input), axes, keepdims);
  if (p == 0) return sum(input != 0, axes, keepdims).to(input.dtype());
  return detail::abs_power(sum(detail::abs_power(input, p), axes, keepdims), 1 / p);
}

Tensor any(const Located& x, const Axes& axes, bool keepdims) {
  detail::check_defined("any", x);
  axes.normalize("any", x.shape());
  return sum(x.to(DType::bool_), axes, keepdims) > 0;
}

Tensor all(const Located& x, const Axes& axes, bool keepdims) {
  detail::check_defined("all", x);
  axes.normalize("all", x.shape());
  return sum(logical_not(x), axes, keepdims) == 0;
}

}  // namespace xgrad
