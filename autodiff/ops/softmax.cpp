// logsumexp, softmax and log_softmax: primitives, for written with exp, max and sum they would trip over infinities and
// over the ties of max, and pass over their values several times more.
#include <autodiff/ops/batching.hpp>
#include <autodiff/core/evaluator.hpp>
#include <autodiff/kernels/tiles.hpp>
#include <autodiff/kernels/instruction_sets.hpp>
#include <autodiff/core/scratch.hpp>
#include <autodiff/ops/elementwise.hpp>
#include <autodiff/ops/reduce.hpp>
#include <autodiff/ops/reduction.hpp>
#include <autodiff/ops/reduction_input.hpp>
#include <autodiff/ops/support.hpp>
#include <limits>

namespace xgrad {
namespace {

using detail::Array;
using detail::ReducedExtents;
using detail::ReductionInput;

/// Calls `f(loops, scratch)` with the loops over values of type T, of the instruction set in use, and their working memory.
template <class T, class F>
void with_loops(const ReducedExtents& extents, F f) {
  detail::with_simd([&]<class Simd>(Simd) {
    using Loops = detail::SoftmaxLoops<Simd, T>;
    const detail::Scratch<T> scratch(Loops::scratch(extents));
    f(Loops(), scratch.data());
  });
}

struct LogSumExp final : detail::Reduction {
  using Reduction::Reduction;
  std::string_view name() const override { return "logsumexp"; }

  void evaluate(std::span<const Array> inputs, const Array& output) const override {
    const ReductionInput x(inputs[0], axes);
    dispatch_floating(inputs[0].dtype, [&]<class T>(T) {
      with_loops<T>(x.extents(), [&](auto loops, T* scratch) {
        loops.logsumexp(x.as<T>(), x.extents(), static_cast<T*>(output.data), scratch);
      });
    });
  }

  Tensor vjp(std::size_t, const Tensor& g, std::span<const Tensor> inputs, const Tensor& y) const override {
    // e^(x - y) alone carries the rounding of a large y; divided by its own sum it does not, and any shift will do. That of
    // all -∞ is 0: e^(-∞ - 0) rather than e^(-∞ + ∞). What is ∞ like y has a difference of 0.
    constexpr double infinity = std::numeric_limits<double>::infinity();
    const Tensor shift = kept(where(y == -infinity, 0.0, y)).detach();
    const Tensor terms = exp(detail::value_at_kink(inputs[0] == shift, 0, inputs[0] - shift));
    const Tensor total = sum(terms, Axes(axes), true);
    return detail::scale(kept(g), terms / where(total == 0, 1.0, total), kept(detail::SupportScope::current()));
  }
  detail::Support cotangent_support(std::size_t, const detail::Support& g, std::span<const Tensor>, const Tensor&) const override { return kept(g); }
  Tensor vectorized(const detail::Batched& batched) const override { return detail::reduce<LogSumExp>(batched, *this); }
};

// A function of the rows along one axis with as many values.
struct AlongAxis : GeneralOp {
  explicit AlongAxis(std::int64_t axis) : axis(axis) {}
  bool operator==(const AlongAxis& other) const { return axis == other.axis; }

  template <class F>
  void for_lines(const Array& input, const Array& output, F f) const {
    ReducedExtents extents;
    for (std::size_t i = 0; i < input.shape->size(); ++i) {
      const auto at = static_cast<std::int64_t>(i);
      (at < axis    ? extents.outer
       : at == axis ? extents.reduced
                    : extents.inner) *= static_cast<std::size_t>((*input.shape)[i]);
    }
    // The kernels may work in place.
    if (!input.contiguous) detail::copy_contiguous(input, output.data);
    dispatch_floating(input.dtype, [&]<class T>(T) {
      T* out = static_cast<T*>(output.data);
      f(input.contiguous ? static_cast<const T*>(input.data) : out, extents, out);
    });
  }

  /// A row counts if any of its elements does.
  detail::Support cotangent_support(std::size_t, const detail::Support& g, std::span<const Tensor>, const Tensor&) const override {
    return detail::along(g, axis);
  }

  std::int64_t axis;  ///< counted from the front
};

struct Softmax final : AlongAxis {
  using AlongAxis::AlongAxis;
  std::string_view name() const override { return "softmax"; }

  void evaluate(std::span<const Array> inputs, const Array& output) const override {
    for_lines(inputs[0], output, []<class T>(const T* x, const ReducedExtents& extents, T* out) {
      with_loops<T>(extents, [&](auto loops, T* scratch) { loops.softmax(x, extents, out, scratch); });
    });
  }

  // y·(g - Σ g·y). Rows that are left out may be NaN.
  Tensor vjp(std::size_t, const Tensor& g, std::span<const Tensor>, const Tensor& y) const override {
    const detail::Support rows = detail::along(detail::SupportScope::current(), axis);
    return detail::scale(g - sum(detail::scale(g, y, rows), axis, true), y, rows);
  }
  Tensor vectorized(const detail::Batched& batched) const override { return batched.by<Softmax>(axis + 1); }
};

struct LogSoftmax final : AlongAxis {
  using AlongAxis::AlongAxis;
  std::string_view name() const override { return "log_softmax"; }

  void evaluate(std::span<const Array> inputs, const Array& output) const override {
    for_lines(inputs[0], output, []<class T>(const T* x, const ReducedExtents& extents, T* out) {
      with_loops<T>(extents, [&](auto loops, T* scratch) { loops.log_softmax(x, extents, out, scratch); });
    });
  }

  // g - eʸ·Σ g
  Tensor vjp(std::size_t, const Tensor& g, std::span<const Tensor>, const Tensor& y) const override {
    return g - detail::scale(sum(g, axis, true), exp(y), detail::along(detail::SupportScope::current(), axis));
  }
  Tensor vectorized(const detail::Batched& batched) const override { return batched.by<LogSoftmax>(axis + 1); }
};

Tensor to_floating(const Tensor& x) { return is_floating(x.dtype()) ? x : x.to(DType::float64); }

template <class O>
Tensor along_axis(std::string_view op, const Tensor& x, std::int64_t axis) {
  detail::check_defined(op, x);
  std::shared_ptr<const Op> along = detail::interned<O>(normalize_axis(op, axis, x.shape()));
  Tensor input = to_floating(x);
  const DType dtype = input.dtype();
  return detail::record_moved(std::move(along), {&input, 1}, x.shape(), dtype);
}

}  // namespace

Tensor logsumexp(const Located& x, const Axes& axes, bool keepdims) {
  detail::check_defined("logsumexp", x);
  AxisList normalized = axes.normalize("logsumexp", x.shape());
  const Tensor input = to_floating(x);
  return detail::reduce<LogSumExp>(input, std::move(normalized), keepdims, input.dtype());
}

Tensor softmax(const Located& x, std::int64_t axis) { return along_axis<Softmax>("softmax", x, axis); }

Tensor log_softmax(const Located& x, std::int64_t axis) { return along_axis<LogSoftmax>("log_softmax", x, axis); }

}  // namespace xgrad
