#include <autodiff/ops/batching.hpp>
#include <autodiff/core/evaluator.hpp>
#include <autodiff/kernels/tiles.hpp>
#include <autodiff/ops/elementwise.hpp>
#include <autodiff/ops/scan.hpp>
#include <autodiff/ops/shape.hpp>
#include <autodiff/ops/support.hpp>
#include <autodiff/ops/special.hpp>
#include <autodiff/core/tape.hpp>

namespace xgrad {
namespace {

using detail::Array;
using detail::checked_axis;

struct CumSum final : GeneralOp {
  CumSum(std::size_t axis, bool reversed) : axis(axis), reversed(reversed) {}
  bool operator==(const CumSum& other) const { return axis == other.axis && reversed == other.reversed; }
  std::string_view name() const override { return "cumsum"; }

  void evaluate(std::span<const Array> inputs, const Array& output) const override {
    if (output.size == 0) return;
    detail::copy_contiguous(inputs[0], output.data);
    const Shape& shape = *output.shape;
    std::int64_t outer = 1, inner = 1;
    for (std::size_t i = 0; i < axis; ++i) outer *= shape[i];
    for (std::size_t i = axis + 1; i < shape.size(); ++i) inner *= shape[i];
    dispatch(output.dtype, [&]<class T>(T) {
      if constexpr (!std::is_same_v<T, bool>) {
        for (std::int64_t o = 0; o < outer; ++o) run(output.as<T>() + o * shape[axis] * inner, shape[axis], inner);
      }
    });
  }

  Tensor vjp(std::size_t, const Tensor& g, std::span<const Tensor>, const Tensor&) const override {
    return detail::record(detail::interned<CumSum>(axis, !reversed), {&g, 1}, g.shape(), g.dtype());
  }
  detail::Support cotangent_support(std::size_t i, const detail::Support& g, std::span<const Tensor> inputs, const Tensor& y) const override {
    if (!g.is_restricted()) return {};
    return detail::moved(g, y.shape(), [&](const Tensor& t) { return vjp(i, t, inputs, y); });
  }
  Tensor vectorized(const detail::Batched& batched) const override { return batched.by<CumSum>(axis + 1, reversed); }

  std::size_t axis;
  bool reversed;

 private:
  /// Rows of `inner` elements. Sums of float32 run in float64, for they are not pairwise; whole numbers wrap.
  template <class T>
  void run(T* x, std::int64_t rows, std::int64_t inner) const {
    using Sum = std::conditional_t<std::is_floating_point_v<T>, double, std::uint64_t>;
    const std::int64_t step = reversed ? -inner : inner;
    for (std::int64_t j = 0; j < inner; ++j) {
      T* at = x + j + (reversed ? (rows - 1) * inner : 0);
      Sum sum = 0;
      for (std::int64_t i = 0; i < rows; ++i, at += step) *at = static_cast<T>(sum += static_cast<Sum>(*at));
    }
  }
};

/// The scan by a function of two tensors, associative, in as many rounds as the length has binary digits.
template <class F>
Tensor scan(const Tensor& x, std::size_t axis, const F& combine) {
  Tensor result = x;
  const std::int64_t extent = x.shape()[axis];
  const auto range = [&](std::int64_t first, std::int64_t last) {
    std::vector<Slice> slices(x.dim(), Slice(xt::all()));
    slices[axis] = Slice(xt::range(first, last));
    return result.slice(slices);
  };
  for (std::int64_t step = 1; step < extent; step *= 2)
    result = concatenate({range(0, step), combine(range(0, extent - step), range(step, extent))}, static_cast<std::int64_t>(axis));
  return result;
}

}  // namespace

Tensor cumsum(const Located& x, std::int64_t axis) {
  const std::size_t at = checked_axis("cumsum", x, axis);
  const Tensor input = x.dtype() == DType::bool_ ? x.to(DType::int64) : x.tensor();
  return detail::record(detail::interned<CumSum>(at, false), {&input, 1}, x.shape(), input.dtype());
}

Tensor cumprod(const Located& x, std::int64_t axis) {
  const std::size_t at = checked_axis("cumprod", x, axis);
  return scan(x.dtype() == DType::bool_ ? x.to(DType::int64) : x.tensor(), at, [](const Tensor& a, const Tensor& b) { return a * b; });
}

Tensor logcumsumexp(const Located& x, std::int64_t axis) {
  const std::size_t at = checked_axis("logcumsumexp", x, axis);
  return scan(is_floating(x.dtype()) ? x.tensor() : x.to(DType::float64), at, [](const Tensor& a, const Tensor& b) { return logaddexp(a, b); });
}

}  // namespace xgrad
