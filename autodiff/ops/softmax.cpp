// logsumexp, softmax and log_softmax: primitives, for written with exp, max and sum they would trip over infinities and
// over the ties of max, and pass over their values several times more.
#include <autodiff/evaluate/evaluate.hpp>
#include <autodiff/ops/elementwise.hpp>
#include <autodiff/ops/reduce.hpp>
#include <autodiff/ops/reduce_kernels.hpp>
#include <autodiff/ops/reduction.hpp>
#include <autodiff/ops/scale.hpp>
#include <cmath>

namespace xgrad {
namespace {

using detail::Array;
using detail::ReducedExtents;
using detail::ReductionInput;
using detail::Scratch;

// eˣ of `n` contiguous values, always by whole batches: a value does not depend on where it stands.
template <class T>
void exp_values(const T* x, T* out, std::size_t n) {
  using Batch = xsimd::batch<T>;
  constexpr std::size_t width = Batch::size;
  std::size_t i = 0;
  for (; i + width <= n; i += width) xsimd::exp(Batch::load_unaligned(x + i)).store_unaligned(out + i);
  if (i == n) return;
  alignas(64) T lanes[width];
  xsimd::exp(detail::load_padded(x + i, n - i, T(0))).store_aligned(lanes);
  std::copy(lanes, lanes + (n - i), out + i);
}

// f(x, value of its line) for all values of an (outer, reduced, inner) array; a line is a row or a column to be
// reduced.
template <class T, class F>
void combine(const T* x, const T* of_line, const ReducedExtents& extents, T* out, F f) {
  using Batch = xsimd::batch<T>;
  constexpr std::size_t width = Batch::size;
  const auto [outer, reduced, inner] = extents;
  const bool rows = inner == 1;
  const std::size_t n = rows ? reduced : inner;
  for (std::size_t i = 0; i < outer; ++i, of_line += inner)
    for (std::size_t k = 0; k < (rows ? 1 : reduced); ++k, x += n, out += n) {
      std::size_t j = 0;
      for (; j + width <= n; j += width) {
        const Batch value = rows ? Batch(*of_line) : Batch::load_unaligned(of_line + j);
        f(Batch::load_unaligned(x + j), value).store_unaligned(out + j);
      }
      for (; j < n; ++j) out[j] = f(x[j], of_line[rows ? 0 : j]);
    }
}

constexpr std::size_t part_size = 4096;

// Calls f(offset of input, offset of result, extents) for parts of about `part_size` values, or one outer index at
// least, so that several passes over them stay in the first cache, and short rows are long enough together for SIMD.
template <class F>
void by_parts(const ReducedExtents& extents, F f) {
  const auto [outer, reduced, inner] = extents;
  if (outer * reduced * inner == 0) return;
  const std::size_t step = std::max<std::size_t>(1, part_size / (reduced * inner));
  for (std::size_t i = 0; i < outer; i += step)
    f(i * reduced * inner, i * inner, ReducedExtents{std::min(step, outer - i), reduced, inner});
}

// Elements, and lines to be reduced, that a part of `by_parts` may have.
std::size_t most_elements(const ReducedExtents& extents) {
  return std::max(part_size, extents.reduced * extents.inner);
}
std::size_t most_lines(const ReducedExtents& extents) { return std::max(part_size, extents.inner); }

constexpr auto difference = [](auto a, auto b) { return a - b; };
constexpr auto product = [](auto a, auto b) { return a * b; };

struct LogSumExp final : detail::Reduction {
  using Reduction::Reduction;
  std::string_view name() const override { return "logsumexp"; }

  void evaluate(std::span<const Array> inputs, const Array& output) const override {
    const ReductionInput x(inputs[0], axes);
    dispatch_floating(inputs[0].dtype,
                      [&]<class T>(T) { logsumexp(x.as<T>(), x.extents(), static_cast<T*>(output.data)); });
  }

  Tensor vjp(std::size_t, const Tensor& g, std::span<const Tensor> inputs, const Tensor& y) const override {
    // e^(x - y) alone carries the rounding of a large y; divided by its own sum it does not, and any shift will do. That of
    // all -inf is 0: e^(-inf - 0) rather than e^(-inf + inf).
    constexpr double infinity = std::numeric_limits<double>::infinity();
    const Tensor terms = exp(inputs[0] - kept(where(y == -infinity, 0.0, y)).detach());
    const Tensor total = sum(terms, Axes(axes), true);
    return detail::scale(kept(g), terms / where(total == 0, 1.0, total));
  }

 private:
  template <class T>
  static void logsumexp(const T* x, const ReducedExtents& extents, T* out) {
    if (extents.reduced == 0) std::fill(out, out + extents.outer * extents.inner, -std::numeric_limits<T>::infinity());
    const Scratch<T> elements(most_elements(extents)), lines(2 * most_lines(extents));
    T *e = elements.data(), *largest = lines.data(), *sums = largest + most_lines(extents);
    by_parts(extents, [&](std::size_t from, std::size_t to, const ReducedExtents& part) {
      const std::size_t count = part.outer * part.inner;
      detail::extreme_kernel<detail::Larger>(x + from, part, largest);
      // An infinite maximum is the result; 0 stands in for it where it would be subtracted from itself.
      for (std::size_t i = 0; i < count; ++i) sums[i] = std::isinf(largest[i]) ? T(0) : largest[i];
      combine(x + from, sums, part, e, difference);
      exp_values(e, e, count * part.reduced);
      detail::sum_kernel(e, part, sums);
      for (std::size_t i = 0; i < count; ++i)
        out[to + i] = largest[i] + (std::isinf(largest[i]) ? T(0) : std::log(sums[i]));
    });
  }
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


  std::int64_t axis;  ///< counted from the front
};

struct Softmax final : AlongAxis {
  using AlongAxis::AlongAxis;
  std::string_view name() const override { return "softmax"; }

  void evaluate(std::span<const Array> inputs, const Array& output) const override {
    for_lines(inputs[0], output, []<class T>(const T* x, const ReducedExtents& extents, T* out) {
      const Scratch<T> lines(2 * most_lines(extents));
      T *largest = lines.data(), *sums = largest + most_lines(extents);
      by_parts(extents, [&](std::size_t from, std::size_t, const ReducedExtents& part) {
        detail::extreme_kernel<detail::Larger>(x + from, part, largest);
        combine(x + from, largest, part, out + from, difference);
        exp_values(out + from, out + from, part.outer * part.reduced * part.inner);
        detail::sum_kernel(out + from, part, sums);
        for (std::size_t i = 0; i < part.outer * part.inner; ++i) sums[i] = 1 / sums[i];
        combine(out + from, sums, part, out + from, product);
      });
    });
  }

  // y·(g - Σ g·y), with what a zero cotangent masks left out: rows of -inf are NaN.
  Tensor vjp(std::size_t, const Tensor& g, std::span<const Tensor>, const Tensor& y) const override {
    return detail::scale(g - sum(detail::scale(g, y), axis, true), y);
  }
};

struct LogSoftmax final : AlongAxis {
  using AlongAxis::AlongAxis;
  std::string_view name() const override { return "log_softmax"; }

  void evaluate(std::span<const Array> inputs, const Array& output) const override {
    for_lines(inputs[0], output, []<class T>(const T* x, const ReducedExtents& extents, T* out) {
      const Scratch<T> elements(most_elements(extents)), lines(2 * most_lines(extents));
      T *e = elements.data(), *largest = lines.data(), *sums = largest + most_lines(extents);
      by_parts(extents, [&](std::size_t from, std::size_t, const ReducedExtents& part) {
        const std::size_t count = part.outer * part.inner;
        detail::extreme_kernel<detail::Larger>(x + from, part, largest);
        combine(x + from, largest, part, out + from, difference);
        exp_values(out + from, e, count * part.reduced);
        detail::sum_kernel(e, part, sums);
        for (std::size_t i = 0; i < count; ++i) sums[i] = std::log(sums[i]);
        combine(out + from, sums, part, out + from, difference);
      });
    });
  }

  // g - eʸ·Σ g, of a zero cotangent zero also where y is NaN.
  Tensor vjp(std::size_t, const Tensor& g, std::span<const Tensor>, const Tensor& y) const override {
    return g - detail::scale(sum(g, axis, true), exp(y));
  }
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
