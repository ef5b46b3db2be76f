// Cotangents in rules: products that respect a cotangent's support (tape.hpp), and how supports follow from each other.
#pragma once

#include <autodiff/core/tape.hpp>
#include <memory>

namespace xgrad::detail {

/// A cotangent times a local derivative: g · d within the support of g, 0 elsewhere whatever d is. With it, what a `where` leaves out
/// has no effect on a gradient even if a derivative below is infinite or NaN, and since the product says so by structure, neither
/// on gradients of that gradient. Inside the support a g of 0 is a number like any other: 0 · ∞ is NaN. Shapes broadcast.
/// The first form, for rules of elementwise ops, takes the support of the cotangent that is being pulled back.
Tensor scale(const Tensor& g, const Tensor& d);
Tensor scale(const Tensor& g, const Tensor& d, const Support& support);

/// g · 2x, such that it is 0 where g is, even if 2x overflows.
Tensor scale_twice(const Tensor& g, const Tensor& x);

/// `value` where the condition holds, else x. Unlike `where`, whose derivative there is 0 at every order, it differentiates like x alone:
/// for subgradients, which are values chosen at a kink where the next derivative does not exist, and comes out infinite or NaN.
Tensor value_at_kink(const Tensor& condition, double value, const Tensor& x);

/// For the rule of such a value: NaN where the condition holds within the support of `g`, else 0; of the shape and dtype of `g`.
Tensor nan_where(const Tensor& condition, const Tensor& g);

/// |x|ᵖ and sign(x) |x|ᵖ, for norms: the second is 0 at 0 for any p, so that where the first is steep at 0 its gradient there is 0, and the
/// next one infinite or NaN.
Tensor abs_power(const Tensor& x, double p);
Tensor signed_power(const Tensor& x, double p);

/// The mask of a support; undefined where all elements count.
const Tensor& mask_of(const Support& support);

/// The cotangent of what was broadcast from `shape`: sums `g` over what that repeated. Or repeats `g`, where it broadcasts to `shape`.
Tensor unbroadcast(Tensor g, const Shape& shape);
Support unbroadcast(const Support& g, const Shape& shape);

/// `g` where moreover the condition holds; `rank` is that of the cotangent.
Support within(const Support& g, const Tensor& condition, std::size_t rank);
/// The support of a sum of two cotangents of one rank.
Support united(const Support& a, const Support& b);
/// The lines along an axis, counted from the front, of which an element counts; the axis stays as an extent of 1.
Support along(const Support& g, std::int64_t axis);
/// A support whose mask has these values, row-major; an empty one if all of them hold.
Support constant_support(const Shape& shape, std::span<const char> holds);
/// For an op that moves elements, or adds some of them: `pull` is its rule, `shape` that of its result.
template <class F>
Support moved(const Support& g, const Shape& shape, const F& pull);
/// The mask with all the extents of `shape`, true everywhere if there is none; and back.
Tensor full_mask(const Support& g, const Shape& shape);
Support support_where_not_zero(const Tensor& x);

/// While it lives, rules that this thread asks are asked for a cotangent with the support given.
class SupportScope {
 public:
  SupportScope(const Support& support, bool elementwise) noexcept;
  ~SupportScope();
  SupportScope(const SupportScope&) = delete;
  SupportScope& operator=(const SupportScope&) = delete;
  /// The innermost one's; empty outside of rules.
  static const Support& current() noexcept;
  /// The innermost one, or none. It lives while one node's rule is asked for the cotangents of its inputs, one after another.
  static const SupportScope* innermost() noexcept;

  mutable std::shared_ptr<void> memo;  ///< what a rule keeps from the first of these questions to the last

 private:
  friend Tensor scale(const Tensor& g, const Tensor& d);
  const Support& support_;
  const bool elementwise_;
  const SupportScope* const before_;
};

template <class F>
Support moved(const Support& g, const Shape& shape, const F& pull) {
  return support_where_not_zero(pull(full_mask(g, shape).to(DType::float32)));
}

}  // namespace xgrad::detail
