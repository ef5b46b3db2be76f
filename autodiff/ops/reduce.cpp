#include <autodiff/kernels/instruction_sets.hpp>
#include <autodiff/core/scratch.hpp>
#include <autodiff/ops/elementwise.hpp>
#include <autodiff/ops/reduce.hpp>
#include <autodiff/ops/reduction.hpp>
#include <autodiff/ops/reduction_input.hpp>
#include <autodiff/ops/support.hpp>
#include <autodiff/ops/shape.hpp>
#include <autodiff/ops/special.hpp>
#include <limits>

namespace xgrad {
namespace {

using detail::Array;
using detail::ReductionInput;

// bool is compared as the byte it is, which compilers vectorise.
template <class T>
using compared_t = std::conditional_t<std::is_same_v<T, bool>, std::uint8_t, T>;

struct Sum final : detail::Reduction {
  using Reduction::Reduction;
  Kind kind() const override { return Kind::sum; }
  std::string_view name() const override { return "sum"; }

  void evaluate(std::span<const Array> inputs, const Array& output) const override {
    const ReductionInput x(inputs[0], axes);
    dispatch(inputs[0].dtype, [&]<class T>(T) {
      if constexpr (std::is_floating_point_v<T>) {
        sums<T, T>(x, output);
      } else {
        // Unsigned, so that an overflow wraps.
        sums<std::conditional_t<std::is_same_v<T, bool>, std::uint8_t, std::uint64_t>, std::uint64_t>(x, output);
      }
    });
  }

  Tensor vjp(std::size_t, const Tensor& g, std::span<const Tensor>, const Tensor&) const override { return kept(g); }
  detail::Support cotangent_support(std::size_t, const detail::Support& g, std::span<const Tensor>, const Tensor&) const override { return kept(g); }
  Tensor vectorized(const detail::Batched& batched) const override { return detail::reduce<Sum>(batched, *this); }

 private:
  template <class Term, class Total>
  static void sums(const ReductionInput& x, const Array& output) {
    detail::with_simd([&]<class Simd>(Simd) {
      using Loop = detail::SumLoop<Simd, Total, Term>;
      const std::size_t scratch = Loop::scratch(x.extents());
      const auto run = [&](Total* memory) { Loop::run(x.as<Term>(), x.extents(), static_cast<Total*>(output.data), memory); };
      if (scratch == 0) run(nullptr);
      else run(detail::Scratch<Total>(scratch).data());
    });
  }
};

template <class Order>
struct Extreme final : detail::Reduction {
  using Reduction::Reduction;
  static constexpr std::string_view op_name = std::is_same_v<Order, detail::Larger> ? "max" : "min";
  std::string_view name() const override { return op_name; }

  void evaluate(std::span<const Array> inputs, const Array& output) const override {
    const ReductionInput x(inputs[0], axes);
    dispatch(inputs[0].dtype, [&]<class T>(T) {
      using Term = compared_t<T>;
      detail::with_simd([&]<class Simd>(Simd) {
        detail::ExtremeLoop<Simd, Order, Term>::values(x.as<Term>(), x.extents(), static_cast<Term*>(output.data));
      });
    });
  }

  Tensor vjp(std::size_t, const Tensor& g, std::span<const Tensor> inputs, const Tensor& y) const override {
    const Tensor is_extreme = equal(inputs[0], kept(y));
    const Tensor share = kept(g) / sum(is_extreme.to(g.dtype()), Axes(axes), true);
    return where(is_extreme, share, where(kept(y == y), 0.0, std::numeric_limits<double>::quiet_NaN()).to(g.dtype()));
  }
  detail::Support cotangent_support(std::size_t, const detail::Support& g, std::span<const Tensor> inputs, const Tensor& y) const override {
    const Tensor is_extreme = equal(inputs[0], kept(y));
    return detail::within(kept(g), is_floating(y.dtype()) ? logical_or(is_extreme, kept(y != y)) : is_extreme, inputs[0].dim());
  }
  Tensor vectorized(const detail::Batched& batched) const override { return detail::reduce<Extreme>(batched, *this); }
};

template <class Order>
struct ArgExtreme final : detail::Reduction {
  using Reduction::Reduction;
  static constexpr std::string_view op_name = std::is_same_v<Order, detail::Larger> ? "argmax" : "argmin";
  std::string_view name() const override { return op_name; }

  void evaluate(std::span<const Array> inputs, const Array& output) const override {
    const ReductionInput x(inputs[0], axes);
    dispatch(inputs[0].dtype, [&]<class T>(T) {
      using Term = compared_t<T>;
      const detail::Scratch<Term> scratch(x.extents().inner);
      detail::with_simd([&]<class Simd>(Simd) {
        detail::ExtremeLoop<Simd, Order, Term>::indices(x.as<Term>(), x.extents(), output.as<std::int64_t>(), scratch.data());
      });
    });
  }

  Tensor vjp(std::size_t, const Tensor&, std::span<const Tensor>, const Tensor&) const override { return {}; }
  Tensor vectorized(const detail::Batched& batched) const override { return detail::reduce<ArgExtreme>(batched, *this); }
};

// Extremes of nothing have no value.
void check_not_empty(std::string_view op, const Tensor& x, std::span<const std::int64_t> axes) {
  for (const std::int64_t axis : axes)
    if (x.shape(axis) == 0)
      throw detail::located<std::invalid_argument>(std::string(op) + ": nothing to reduce along axis " + std::to_string(axis) +
                                  " of shape " + to_string(x.shape()) + "; reduce over axes that are not empty");
}

template <class Order>
Tensor extreme(const Tensor& x, const Axes& axes, bool keepdims) {
  constexpr std::string_view op = Extreme<Order>::op_name;
  detail::check_defined(op, x);
  AxisList normalized = axes.normalize(op, x.shape());
  check_not_empty(op, x, normalized);
  return detail::reduce<Extreme<Order>>(x, std::move(normalized), keepdims, x.dtype());
}

template <class Order>
Tensor arg_extreme(const Tensor& x, std::int64_t axis, bool keepdims) {
  constexpr std::string_view op = ArgExtreme<Order>::op_name;
  detail::check_defined(op, x);
  AxisList axes{normalize_axis(op, axis, x.shape())};
  check_not_empty(op, x, axes);
  return detail::reduce<ArgExtreme<Order>>(x, std::move(axes), keepdims, DType::int64);
}

}  // namespace

namespace detail {

Tensor Reduction::kept(const Tensor& t) const { return keepdims || axes.empty() ? t : expand_dims(t, Axes(axes)); }
Support Reduction::kept(const Support& g) const { return g.is_restricted() ? Support{kept(mask_of(g))} : Support{}; }

Shape reduced_shape(const Shape& shape, std::span<const std::int64_t> axes, bool keepdims) {
  Shape result;
  for (std::size_t i = 0, next = 0; i < shape.size(); ++i) {
    const bool is_reduced = next < axes.size() && axes[next] == static_cast<std::int64_t>(i);
    if (is_reduced) ++next;
    if (!is_reduced) result.push_back(shape[i]);
    else if (keepdims) result.push_back(1);
  }
  return result;
}

Tensor reduced_last(const Tensor& x, std::span<const std::int64_t> axes) {
  std::vector<std::int64_t> order;
  Shape shape = reduced_shape(x.shape(), axes, false);
  std::int64_t count = 1;
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(x.dim()); ++i) {
    if (std::find(axes.begin(), axes.end(), i) == axes.end()) order.push_back(i);
    else count *= x.shape(i);
  }
  order.insert(order.end(), axes.begin(), axes.end());
  shape.push_back(count);
  return reshape(transpose(x, order), shape);
}

}  // namespace detail

Tensor sum(const Located& x, const Axes& axes, bool keepdims) {
  detail::check_defined("sum", x);
  return detail::reduce<Sum>(x, axes.normalize("sum", x.shape()), keepdims,
                             is_floating(x.dtype()) ? x.dtype() : DType::int64);
}

Tensor detail::unbroadcast(Tensor g, const Shape& shape) {
  const Shape from = g.shape();
  if (from == shape) return g;
  const std::size_t extra = from.size() > shape.size() ? from.size() - shape.size() : 0;
  const std::size_t missing = shape.size() > from.size() ? shape.size() - from.size() : 0;
  std::vector<std::int64_t> axes;
  bool repeats = false;
  for (std::size_t i = 0; i < from.size(); ++i) {
    if (i >= extra && (shape[i - extra + missing] != 1 || from[i] == 1)) continue;
    axes.push_back(static_cast<std::int64_t>(i));
    repeats = repeats || from[i] != 1;
  }
  if (repeats) g = sum(g, axes, true);
  if (extra > 0) {
    const Shape& summed = g.shape();
    g = reshape(g, Shape(summed.begin() + static_cast<std::ptrdiff_t>(extra), summed.end()));
  }
  return broadcast_to(g, shape);
}

Tensor mean(const Located& x, const Axes& axes, bool keepdims) {
  detail::check_defined("mean", x);
  AxisList normalized = axes.normalize("mean", x.shape());
  double n = 1;
  for (const std::int64_t axis : normalized) n *= static_cast<double>(x.shape(axis));
  const Tensor input = is_floating(x.dtype()) ? x.tensor() : x.to(DType::float64);
  return detail::reduce<Sum>(input, std::move(normalized), keepdims, input.dtype()) / n;
}

Tensor max(const Located& x, const Axes& axes, bool keepdims) { return extreme<detail::Larger>(x, axes, keepdims); }

Tensor min(const Located& x, const Axes& axes, bool keepdims) { return extreme<detail::Smaller>(x, axes, keepdims); }

Tensor argmax(const Located& x, std::int64_t axis, bool keepdims) { return arg_extreme<detail::Larger>(x, axis, keepdims); }
Tensor argmin(const Located& x, std::int64_t axis, bool keepdims) { return arg_extreme<detail::Smaller>(x, axis, keepdims); }
Tensor argmax(const Located& x) {
  detail::check_defined("argmax", x);
  return argmax(flatten(x), 0);
}
Tensor argmin(const Located& x) {
  detail::check_defined("argmin", x);
  return argmin(flatten(x), 0);
}

}  // namespace xgrad
