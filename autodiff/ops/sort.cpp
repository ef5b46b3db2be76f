#include <algorithm>
#include <autodiff/core/trace_state.hpp>
#include <autodiff/ops/batching.hpp>
#include <autodiff/ops/contiguous.hpp>
#include <autodiff/ops/create.hpp>
#include <autodiff/ops/elementwise.hpp>
#include <autodiff/ops/index.hpp>
#include <autodiff/ops/indexing.hpp>
#include <autodiff/ops/reduce.hpp>
#include <autodiff/ops/reduction.hpp>
#include <autodiff/ops/shape.hpp>
#include <autodiff/ops/sort.hpp>
#include <autodiff/core/tape.hpp>
#include <numeric>
#include <stdexcept>

namespace xgrad {
namespace {

using detail::Array;

/// Whether a comes before b; NaN after all others.
template <class T>
bool before(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) return a < b || (b != b && a == a);
  else return a < b;
}

struct ArgSort final : GeneralOp {
  ArgSort(std::size_t axis, bool descending) : axis(axis), descending(descending) {}
  bool operator==(const ArgSort& other) const { return axis == other.axis && descending == other.descending; }
  std::string_view name() const override { return "argsort"; }

  void evaluate(std::span<const Array> inputs, const Array& output) const override {
    if (output.size == 0) return;
    const Shape& shape = *output.shape;
    std::int64_t inner = 1;
    for (std::size_t i = axis + 1; i < shape.size(); ++i) inner *= shape[i];
    const std::int64_t extent = shape[axis], lines = output.size / extent;
    dispatch(inputs[0].dtype, [&]<class T>(T) {
      const detail::Contiguous<T> x(inputs[0]);
      std::vector<std::int64_t> order(static_cast<std::size_t>(extent));
      for (std::int64_t line = 0; line < lines; ++line) {
        const std::int64_t start = line / inner * inner * extent + line % inner;
        const T* from = x.data() + start;
        std::iota(order.begin(), order.end(), 0);
        std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
          return descending ? before(from[b * inner], from[a * inner]) : before(from[a * inner], from[b * inner]);
        });
        std::int64_t* to = output.as<std::int64_t>() + start;
        for (std::int64_t i = 0; i < extent; ++i) to[i * inner] = order[static_cast<std::size_t>(i)];
      }
    });
  }
  Tensor vjp(std::size_t, const Tensor&, std::span<const Tensor>, const Tensor&) const override { return {}; }
  Tensor vectorized(const detail::Batched& batched) const override { return batched.by<ArgSort>(axis + 1, descending); }

  std::size_t axis;
  bool descending;
};

/// Inputs: a sorted vector, values of the same dtype.
struct SearchSorted final : GeneralOp {
  explicit SearchSorted(bool right) : right(right) {}
  bool operator==(const SearchSorted& other) const { return right == other.right; }
  std::string_view name() const override { return "searchsorted"; }
  void evaluate(std::span<const Array> inputs, const Array& output) const override {
    dispatch(inputs[0].dtype, [&]<class T>(T) {
      const detail::Contiguous<T> sorted(inputs[0]), values(inputs[1]);
      const T *const begin = sorted.data(), *const end = begin + inputs[0].size;
      for (std::int64_t i = 0; i < output.size; ++i)
        output.as<std::int64_t>()[i] = (right ? std::upper_bound(begin, end, values.data()[i], before<T>)
                                               : std::lower_bound(begin, end, values.data()[i], before<T>)) - begin;
    });
  }
  Tensor vjp(std::size_t, const Tensor&, std::span<const Tensor>, const Tensor&) const override { return {}; }
  Tensor vectorized(const detail::Batched& batched) const override {
    if (batched.mapped(0)) return {};
    const Tensor inputs[] = {batched.input(0), batched.input(1)};
    return batched.record_self(inputs);
  }

  bool right;
};

void check_mask(std::string_view op, const Tensor& mask) {
  detail::check_defined(op, mask);
  if (mask.dtype() != DType::bool_)
    throw detail::located<std::invalid_argument>(std::string(op) + ": the mask of shape " + to_string(mask.shape()) + " is " + std::string(name_of(mask.dtype())) +
                                ", not bool; compare it, as in x > 0");
}

}  // namespace

Tensor argsort(const Tensor& x, std::int64_t axis, bool descending) {
  const std::size_t at = detail::checked_axis("argsort", x, axis);
  return detail::record(detail::interned<ArgSort>(at, descending), {&x, 1}, x.shape(), DType::int64);
}

Tensor sort(const Located& x, std::int64_t axis, bool descending) {
  const auto at = static_cast<std::int64_t>(detail::checked_axis("sort", x, axis));
  return detail::take_along_axis_unchecked(x, argsort(x, at, descending), at);
}

std::pair<Tensor, Tensor> topk(const Located& x, std::int64_t k, std::int64_t axis, bool largest) {
  const auto at = static_cast<std::int64_t>(detail::checked_axis("topk", x, axis));
  if (k < 0 || k > x.shape(at))
    throw detail::located<std::invalid_argument>("topk: " + std::to_string(k) + " elements of axis " + std::to_string(at) + " of shape " + to_string(x.shape()));
  std::vector<Slice> slices(x.dim(), Slice(xt::all()));
  slices[static_cast<std::size_t>(at)] = Slice(xt::range(0, k));
  const Tensor indices = argsort(x, at, largest).slice(slices);
  return {detail::take_along_axis_unchecked(x, indices, at), indices};
}

Tensor searchsorted(const Tensor& sorted, const Tensor& values, bool right) {
  detail::check_defined("searchsorted", sorted);
  detail::check_defined("searchsorted", values);
  if (sorted.dim() != 1) throw detail::located<std::invalid_argument>("searchsorted: the sorted tensor has shape " + to_string(sorted.shape()) + "; it must be a vector");
  const DType dtype = promote(sorted.dtype(), values.dtype());
  const Tensor inputs[] = {sorted.to(dtype), values.to(dtype)};
  return detail::record(detail::interned<SearchSorted>(right), inputs, values.shape(), DType::int64);
}

Tensor median(const Located& x, const Axes& axes, bool keepdims) {
  detail::check_defined("median", x);
  const AxisList reduced = axes.normalize("median", x.shape());
  const Tensor lines = detail::reduced_last(is_floating(x.dtype()) ? x.tensor() : x.to(DType::float64), reduced);
  const std::int64_t count = lines.shape(-1);
  if (count == 0) throw detail::located<std::invalid_argument>("median: nothing to reduce of shape " + to_string(x.shape()));
  const Tensor sorted = sort(lines, -1);
  const auto at = [&](std::int64_t i) { return sorted.slice(xt::ellipsis(), i); };
  const Tensor middle = count % 2 ? at(count / 2) : 0.5 * (at(count / 2 - 1) + at(count / 2));
  const Tensor last = at(count - 1);  // NaN if any is
  return reshape(where(last == last, middle, last), detail::reduced_shape(x.shape(), reduced, keepdims));
}

Tensor nonzero(const Tensor& x) { return detail::nonzero_for("nonzero", x); }

Tensor detail::nonzero_for(std::string_view op, const Tensor& x) {
  check_defined(op, x);
  Capturing::refuse_shape(op);
  const Tensor mask = x.to(DType::bool_);
  const bool* values = mask.data<bool>();
  const std::int64_t count = std::count(values, values + mask.size(), true), rank = static_cast<std::int64_t>(x.dim());
  return detail::make_leaf({count, rank}, DType::int64, [&](void* data) {
    auto* row = static_cast<std::int64_t*>(data);
    for (std::int64_t i = 0; i < mask.size(); ++i) {
      if (!values[i]) continue;
      std::int64_t rest = i;
      for (std::int64_t axis = rank; axis-- > 0; rest /= x.shape(axis)) row[axis] = rest % x.shape(axis);
      row += rank;
    }
  });
}

Tensor masked_select(const Located& x, const Tensor& mask) {
  detail::check_defined("masked_select", x);
  check_mask("masked_select", mask);
  const Shape shape = broadcast_shapes("masked_select", x.shape(), mask.shape());
  const Tensor flat = reshape(broadcast_to(mask, shape), {size_of(shape)});
  return take(reshape(broadcast_to(x, shape), {size_of(shape)}), reshape(detail::nonzero_for("masked_select", flat), {-1}), 0);
}

Tensor masked_fill(const Located& x, const Tensor& mask, const Operand& value) {
  detail::check_defined("masked_fill", x);
  check_mask("masked_fill", mask);
  value.check("masked_fill");
  const Shape shape = broadcast_shapes("masked_fill", x.shape(), mask.shape());
  if (!value.is_number()) broadcast_shapes("masked_fill", shape, value.tensor().shape());
  return where(mask, value, x);
}

}  // namespace xgrad
