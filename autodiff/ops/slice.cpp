#include <algorithm>
#include <autodiff/ops/batching.hpp>
#include <autodiff/core/evaluator.hpp>
#include <autodiff/kernels/tiles.hpp>
#include <autodiff/ops/indexing.hpp>
#include <autodiff/ops/support.hpp>
#include <autodiff/core/tape.hpp>
#include <cstring>
#include <stdexcept>

namespace xgrad {
namespace {

using detail::Array;
using detail::Value;

/// A slice resolved against a shape: each axis of the result steps along an axis of the source, or is new.
struct Selection {
  Shape source;                      ///< the shape sliced
  Shape shape;                       ///< of the result
  Strides axes;   ///< of the source, for each axis of the result; -1 for a new one
  Strides steps;
  Strides first;  ///< for each axis of the source

  bool operator==(const Selection&) const = default;
  auto members() const { return std::tie(source, shape, axes, steps, first); }
  /// Offset and strides of the result within values of the source's shape.
  void apply(const Strides& from, std::int64_t& offset, Strides& strides) const {
    for (std::size_t i = 0; i < first.size(); ++i) offset += first[i] * from[i];
    strides = Strides(axes.size());
    for (std::size_t i = 0; i < axes.size(); ++i)
      strides[i] = axes[i] < 0 ? 0 : steps[i] * from[static_cast<std::size_t>(axes[i])];
  }
};

/// Selects the part of each element of a batch.
Selection behind_batch(const Selection& selection, std::int64_t count);
Tensor embed(const Tensor& g, const Selection& selection);
/// The support of an embedded cotangent.
detail::Support embed(const detail::Support& g, const Selection& selection);

struct SliceView final : ViewOp {
  explicit SliceView(Selection selection) : selection(std::move(selection)) {}
  bool operator==(const SliceView& other) const { return selection == other.selection; }
  std::string_view name() const override { return "slice"; }
  bool view(const Shape&, const Value& input, const Shape&, Value& output) const override {
    output.offset = input.offset;
    selection.apply(input.strides, output.offset, output.strides);
    return true;
  }
  Tensor vjp(std::size_t, const Tensor& g, std::span<const Tensor>, const Tensor&) const override {
    return embed(g, selection);
  }
  detail::Support cotangent_support(std::size_t, const detail::Support& g, std::span<const Tensor>, const Tensor&) const override {
    return embed(g, selection);
  }
  Tensor vectorized(const detail::Batched& batched) const override {
    return detail::record_view(detail::interned<SliceView>(behind_batch(selection, batched.count())), batched.input(0), batched.of_all());
  }

  Selection selection;
};

/// The transpose of a slice: zeros of the source's shape with the values where the slice lies.
struct Embed final : GeneralOp {
  explicit Embed(Selection selection) : selection(std::move(selection)) {}
  bool operator==(const Embed& other) const { return selection == other.selection; }
  std::string_view name() const override { return "slice"; }
  void evaluate(std::span<const Array> inputs, const Array& output) const override {
    const std::size_t bytes = size_of(output.dtype);
    std::memset(output.data, 0, static_cast<std::size_t>(output.size) * bytes);
    if (inputs[0].size == 0) return;
    std::int64_t offset = 0;
    Strides strides;
    selection.apply(*output.strides, offset, strides);
    detail::copy_strided(inputs[0], static_cast<std::byte*>(output.data) + offset * static_cast<std::int64_t>(bytes), strides);
  }
  Tensor vjp(std::size_t, const Tensor& g, std::span<const Tensor>, const Tensor&) const override {
    return detail::record_view(detail::interned<SliceView>(selection), g, selection.shape);
  }
  detail::Support cotangent_support(std::size_t i, const detail::Support& g, std::span<const Tensor> inputs, const Tensor& y) const override {
    return g.is_restricted() ? detail::Support{vjp(i, detail::full_mask(g, y.shape()), inputs, y)} : g;
  }
  Tensor vectorized(const detail::Batched& batched) const override { return embed(batched.input(0), behind_batch(selection, batched.count())); }

  Selection selection;
};

Tensor embed(const Tensor& g, const Selection& selection) {
  return detail::record(detail::interned<Embed>(selection), std::span(&g, 1), selection.source, g.dtype());
}

detail::Support embed(const detail::Support& g, const Selection& selection) {
  if (g.is_restricted()) return {embed(detail::full_mask(g, selection.shape), selection)};
  // Along each axis some indices are taken; an axis taken whole needs no extent of its own.
  Shape shape(selection.source.size(), 1);
  std::vector<std::vector<bool>> taken(selection.source.size());
  for (std::size_t axis = 0; axis < taken.size(); ++axis) {
    taken[axis].assign(static_cast<std::size_t>(selection.source[axis]), false);
    const auto at = std::find(selection.axes.begin(), selection.axes.end(), static_cast<std::int64_t>(axis));
    const bool is_range = at != selection.axes.end();
    const std::size_t of_result = static_cast<std::size_t>(at - selection.axes.begin());
    const std::int64_t count = is_range ? selection.shape[of_result] : 1, step = is_range ? selection.steps[of_result] : 0;
    for (std::int64_t i = 0; i < count; ++i) taken[axis][static_cast<std::size_t>(selection.first[axis] + i * step)] = true;
    if (std::find(taken[axis].begin(), taken[axis].end(), false) != taken[axis].end()) shape[axis] = selection.source[axis];
    else taken[axis].assign(1, true);
  }
  std::vector<char> holds(static_cast<std::size_t>(size_of(shape)), true);
  for (std::size_t i = 0; i < holds.size(); ++i) {
    std::size_t rest = i;
    for (std::size_t axis = shape.size(); axis-- > 0; rest /= static_cast<std::size_t>(shape[axis]))
      holds[i] = holds[i] && taken[axis][rest % static_cast<std::size_t>(shape[axis])];
  }
  return detail::constant_support(shape, holds);
}

Selection behind_batch(const Selection& selection, std::int64_t count) {
  const auto with_first = [](std::int64_t first, const auto& rest) {
    std::remove_cvref_t<decltype(rest)> all{first};
    for (const std::int64_t value : rest) all.push_back(value);
    return all;
  };
  Strides axes{0};
  for (const std::int64_t axis : selection.axes) axes.push_back(axis < 0 ? axis : axis + 1);
  return {with_first(count, selection.source), with_first(count, selection.shape), axes, with_first(1, selection.steps), with_first(0, selection.first)};
}

/// First position, number and step of a range along an axis, as Python resolves it.
void resolve(const Slice& slice, std::int64_t extent, std::int64_t& first, std::int64_t& size, std::int64_t& step) {
  step = slice.step.value_or(1);
  if (step == 0) throw detail::located<std::invalid_argument>("slice: the step of a range is 0");
  const std::int64_t lowest = step > 0 ? 0 : -1, highest = step > 0 ? extent : extent - 1;
  const auto clamp = [&](std::int64_t at) { return std::clamp(at < 0 ? at + extent : at, lowest, highest); };
  first = slice.start ? clamp(*slice.start) : step > 0 ? lowest : highest;
  const std::int64_t stop = slice.stop ? clamp(*slice.stop) : step > 0 ? highest : lowest;
  const std::int64_t distance = step > 0 ? stop - first : first - stop;
  const std::uint64_t stride = step > 0 ? static_cast<std::uint64_t>(step) : 0 - static_cast<std::uint64_t>(step);
  size = distance > 0 ? 1 + static_cast<std::int64_t>(static_cast<std::uint64_t>(distance - 1) / stride) : 0;
  if (size == 0) first = 0;
  if (size <= 1) step = 1;  // never taken, and may be too large to multiply
}

Selection select(const Shape& source, const std::vector<Slice>& slices) {
  std::size_t consumed = 0;
  bool ellipsis = false;
  for (const Slice& slice : slices) {
    if (slice.kind == Slice::Kind::ellipsis && std::exchange(ellipsis, true))
      throw detail::located<std::invalid_argument>("slice: more than one ellipsis for shape " + to_string(source));
    if (slice.kind != Slice::Kind::newaxis && slice.kind != Slice::Kind::ellipsis) ++consumed;
  }
  if (consumed > source.size())
    throw detail::located<std::invalid_argument>("slice: " + std::to_string(consumed) + " entries for shape " + to_string(source));

  Selection selection;
  selection.source = source;
  selection.first = Strides(source.size(), 0);
  std::size_t axis = 0;
  const auto keep = [&](std::int64_t from, std::int64_t size, std::int64_t step) {
    selection.axes.push_back(from);
    selection.shape.push_back(size);
    selection.steps.push_back(step);
  };
  const auto keep_all = [&] {
    keep(static_cast<std::int64_t>(axis), source[axis], 1);
    ++axis;
  };
  for (const Slice& slice : slices) switch (slice.kind) {
      case Slice::Kind::newaxis: keep(-1, 1, 0); break;
      case Slice::Kind::all: keep_all(); break;
      case Slice::Kind::ellipsis:
        for (std::size_t n = source.size() - consumed; n > 0; --n) keep_all();
        break;
      case Slice::Kind::index: {
        const std::int64_t extent = source[axis];
        if (slice.index < -extent || slice.index >= extent)
          throw detail::located<std::out_of_range>("slice: index " + std::to_string(slice.index) + " is out of range for axis " +
                                  std::to_string(axis) + " of shape " + to_string(source));
        selection.first[axis++] = slice.index < 0 ? slice.index + extent : slice.index;
        break;
      }
      case Slice::Kind::range: {
        std::int64_t first, size, step;
        resolve(slice, source[axis], first, size, step);
        keep(static_cast<std::int64_t>(axis), size, step);
        selection.first[axis++] = first;
        break;
      }
    }
  while (axis < source.size()) keep_all();
  return selection;
}

}  // namespace

Tensor detail::embed_slice(const Tensor& values, const Tensor& x, const std::vector<Slice>& slices) {
  return embed(values, select(x.shape(), slices));
}

Tensor Tensor::slice(const std::vector<Slice>& slices) const {
  detail::check_defined("slice", *this);
  const Shape& source = shape();
  Selection selection = select(source, slices);
  if (selection.shape == source && std::is_sorted(selection.axes.begin(), selection.axes.end()) &&
      std::all_of(selection.steps.begin(), selection.steps.end(), [](std::int64_t step) { return step == 1; }))
    return *this;  // everything, as it is
  Shape result = selection.shape;
  return detail::record_view(detail::interned<SliceView>(std::move(selection)), *this, std::move(result));
}

}  // namespace xgrad
