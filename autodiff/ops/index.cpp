#include <algorithm>
#include <autodiff/ops/batching.hpp>
#include <autodiff/core/evaluator.hpp>
#include <autodiff/core/trace_state.hpp>
#include <autodiff/kernels/tiles.hpp>
#include <autodiff/kernels/kernels.hpp>
#include <autodiff/ops/check_values.hpp>
#include <autodiff/ops/contiguous.hpp>
#include <autodiff/ops/create.hpp>
#include <autodiff/ops/elementwise.hpp>
#include <autodiff/ops/index.hpp>
#include <autodiff/ops/indexing.hpp>
#include <autodiff/ops/shape.hpp>
#include <autodiff/ops/support.hpp>
#include <autodiff/core/tape.hpp>
#include <cstring>
#include <stdexcept>

namespace xgrad {
namespace {

using detail::Array;
using detail::Contiguous;

/// A shape seen as (outer, extent of an axis, inner).
struct Split {
  Split(const Shape& shape, std::size_t axis) : extent(shape[axis]) {
    for (std::size_t i = 0; i < axis; ++i) outer *= shape[i];
    for (std::size_t i = axis + 1; i < shape.size(); ++i) inner *= shape[i];
  }
  std::int64_t outer = 1, extent, inner = 1;
};

std::int64_t wrap(std::int64_t index, std::int64_t extent) { return index < 0 ? index + extent : index; }

/// Base of the ops that move values by indices along an axis.
struct Indexing : GeneralOp {
  explicit Indexing(std::size_t axis) : axis(axis) {}
  bool operator==(const Indexing& other) const { return axis == other.axis; }
  detail::Support cotangent_support(std::size_t i, const detail::Support& g, std::span<const Tensor> inputs, const Tensor& y) const override {
    return detail::moved(g, y.shape(), [&](const Tensor& t) { return vjp(i, t, inputs, y); });
  }
  std::size_t axis;
};

// For rules: the indices were checked when the op was called, and reading them again would compute them ahead.
Tensor take_checked(const Tensor& x, const Tensor& indices, const Shape& shape, std::size_t axis);
Tensor index_add_checked(const Tensor& x, const Tensor& indices, const Tensor& source, std::size_t axis);
Tensor take_along_axis_checked(const Tensor& x, const Tensor& indices, std::size_t axis);
Tensor scatter_add_checked(const Tensor& x, const Tensor& indices, const Tensor& source, std::size_t axis);

/// Inputs: x, indices of rank 1.
struct Take final : Indexing {
  using Indexing::Indexing;
  std::string_view name() const override { return "take"; }
  void evaluate(std::span<const Array> inputs, const Array& output) const override {
    const Contiguous<std::byte> x(inputs[0]);
    const Contiguous<std::int64_t> indices(inputs[1]);
    const Split from(*inputs[0].shape, axis);
    const std::size_t run = static_cast<std::size_t>(from.inner) * size_of(output.dtype);
    std::byte* target = static_cast<std::byte*>(output.data);
    if (run == 0) return;
    for (std::int64_t o = 0; o < from.outer; ++o)
      for (std::int64_t i = 0; i < inputs[1].size; ++i, target += run)
        std::memcpy(target, x.data() + static_cast<std::size_t>(o * from.extent + wrap(indices.data()[i], from.extent)) * run, run);
  }
  Tensor vjp(std::size_t i, const Tensor& g, std::span<const Tensor> inputs, const Tensor&) const override {
    if (i == 1) return {};
    return index_add_checked(zeros(inputs[0].shape(), g.dtype()), inputs[1], g, axis);
  }
  Tensor vectorized(const detail::Batched& batched) const override {
    return batched.mapped(1) ? Tensor() : take_checked(batched.input(0), batched.input(1), batched.of_all(), axis + 1);
  }
};

/// Inputs: x, indices of rank 1, source.
struct IndexAdd final : Indexing {
  using Indexing::Indexing;
  std::string_view name() const override { return "index_add"; }
  void evaluate(std::span<const Array> inputs, const Array& output) const override {
    if (output.size == 0) return;
    detail::copy_contiguous(inputs[0], output.data);
    const Contiguous<std::int64_t> indices(inputs[1]);
    const Split to(*output.shape, axis);
    dispatch(output.dtype, [&]<class T>(T) {
      const Contiguous<T> source(inputs[2]);
      const T* from = source.data();
      for (std::int64_t o = 0; o < to.outer; ++o)
        for (std::int64_t i = 0; i < inputs[1].size; ++i, from += to.inner) {
          T* target = static_cast<T*>(output.data) + (o * to.extent + wrap(indices.data()[i], to.extent)) * to.inner;
          for (std::int64_t j = 0; j < to.inner; ++j) target[j] = static_cast<T>(detail::wrapping(target[j]) + detail::wrapping(from[j]));
        }
    });
  }
  Tensor vjp(std::size_t i, const Tensor& g, std::span<const Tensor> inputs, const Tensor&) const override {
    if (i == 1) return {};
    return i == 0 ? g : take_checked(g, inputs[1], inputs[2].shape(), axis);
  }
  Tensor vectorized(const detail::Batched& batched) const override {
    return batched.mapped(1) ? Tensor() : index_add_checked(batched.full(0), batched.input(1), batched.full(2), axis + 1);
  }
};

/// Inputs: x, indices; shapes agree but for the axis.
struct TakeAlongAxis final : Indexing {
  using Indexing::Indexing;
  std::string_view name() const override { return "take_along_axis"; }
  void evaluate(std::span<const Array> inputs, const Array& output) const override {
    const Split from(*inputs[0].shape, axis), to(*output.shape, axis);
    const Contiguous<std::int64_t> indices(inputs[1]);
    dispatch(output.dtype, [&]<class T>(T) {
      const Contiguous<T> x(inputs[0]);
      T* target = static_cast<T*>(output.data);
      const std::int64_t* index = indices.data();
      for (std::int64_t o = 0; o < to.outer; ++o)
        for (std::int64_t i = 0; i < to.extent; ++i)
          for (std::int64_t j = 0; j < to.inner; ++j)
            *target++ = x.data()[(o * from.extent + wrap(*index++, from.extent)) * from.inner + j];
    });
  }
  Tensor vjp(std::size_t i, const Tensor& g, std::span<const Tensor> inputs, const Tensor&) const override {
    if (i == 1) return {};
    return scatter_add_checked(zeros(inputs[0].shape(), g.dtype()), inputs[1], g, axis);
  }
  /// Something is taken of each line, so lines count as they do in `g`.
  detail::Support cotangent_support(std::size_t i, const detail::Support& g, std::span<const Tensor> inputs, const Tensor& y) const override {
    detail::Support result = Indexing::cotangent_support(i, g, inputs, y);
    if (y.shape(static_cast<std::int64_t>(axis)) == 0) return result;
    result.axis = static_cast<std::int64_t>(axis);
    result.lines = detail::mask_of(detail::along(g, result.axis));
    return result;
  }
  Tensor vectorized(const detail::Batched& batched) const override { return batched.by<TakeAlongAxis>(axis + 1); }
};

/// Inputs: x, indices, source; indices and source have one shape, which agrees with x's but for the axis.
struct ScatterAdd final : Indexing {
  using Indexing::Indexing;
  std::string_view name() const override { return "scatter_add"; }
  void evaluate(std::span<const Array> inputs, const Array& output) const override {
    if (output.size == 0) return;
    detail::copy_contiguous(inputs[0], output.data);
    const Split from(*inputs[2].shape, axis), to(*output.shape, axis);
    const Contiguous<std::int64_t> indices(inputs[1]);
    dispatch(output.dtype, [&]<class T>(T) {
      const Contiguous<T> source(inputs[2]);
      const T* value = source.data();
      const std::int64_t* index = indices.data();
      for (std::int64_t o = 0; o < from.outer; ++o)
        for (std::int64_t i = 0; i < from.extent; ++i)
          for (std::int64_t j = 0; j < from.inner; ++j) {
            T& target = static_cast<T*>(output.data)[(o * to.extent + wrap(*index++, to.extent)) * to.inner + j];
            target = static_cast<T>(detail::wrapping(target) + detail::wrapping(*value++));
          }
    });
  }
  Tensor vjp(std::size_t i, const Tensor& g, std::span<const Tensor> inputs, const Tensor&) const override {
    if (i == 1) return {};
    return i == 0 ? g : take_along_axis_checked(g, inputs[1], axis);
  }
  Tensor vectorized(const detail::Batched& batched) const override { return batched.by<ScatterAdd>(axis + 1); }
};

/// Input: indices of rank 1 along an axis. For each place along it, where the last index is that names it; -1 where none does.
struct LastNaming final : GeneralOp {
  std::string_view name() const override { return "at"; }
  void evaluate(std::span<const Array> inputs, const Array& output) const override {
    const Contiguous<std::int64_t> indices(inputs[0]);
    auto* const last = output.as<std::int64_t>();
    std::fill_n(last, output.size, -1);
    for (std::int64_t i = 0; i < inputs[0].size; ++i) last[wrap(indices.data()[i], output.size)] = i;
  }
  Tensor vjp(std::size_t, const Tensor&, std::span<const Tensor>, const Tensor&) const override { return {}; }
};

Tensor take_checked(const Tensor& x, const Tensor& indices, const Shape& shape, std::size_t axis) {
  const Tensor inputs[] = {x, indices};
  return detail::record(detail::interned<Take>(axis), inputs, shape, x.dtype());
}
Tensor index_add_checked(const Tensor& x, const Tensor& indices, const Tensor& source, std::size_t axis) {
  const Tensor inputs[] = {x, indices, source};
  return detail::record(detail::interned<IndexAdd>(axis), inputs, x.shape(), x.dtype());
}
Tensor take_along_axis_checked(const Tensor& x, const Tensor& indices, std::size_t axis) {
  const Tensor inputs[] = {x, indices};
  return detail::record(detail::interned<TakeAlongAxis>(axis), inputs, indices.shape(), x.dtype());
}
Tensor scatter_add_checked(const Tensor& x, const Tensor& indices, const Tensor& source, std::size_t axis) {
  const Tensor inputs[] = {x, indices, source};
  return detail::record(detail::interned<ScatterAdd>(axis), inputs, x.shape(), x.dtype());
}

/// The indices, of which one out of range is refused at the call; where() says of what.
template <class F>
Tensor checked_indices(std::string_view op, const Tensor& indices, std::int64_t low, std::int64_t high, const F& where) {
  if (indices.dtype() != DType::int64)
    throw detail::located<std::invalid_argument>(std::string(op) + ": indices of shape " + to_string(indices.shape()) + " are " +
                                std::string(name_of(indices.dtype())) + ", not int64; convert them with to(DType::int64)");
  if (indices.size() == 0) return indices;
  return detail::check_values(op, indices, [=](const Array& array) {
    const Contiguous<std::int64_t> indices(array);
    const std::int64_t* const values = indices.data();
    for (std::int64_t i = 0; i < array.size; ++i)
      if (values[i] < low || values[i] >= high)
        throw detail::located<std::out_of_range>(std::string(op) + ": index " + std::to_string(values[i]) + " is out of range for " + where());
    return true;
  }).values;
}

/// The axis counted from the front, and the indices after a check against its extent.
std::pair<std::size_t, Tensor> checked_along(std::string_view op, const Tensor& x, const Tensor& indices, std::int64_t axis) {
  detail::check_defined(op, x);
  detail::check_defined(op, indices);
  const std::int64_t along = normalize_axis(op, axis, x.shape());
  const std::int64_t extent = x.shape(along);
  return {static_cast<std::size_t>(along), checked_indices(op, indices, -extent, extent, [along, shape = x.shape()] {
            return "axis " + std::to_string(along) + " of shape " + to_string(shape);
          })};
}

[[noreturn]] void refuse_shapes(std::string_view op, std::string_view first, const Shape& a, std::string_view second,
                                const Shape& b, std::string_view why) {
  throw detail::located<std::invalid_argument>(std::string(op) + ": " + std::string(first) + " of shape " + to_string(a) + " and " +
                              std::string(second) + " of shape " + to_string(b) + " " + std::string(why));
}

}  // namespace

Tensor detail::take_along_axis_unchecked(const Tensor& x, const Tensor& indices, std::int64_t axis) {
  return take_along_axis_checked(x, indices, static_cast<std::size_t>(axis));
}

Tensor detail::take_unchecked(const Tensor& x, const Tensor& indices) {
  Shape rows = x.shape(), shape = indices.shape();
  rows[0] = indices.size();
  for (std::size_t axis = 1; axis < rows.size(); ++axis) shape.push_back(rows[axis]);
  return reshape(take_checked(x, reshape(indices, {indices.size()}), rows, 0), shape);
}

Tensor detail::last_naming(std::string_view op, const Tensor& x, const Tensor& indices) {
  const Tensor checked = checked_along(op, x, indices, 0).second;
  return record(shared_op<LastNaming>(), {&checked, 1}, {x.shape(0)}, DType::int64);
}

Tensor take(const Located& x, const Tensor& indices, std::int64_t axis) {
  const auto [along, checked] = checked_along("take", x, indices, axis);
  Shape result(x.shape().begin(), x.shape().begin() + static_cast<std::ptrdiff_t>(along));
  for (const std::int64_t extent : indices.shape()) result.push_back(extent);
  for (std::size_t i = along + 1; i < x.dim(); ++i) result.push_back(x.shape()[i]);
  check_shape("take", result);
  Shape shape = x.shape();
  shape[along] = indices.size();
  const Tensor taken = take_checked(x, reshape(checked, {indices.size()}), shape, along);
  return reshape(taken, result);
}

Tensor take_along_axis(const Located& x, const Tensor& indices, std::int64_t axis) {
  const auto [along, checked] = checked_along("take_along_axis", x, indices, axis);
  if (indices.dim() != x.dim())
    refuse_shapes("take_along_axis", "x", x.shape(), "indices", indices.shape(), "differ in rank; use expand_dims");
  Shape from = x.shape(), to = indices.shape();
  from[along] = to[along] = 1;
  Shape shape = broadcast_shapes("take_along_axis", from, to);
  from = to = shape;
  from[along] = x.shape()[along];
  shape[along] = indices.shape()[along];
  return take_along_axis_checked(broadcast_to(x, from), broadcast_to(checked, shape), along);
}

Tensor index_add(const Located& x, const Tensor& indices, const Located& source, std::int64_t axis) {
  const auto [along, checked] = checked_along("index_add", x, indices, axis);
  detail::check_defined("index_add", source);
  if (indices.dim() != 1)
    refuse_shapes("index_add", "indices", indices.shape(), "x", x.shape(), "do not go together; indices must have rank 1");
  Shape expected = x.shape();
  expected[along] = indices.size();
  if (source.shape() != expected)
    refuse_shapes("index_add", "a source", source.shape(), "x", x.shape(), "do not go together; it must be " + to_string(expected));
  const DType dtype = promote(x.dtype(), source.dtype());
  return index_add_checked(x.to(dtype), checked, source.to(dtype), along);
}

Tensor scatter_add(const Located& x, const Tensor& indices, const Located& source, std::int64_t axis) {
  const auto [along, checked] = checked_along("scatter_add", x, indices, axis);
  detail::check_defined("scatter_add", source);
  if (source.shape() != indices.shape())
    refuse_shapes("scatter_add", "a source", source.shape(), "indices", indices.shape(), "differ");
  Shape expected = x.shape();
  if (indices.dim() == x.dim()) expected[along] = indices.shape()[along];
  if (indices.shape() != expected)
    refuse_shapes("scatter_add", "indices", indices.shape(), "x", x.shape(), "differ beside the axis");
  const DType dtype = promote(x.dtype(), source.dtype());
  return scatter_add_checked(x.to(dtype), checked, source.to(dtype), along);
}

Tensor one_hot(const Tensor& indices, std::int64_t n, DType dtype) {
  detail::check_defined("one_hot", indices);
  if (n < 0) throw detail::located<std::invalid_argument>("one_hot: " + std::to_string(n) + " classes");
  Shape result = indices.shape();
  result.push_back(n);
  check_shape("one_hot", result);
  const Tensor checked = checked_indices("one_hot", indices, 0, n, [n] { return std::to_string(n) + " classes"; });
  const Tensor classes = arange(0, static_cast<double>(n), 1, DType::int64);
  return equal(expand_dims(checked, -1), classes).to(dtype);
}

}  // namespace xgrad
