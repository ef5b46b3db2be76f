#include <algorithm>
#include <autodiff/ops/contiguous.hpp>
#include <autodiff/ops/create.hpp>
#include <autodiff/ops/elementwise.hpp>
#include <autodiff/ops/reduce.hpp>
#include <autodiff/ops/reduction.hpp>
#include <autodiff/ops/reduction_input.hpp>
#include <autodiff/ops/shape.hpp>
#include <autodiff/ops/statistics.hpp>
#include <autodiff/ops/special.hpp>
#include <autodiff/ops/support.hpp>
#include <autodiff/core/tape.hpp>
#include <cmath>
#include <limits>
#include <optional>
#include <stdexcept>
#include <utility>

namespace xgrad {
namespace {

using detail::Array;

double count_of(const Tensor& x, const AxisList& axes) {
  double n = 1;
  for (const std::int64_t axis : axes) n *= static_cast<double>(x.shape(axis));
  return n;
}

Tensor floating(const Tensor& x) { return is_floating(x.dtype()) ? x : x.to(DType::float64); }

enum class Part : std::uint8_t { length, scale };

/// Of y = (Σ |x|ᵖ)^(1/p), which is made as r⁻¹ (Σ |r x|ᵖ)^(1/p), where r is 1 unless the powers of x leave the range of full precision,
/// and then a power of two: `length` is y, and `scale` is r, so that dy/dx = sign(x) |r x|ᵖ⁻¹ / (r y)ᵖ⁻¹; NaN where y overflows though
/// x is finite. Inputs: x, and Σ |x|ᵖ as a constant.
template <Part part>
struct Norm final : detail::Reduction {
  Norm(AxisList axes, bool keepdims, double p) : Reduction(std::move(axes), keepdims), p(p) {}
  bool operator==(const Norm& other) const { return Reduction::operator==(other) && p == other.p; }
  std::string_view name() const override { return "norm"; }

  void evaluate(std::span<const Array> inputs, const Array& output) const override {
    dispatch_floating(output.dtype, [&]<class T>(T) {
      using Limits = std::numeric_limits<T>;
      const detail::Contiguous<T> powers(inputs[1]);
      // From here on the powers that are subnormal make no difference to a sum of so many as there are in a line.
      const T least = 4 * static_cast<T>(inputs[0].size / std::max<std::int64_t>(output.size, 1)) * Limits::min();
      std::optional<detail::ReductionInput> x;  // looked at where need be, which is rare
      for (std::int64_t i = 0; i < output.size; ++i) {
        const T sum = powers.data()[i], length = p == 2 ? std::sqrt(sum) : std::pow(sum, static_cast<T>(1 / p));
        if (sum >= least && sum <= Limits::max() && length >= Limits::min() && length <= Limits::max()) {
          output.as<T>()[i] = value(T(1), length);
          continue;
        }
        if (!x) x.emplace(inputs[0], axes);
        const auto [r, scaled_length] = scaled(x->as<T>(), x->extents(), static_cast<std::size_t>(i));
        output.as<T>()[i] = value(r, scaled_length);
      }
    });
  }
  Tensor vjp(std::size_t i, const Tensor& g, std::span<const Tensor> inputs, const Tensor& y) const override {
    if (i == 1 || part == Part::scale) return {};
    const Tensor r = kept(detail::record(detail::interned<Norm<Part::scale>>(axes, keepdims, p), inputs, y.shape(), y.dtype()));
    const Tensor slope = detail::value_at_kink(kept(y) == 0, 0, p == 2 ? 1 / (r * kept(y)) : power(r * kept(y), 1 - p));
    const detail::Support support = kept(detail::SupportScope::current());
    const Tensor of_x = p == 2 ? inputs[0] * r : detail::signed_power(inputs[0] * r, p - 1);
    return detail::scale(detail::scale(kept(g), slope, support), of_x, support);
  }
  detail::Support cotangent_support(std::size_t i, const detail::Support& g, std::span<const Tensor>, const Tensor&) const override {
    return i == 0 ? kept(g) : detail::Support{};
  }
  Tensor vectorized(const detail::Batched& batched) const override { return batched.by<Norm>(detail::behind_batch(axes), keepdims, p); }

  double p;

 private:
  /// From r and r y.
  template <class T>
  static T value(T r, T length) {
    if constexpr (part == Part::length) return length / r;
    else return std::isinf(length / r) && std::isfinite(length) ? std::numeric_limits<T>::quiet_NaN() : r;
  }
  /// r and r y of a line.
  template <class T>
  std::pair<T, T> scaled(const T* x, const detail::ReducedExtents& extents, std::size_t line) const {
    x += line / extents.inner * extents.reduced * extents.inner + line % extents.inner;
    const auto size = [&](std::size_t k) { return std::abs(static_cast<double>(x[k * extents.inner])); };
    if (extents.reduced == 0) return {T(1), p > 0 ? T(0) : std::numeric_limits<T>::infinity()};
    double decisive = size(0);  // the largest, or of negative powers the smallest; NaN if any is
    for (std::size_t k = 1; k < extents.reduced; ++k)
      if (std::isnan(size(k)) || (p > 0 ? size(k) > decisive : size(k) < decisive)) decisive = size(k);
    if (decisive == 0 || !std::isfinite(decisive)) return {T(1), static_cast<T>(decisive)};
    constexpr int most = std::numeric_limits<T>::max_exponent - 2;  // so that r and its inverse are normal
    const int exponent = std::clamp(std::ilogb(decisive), -most, most);
    double sum = 0;
    for (std::size_t k = 0; k < extents.reduced; ++k) sum += std::pow(std::scalbn(size(k), -exponent), p);
    return {std::scalbn(T(1), -exponent), static_cast<T>(std::pow(sum, 1 / p))};
  }
};

/// (Σ |x|ᵖ)^(1/p) for finite p but 0.
Tensor p_norm(const Tensor& x, double p, const AxisList& axes, bool keepdims) {
  const Tensor constant = x.detach(), powers = sum(p == 2 ? square(constant) : detail::abs_power(constant, p), Axes(axes), keepdims);
  const Tensor inputs[] = {x, powers};
  return detail::record(detail::interned<Norm<Part::length>>(axes, keepdims, p), inputs, powers.shape(), x.dtype());
}

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
  const double n = count_of(x, reduced);
  if (n == 1) return var(x, axes, ddof, keepdims);  // of one element both are 0
  const Tensor input = floating(x);
  return p_norm(input - mean(input, axes, true), 2, reduced, keepdims) / std::sqrt(std::max(n - ddof, 0.0));
}

Tensor norm(const Located& x, double p, const Axes& axes, bool keepdims) {
  detail::check_defined("norm", x);
  const AxisList reduced = axes.normalize("norm", x.shape());
  if (std::isnan(p)) throw detail::located<std::invalid_argument>("norm: the order is NaN");
  const Tensor input = floating(x);
  if (p == 1) return sum(abs(input), axes, keepdims);
  if (p == std::numeric_limits<double>::infinity()) return max(abs(input), axes, keepdims);
  if (p == -std::numeric_limits<double>::infinity()) return min(abs(input), axes, keepdims);
  if (p == 0) return sum(input != 0, axes, keepdims).to(input.dtype());
  return p_norm(input, p, reduced, keepdims);
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
