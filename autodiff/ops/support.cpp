#include <algorithm>
#include <autodiff/ops/apply.hpp>
#include <autodiff/ops/create.hpp>
#include <autodiff/ops/elementwise.hpp>
#include <autodiff/ops/elementwise_ops.hpp>
#include <autodiff/ops/shape.hpp>
#include <autodiff/ops/special.hpp>
#include <autodiff/ops/statistics.hpp>
#include <autodiff/ops/support.hpp>
#include <limits>
#include <vector>

namespace xgrad::detail {
namespace {

thread_local const SupportScope* scope = nullptr;

/// The mask with axes of extent 1 in front, up to `rank` of them.
Tensor with_rank(const Tensor& mask, std::size_t rank) {
  if (mask.dim() >= rank) return mask;
  Shape shape(rank - mask.dim(), 1);
  for (const std::int64_t extent : mask.shape()) shape.push_back(extent);
  return reshape(mask, shape);
}

/// The value at an index of a mask that broadcasts to the shape of the index.
bool holds_at(const Tensor& mask, const Shape& index) {
  const std::size_t rank = mask.dim();
  std::int64_t at = 0;
  for (std::size_t axis = 0; axis < rank; ++axis)
    at = at * mask.shape()[axis] + (mask.shape()[axis] == 1 ? 0 : index[index.size() - rank + axis]);
  return mask.node()->array().as<bool>()[at];
}

/// Calls f(index) for all indices of a shape, in order.
template <class F>
void for_each_index(const Shape& shape, const F& f) {
  Shape index(shape.size(), 0);
  for (std::int64_t left = size_of(shape); left > 0; --left) {
    f(index);
    for (std::size_t axis = shape.size(); axis-- > 0 && ++index[axis] == shape[axis];) index[axis] = 0;
  }
}

/// The union of two masks whose values are known.
Support united_constants(const Tensor& a, const Tensor& b) {
  const Shape shape = broadcast_shapes("backward", a.shape(), b.shape());
  std::vector<char> values;
  for_each_index(shape, [&](const Shape& index) { values.push_back(holds_at(a, index) || holds_at(b, index)); });
  return constant_support(shape, values);
}

/// `any` along axes, which stay, of a mask whose values are known.
Support any_of_constant(const Tensor& mask, const AxisList& axes) {
  Shape shape = mask.shape();
  for (const std::int64_t axis : axes) shape[static_cast<std::size_t>(axis)] = 1;
  std::vector<char> values(static_cast<std::size_t>(size_of(shape)), false);
  for_each_index(mask.shape(), [&](const Shape& index) {
    std::size_t at = 0;
    for (std::size_t i = 0; i < shape.size(); ++i) at = at * static_cast<std::size_t>(shape[i]) + static_cast<std::size_t>(shape[i] == 1 ? 0 : index[i]);
    values[at] = values[at] || holds_at(mask, index);
  });
  return constant_support(shape, values);
}

Support any_along(const Support& g, const AxisList& given) {
  AxisList axes;
  std::copy_if(given.begin(), given.end(), std::back_inserter(axes), [&](std::int64_t axis) { return g.mask.shape(axis) != 1; });
  if (axes.empty()) return {g.mask, g.constant};
  return g.constant ? any_of_constant(g.mask, axes) : Support{any(g.mask, Axes(axes), true)};
}

}  // namespace

SupportScope::SupportScope(const Support& support, bool elementwise) noexcept : support_(support), elementwise_(elementwise), before_(scope) { scope = this; }
SupportScope::~SupportScope() { scope = before_; }
const SupportScope* SupportScope::innermost() noexcept { return scope; }
const Support& SupportScope::current() noexcept {
  static const Support everywhere;
  return scope ? scope->support_ : everywhere;
}

Tensor scale(const Tensor& g, const Tensor& d) {
  static const Support everywhere;
  return scale(g, d, scope && scope->elementwise_ ? scope->support_ : everywhere);
}

Tensor scale(const Tensor& g, const Tensor& d, const Support& support) {
  // A finite number needs no care, and 1 no work at all.
  const Known factor = known(*d.node());
  if (factor == Known::one && g.dtype() == d.dtype() && broadcast_shapes("scale", g.shape(), d.shape()) == g.shape()) return g;
  const bool is_copy = known(*g.node()) == Known::one && g.dtype() == d.dtype() && broadcast_shapes("scale", g.shape(), d.shape()) == d.shape();
  const Tensor product = is_copy ? d : binary<Multiply>(g, d);
  return support.is_restricted() && factor == Known::nothing ? where(mask_of(support), product, 0) : product;
}

const Tensor& mask_of(const Support& support) {
  if (!support.mask.defined() && support.above.defined()) support.mask = logical_not(support.above <= 0);
  return support.mask;
}

Tensor scale_twice(const Tensor& g, const Tensor& x) { return known(*g.node()) == Known::one ? scale(g, 2 * x) : scale(2 * g, x); }

Tensor nan_where(const Tensor& condition, const Tensor& g) {
  const Tensor& mask = mask_of(SupportScope::current());
  return where(mask.defined() ? logical_and(mask, condition) : condition, std::numeric_limits<double>::quiet_NaN(), zeros_like(g));
}

Support constant_support(const Shape& shape, std::span<const char> holds) {
  if (std::all_of(holds.begin(), holds.end(), [](char value) { return value; })) return {};
  return {make_leaf(shape, DType::bool_, [&](void* data) { std::transform(holds.begin(), holds.end(), static_cast<bool*>(data), [](char value) { return value != 0; }); }), true};
}

Tensor value_at_kink(const Tensor& condition, double value, const Tensor& x) {
  Tensor inputs[] = {condition, Operand(value).to(x.dtype()), x};
  Shape shape = broadcast_shapes("where", condition.shape(), x.shape());
  return record_moved(shared_op<ValueAtKink>(), inputs, std::move(shape), x.dtype());
}

Tensor abs_power(const Tensor& x, double p) { return binary<AbsPower>(x, p); }
Tensor signed_power(const Tensor& x, double p) { return binary<SignedPower>(x, p); }

Support unbroadcast(const Support& g, const Shape& shape) {
  if (!g.is_restricted() || (g.above.defined() && g.above.shape() == shape)) return g;
  mask_of(g);
  const std::size_t rank = g.mask.dim(), extra = rank > shape.size() ? rank - shape.size() : 0, missing = shape.size() > rank ? shape.size() - rank : 0;
  AxisList axes;
  for (std::size_t i = 0; i < rank; ++i)
    if (g.mask.shape()[i] != 1 && (i < extra || shape[i - extra + missing] == 1)) axes.push_back(static_cast<std::int64_t>(i));
  if (axes.empty() && extra == 0 && missing == 0) return g;
  Support result = any_along(g, axes);
  if (!result.mask.defined()) return {};
  const Shape& reduced = result.mask.shape();
  if (extra > 0) result = {reshape(result.mask, Shape(reduced.begin() + static_cast<std::ptrdiff_t>(extra), reduced.end()))};
  else if (missing > 0) result = {with_rank(result.mask, shape.size())};
  return result;
}

Support within(const Support& g, const Tensor& condition, std::size_t rank) {
  if (!g.is_restricted()) return {with_rank(condition, rank)};
  if (mask_of(g).node() == condition.node()) return {g.mask};
  return {logical_and(g.mask, with_rank(condition, rank))};
}

Support united(const Support& a, const Support& b) {
  if (!a.is_restricted() || !b.is_restricted()) return {};
  if (a.above.defined() && a.above.is(b.above)) return a;
  if (mask_of(a).node() == mask_of(b).node()) return {a.mask, a.constant};
  if (a.constant && b.constant) return united_constants(a.mask, b.mask);
  return {logical_or(a.mask, b.mask)};
}

Support along(const Support& g, std::int64_t axis) {
  if (!g.is_restricted() || g.axis == axis) return {g.lines};
  mask_of(g);
  return any_along(g, {axis});
}

Support support_where_not_zero(const Tensor& x) { return {x != 0}; }

Tensor full_mask(const Support& g, const Shape& shape) {
  return g.is_restricted() ? broadcast_to(mask_of(g), shape) : ones(shape, DType::bool_);
}

}  // namespace xgrad::detail
