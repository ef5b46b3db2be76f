#include <algorithm>
#include <autodiff/ops/batching.hpp>
#include <autodiff/ops/shape.hpp>
#include <autodiff/ops/support.hpp>
#include <autodiff/ops/transposed.hpp>
#include <autodiff/core/tape.hpp>
#include <numeric>
#include <stdexcept>
#include <typeinfo>

namespace xgrad {
namespace {

using detail::Value;
using detail::check_defined;
using detail::record_view;

/// Strides under which the elements of `input` read as `shape` without a copy, where there are any: each run of axes that
/// lies evenly in memory may be divided anew, as NumPy does.
bool reshaped_strides(const Shape& input_shape, const Strides& input_strides, const Shape& shape, Strides& strides) {
  strides = Strides(shape.size(), 0);
  if (size_of(shape) == 0) return true;
  Shape extents;
  Strides steps;
  for (std::size_t i = 0; i < input_shape.size(); ++i)
    if (input_shape[i] != 1) {
      extents.push_back(input_shape[i]);
      steps.push_back(input_strides[i]);
    }
  std::size_t i = 0, k = 0;
  while (i < extents.size() || k < shape.size()) {
    std::size_t i_end = i, k_end = k;
    std::int64_t from = 1, to = 1;
    if (i < extents.size()) from = extents[i_end++];
    if (k < shape.size()) to = shape[k_end++];
    while (from != to) {
      if (from < to) from *= extents[i_end++];
      else to *= shape[k_end++];
    }
    for (std::size_t axis = i; axis + 1 < i_end; ++axis)
      if (steps[axis] != steps[axis + 1] * extents[axis + 1]) return false;
    std::int64_t step = i_end > i ? steps[i_end - 1] : 1;
    for (std::size_t axis = k_end; axis-- > k;) {
      strides[axis] = step;
      step *= shape[axis];
    }
    i = i_end;
    k = k_end;
  }
  return true;
}

struct Reshape final : ViewOp {
  std::string_view name() const override { return "reshape"; }
  bool view(const Shape& input_shape, const Value& input, const Shape& shape, Value& output) const override {
    output.offset = input.offset;
    return reshaped_strides(input_shape, input.strides, shape, output.strides);
  }
  Tensor vjp(std::size_t, const Tensor& g, std::span<const Tensor> inputs, const Tensor&) const override {
    return reshape(g, inputs[0].shape());
  }
  detail::Support cotangent_support(std::size_t, const detail::Support& g, std::span<const Tensor> inputs, const Tensor& y) const override {
    if (!g.is_restricted()) return {};
    const Tensor& mask = detail::mask_of(g);
    const Shape &from = y.shape(), &to = inputs[0].shape();
    // Rows that count as a whole, or not at all, stay so where leading axes are joined or divided.
    const bool keeps_rows = !from.empty() && !to.empty() && from.back() == to.back() && from.back() != 0 && mask.shape().back() == 1;
    const auto rows = [&](Shape shape) {
      if (keeps_rows) shape.back() = 1;
      return shape;
    };
    return {reshape(broadcast_to(mask, rows(from)), rows(to))};
  }
  Tensor vectorized(const detail::Batched& batched) const override { return reshape(batched.input(0), batched.of_all()); }
};

Tensor permute(const Tensor& x, AxisList order);

struct Permute final : ViewOp {
  explicit Permute(AxisList axes) : axes(std::move(axes)) {}
  bool operator==(const Permute& other) const { return axes == other.axes; }
  std::string_view name() const override { return "transpose"; }
  bool view(const Shape&, const Value& input, const Shape&, Value& output) const override {
    output.offset = input.offset;
    output.strides = Strides(axes.size());
    for (std::size_t i = 0; i < axes.size(); ++i) output.strides[i] = input.strides[static_cast<std::size_t>(axes[i])];
    return true;
  }
  Tensor vjp(std::size_t, const Tensor& g, std::span<const Tensor>, const Tensor&) const override {
    AxisList inverse(axes.size());
    for (std::size_t i = 0; i < axes.size(); ++i) inverse[static_cast<std::size_t>(axes[i])] = static_cast<std::int64_t>(i);
    return permute(g, std::move(inverse));
  }
  detail::Support cotangent_support(std::size_t i, const detail::Support& g, std::span<const Tensor> inputs, const Tensor& y) const override {
    return g.is_restricted() ? detail::Support{vjp(i, detail::mask_of(g), inputs, y)} : g;
  }
  Tensor vectorized(const detail::Batched& batched) const override {
    AxisList order{0};
    for (const std::int64_t axis : axes) order.push_back(axis + 1);
    return permute(batched.input(0), std::move(order));
  }

  AxisList axes;
};

/// The axes by which `x` was recorded as a transpose of another tensor, if it was and gradients do not stop there.
const Permute* recorded_transpose(const Tensor& x) {
  const detail::Node& node = *x.node();
  const Op* op = node.op.get();
  if (!op || typeid(*op) != typeid(Permute)) return nullptr;
  return node.requires_grad == node.inputs.span()[0].node()->requires_grad ? static_cast<const Permute*>(op) : nullptr;
}

struct BroadcastTo final : ViewOp {
  std::string_view name() const override { return "broadcast_to"; }
  bool view(const Shape& input_shape, const Value& input, const Shape& shape, Value& output) const override {
    const std::size_t missing = shape.size() - input_shape.size();
    output.offset = input.offset;
    output.strides = Strides(shape.size(), 0);
    for (std::size_t i = 0; i < input_shape.size(); ++i)
      if (input_shape[i] != 1) output.strides[missing + i] = input.strides[i];
    return true;
  }
  Tensor vjp(std::size_t, const Tensor& g, std::span<const Tensor>, const Tensor&) const override { return g; }
  detail::Support cotangent_support(std::size_t, const detail::Support& g, std::span<const Tensor>, const Tensor&) const override { return g; }
  Tensor vectorized(const detail::Batched& batched) const override { return broadcast_to(batched.aligned(0, batched.shape().size()), batched.of_all()); }
};

/// Axis i of the result is axis order[i] of x.
Tensor permute(const Tensor& x, AxisList order) {
  if (std::is_sorted(order.begin(), order.end())) return x;
  if (const Permute* first = recorded_transpose(x)) {
    // Back again: the tensor of before, but not a leaf, which could be assigned to through the result.
    const Tensor& before = std::as_const(x.node()->inputs).span()[0];
    bool restores = before.node()->op && (grad_enabled() || !before.node()->requires_grad);
    for (std::size_t i = 0; i < order.size(); ++i)
      restores = restores && first->axes[static_cast<std::size_t>(order[i])] == static_cast<std::int64_t>(i);
    if (restores) return before;
  }
  Shape shape(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) shape[i] = x.shape()[static_cast<std::size_t>(order[i])];
  return record_view(detail::interned<Permute>(std::move(order)), x, std::move(shape));
}

Tensor reshape_as(std::string_view op, const Tensor& x, Shape shape) {
  if (shape == x.shape()) return x;
  if (size_of(shape) != x.size())
    throw detail::located<std::invalid_argument>(std::string(op) + ": " + to_string(x.shape()) + " has " + std::to_string(x.size()) +
                                " elements, " + to_string(shape) + " has " + std::to_string(size_of(shape)));
  return record_view(detail::shared_op<Reshape>(), x, std::move(shape));
}

}  // namespace

Tensor reshape(const Located& x, const Shape& shape) {
  check_defined("reshape", x);
  Shape target = shape;
  const auto unknown = std::find(target.begin(), target.end(), -1);
  if (unknown != target.end()) {
    *unknown = 1;
    const auto fail = [&](const std::string& why) {
      throw detail::located<std::invalid_argument>("reshape: " + to_string(x.shape()) + " does not fit " + to_string(shape) + ": " + why);
    };
    if (std::find(target.begin(), target.end(), -1) != target.end()) fail("only one extent may be -1");
    check_shape("reshape", target);
    const std::int64_t known = size_of(target);
    if (known == 0) fail("-1 could be anything beside an extent of 0");
    if (x.size() % known != 0) fail(std::to_string(x.size()) + " elements do not divide by " + std::to_string(known));
    *unknown = x.size() / known;
  }
  check_shape("reshape", target);
  return reshape_as("reshape", x, std::move(target));
}

Tensor transpose(const Located& x, const std::vector<std::int64_t>& axes) {
  check_defined("transpose", x);
  AxisList order;
  for (const std::int64_t axis : axes) order.push_back(normalize_axis("transpose", axis, x.shape()));
  AxisList sorted = order;
  std::sort(sorted.begin(), sorted.end());
  if (order.size() != x.dim() || std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end())
    throw detail::located<std::invalid_argument>("transpose: " + std::to_string(axes.size()) + " axes given for shape " + to_string(x.shape()) +
                                "; each of its " + std::to_string(x.dim()) + " axes must be named once");
  return permute(x, std::move(order));
}

Tensor transpose(const Located& x) {
  check_defined("transpose", x);
  AxisList order(x.dim());
  std::iota(order.rbegin(), order.rend(), 0);
  return permute(x, std::move(order));
}

Tensor matrix_transpose(const Located& x) {
  check_defined("matrix_transpose", x);
  if (x.dim() < 2)
    throw detail::located<std::invalid_argument>("matrix_transpose: shape " + to_string(x.shape()) + " has fewer than two axes");
  AxisList order(x.dim());
  std::iota(order.begin(), order.end(), 0);
  std::swap(order[order.size() - 1], order[order.size() - 2]);
  return permute(x, std::move(order));
}

Tensor detail::before_transpose(const Tensor& x) {
  const Permute* op = recorded_transpose(x);
  if (!op) return {};
  const std::size_t rank = op->axes.size();
  for (std::size_t i = 0; i < rank; ++i) {
    const std::size_t from = i + 2 < rank ? i : 2 * rank - 3 - i;
    if (op->axes[i] != static_cast<std::int64_t>(from)) return {};
  }
  return std::as_const(x.node()->inputs).span()[0];
}

Tensor broadcast_to(const Located& x, const Shape& shape) {
  check_defined("broadcast_to", x);
  check_shape("broadcast_to", shape);
  if (x.shape() == shape) return x;
  const Shape& from = x.shape();
  bool fits = from.size() <= shape.size();
  for (std::size_t i = 0; fits && i < from.size(); ++i)
    fits = from[i] == 1 || from[i] == shape[shape.size() - from.size() + i];
  if (!fits)
    throw detail::located<std::invalid_argument>("broadcast_to: " + to_string(from) + " does not broadcast to " + to_string(shape));
  return record_view(detail::shared_op<BroadcastTo>(), x, shape);
}

Tensor squeeze(const Located& x, const Axes& axes) {
  check_defined("squeeze", x);
  AxisList drop(x.dim(), 0);
  if (axes.all()) {
    for (std::size_t i = 0; i < x.dim(); ++i) drop[i] = x.shape()[i] == 1 ? 1 : 0;
  } else {
    for (const std::int64_t axis : axes.normalize("squeeze", x.shape())) {
      const auto i = static_cast<std::size_t>(axis);
      if (x.shape()[i] != 1)
        throw detail::located<std::invalid_argument>("squeeze: axis " + std::to_string(axis) + " of shape " + to_string(x.shape()) +
                                    " has extent " + std::to_string(x.shape()[i]) + ", not 1");
      drop[i] = 1;
    }
  }
  Shape shape;
  for (std::size_t i = 0; i < x.dim(); ++i)
    if (drop[i] == 0) shape.push_back(x.shape()[i]);
  return reshape_as("squeeze", x, std::move(shape));
}

Tensor expand_dims(const Located& x, const Axes& axes) {
  check_defined("expand_dims", x);
  if (axes.all())
    throw detail::located<std::invalid_argument>("expand_dims: no axes given for shape " + to_string(x.shape()) + "; name where they go");
  const AxisList places = axes.normalize("expand_dims", x.dim() + axes.count());
  Shape shape;
  for (std::size_t i = 0, next = 0, from = 0; i < x.dim() + places.size(); ++i) {
    const bool is_new = next < places.size() && places[next] == static_cast<std::int64_t>(i);
    if (is_new) ++next;
    shape.push_back(is_new ? 1 : x.shape()[from++]);
  }
  return reshape_as("expand_dims", x, std::move(shape));
}

Tensor flatten(const Located& x, std::int64_t start_axis) {
  check_defined("flatten", x);
  if (x.dim() == 0) {
    if (start_axis != 0 && start_axis != -1)
      throw detail::located<std::invalid_argument>("flatten: axis " + std::to_string(start_axis) + " is out of range for shape ()");
    return reshape_as("flatten", x, {1});
  }
  const auto start = static_cast<std::size_t>(normalize_axis("flatten", start_axis, x.shape()));
  Shape shape(x.shape().begin(), x.shape().begin() + static_cast<std::ptrdiff_t>(start));
  std::int64_t rest = 1;
  for (std::size_t i = start; i < x.dim(); ++i) rest *= x.shape()[i];
  shape.push_back(rest);
  return reshape_as("flatten", x, std::move(shape));
}

}  // namespace xgrad
