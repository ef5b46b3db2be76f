#include <algorithm>
#include <autodiff/ops/create.hpp>
#include <autodiff/ops/elementwise.hpp>
#include <autodiff/ops/rearrange.hpp>
#include <autodiff/ops/reduce.hpp>
#include <autodiff/ops/shape.hpp>
#include <autodiff/core/tape.hpp>
#include <numeric>
#include <stdexcept>

namespace xgrad {
namespace {

using detail::check_defined;
using detail::checked_axis;
using xt::placeholders::_;

/// The most parts into which an axis of nothing is split.
constexpr std::int64_t most_empty_parts = 1 << 16;

/// A range along one axis, everything of the others.
Tensor along(const Tensor& x, std::size_t axis, const Slice& range) {
  std::vector<Slice> slices(x.dim(), Slice(xt::all()));
  slices[axis] = range;
  return x.slice(slices);
}

[[noreturn]] void refuse(const std::string& what, const Tensor& x) {
  throw detail::located<std::invalid_argument>(what + ", shape " + to_string(x.shape()));
}

void check_matrices(std::string_view op, const Tensor& x) {
  check_defined(op, x);
  if (x.dim() < 2) refuse(std::string(op) + ": matrices have at least two axes", x);
}

/// Where row + offset <= column or, below it, the other way round; of the last two axes.
Tensor triangle(const Tensor& x, std::int64_t offset, bool lower) {
  offset = std::clamp(offset, -x.shape(-2), x.shape(-1));  // beyond that nothing changes
  const Tensor rows = expand_dims(arange(0, static_cast<double>(x.shape(-2)), 1, DType::int64), -1) + offset;
  const Tensor columns = arange(0, static_cast<double>(x.shape(-1)), 1, DType::int64);
  return where(lower ? rows >= columns : rows <= columns, x, zeros({}, x.dtype()));
}

}  // namespace

Tensor flip(const Located& x, const Axes& axes) {
  check_defined("flip", x);
  std::vector<Slice> slices(x.dim(), Slice(xt::all()));
  for (const std::int64_t axis : axes.normalize("flip", x.shape())) slices[static_cast<std::size_t>(axis)] = Slice(xt::range(_, _, -1));
  return x.tensor().slice(slices);
}

Tensor roll(const Located& x, std::int64_t shift, std::int64_t axis) {
  const std::size_t at = checked_axis("roll", x, axis);
  const std::int64_t extent = x.shape()[at];
  if (extent == 0) return x;
  const std::int64_t cut = (extent - shift % extent) % extent;
  if (cut == 0) return x;
  return concatenate({along(x, at, Slice(xt::range(cut, extent))), along(x, at, Slice(xt::range(0, cut)))}, axis);
}

Tensor roll(const Located& x, std::int64_t shift) {
  check_defined("roll", x);
  return reshape(roll(flatten(x), shift, 0), x.shape());
}

Tensor repeat(const Located& x, std::int64_t repeats, std::int64_t axis) {
  const std::size_t at = checked_axis("repeat", x, axis);
  if (repeats < 0) refuse("repeat: " + std::to_string(repeats) + " repeats", x);
  Shape wide = x.shape(), result = x.shape();
  wide.insert(wide.begin() + static_cast<std::ptrdiff_t>(at) + 1, repeats);
  result[at] = multiply_sizes("repeat", result[at], repeats);
  check_shape("repeat", result);
  return reshape(broadcast_to(expand_dims(x, static_cast<std::int64_t>(at) + 1), wide), result);
}

Tensor tile(const Located& x, const std::vector<std::int64_t>& counts) {
  check_defined("tile", x);
  const std::size_t rank = std::max(x.dim(), counts.size());
  Shape from, wide, result;
  for (std::size_t i = 0; i < rank; ++i) {
    const std::int64_t extent = i + x.dim() < rank ? 1 : x.shape()[i + x.dim() - rank];
    const std::int64_t count = i + counts.size() < rank ? 1 : counts[i + counts.size() - rank];
    if (count < 0) refuse("tile: " + std::to_string(count) + " tiles along an axis", x);
    from.push_back(1);
    from.push_back(extent);
    wide.push_back(count);
    wide.push_back(extent);
    result.push_back(multiply_sizes("tile", count, extent));
  }
  check_shape("tile", result);
  return reshape(broadcast_to(reshape(x, from), wide), result);
}

Tensor moveaxis(const Located& x, std::int64_t source, std::int64_t destination) {
  const auto from = static_cast<std::ptrdiff_t>(checked_axis("moveaxis", x, source));
  const auto to = static_cast<std::ptrdiff_t>(checked_axis("moveaxis", x, destination));
  std::vector<std::int64_t> axes(x.dim());
  std::iota(axes.begin(), axes.end(), 0);
  axes.erase(axes.begin() + from);
  axes.insert(axes.begin() + to, from);
  return transpose(x, axes);
}

Tensor swapaxes(const Located& x, std::int64_t a, std::int64_t b) {
  const std::size_t first = checked_axis("swapaxes", x, a), second = checked_axis("swapaxes", x, b);
  std::vector<std::int64_t> axes(x.dim());
  std::iota(axes.begin(), axes.end(), 0);
  std::swap(axes[first], axes[second]);
  return transpose(x, axes);
}

std::vector<Tensor> split(const Located& x, std::int64_t parts, std::int64_t axis) {
  const std::size_t at = checked_axis("split", x, axis);
  if (parts <= 0 || x.shape()[at] % parts != 0) refuse("split: " + std::to_string(parts) + " equal parts along axis " + std::to_string(at), x);
  if (parts > std::max(x.shape()[at], most_empty_parts))
    refuse("split: an empty axis makes at most " + std::to_string(most_empty_parts) + " parts, not " + std::to_string(parts), x);
  std::vector<std::int64_t> indices;
  for (std::int64_t i = 1; i < parts; ++i) indices.push_back(i * (x.shape()[at] / parts));
  return split(x, indices, axis);
}

std::vector<Tensor> split(const Located& x, const std::vector<std::int64_t>& indices, std::int64_t axis) {
  const std::size_t at = checked_axis("split", x, axis);
  std::vector<Tensor> result;
  std::int64_t first = 0;
  for (const std::int64_t index : indices) {
    result.push_back(along(x, at, Slice(xt::range(first, index))));
    first = index;
  }
  result.push_back(along(x, at, Slice(xt::range(first, _))));
  return result;
}

Tensor pad(const Located& x, const std::vector<std::pair<std::int64_t, std::int64_t>>& widths, PadMode mode, double value) {
  check_defined("pad", x);
  if (widths.size() > x.dim()) refuse("pad: " + std::to_string(widths.size()) + " pairs of widths", x);
  Tensor result = x;
  Shape padded = x.shape();
  for (std::size_t i = 0; i < widths.size(); ++i) {
    const std::size_t at = x.dim() - widths.size() + i;
    const auto axis = static_cast<std::int64_t>(at);
    const auto [before, after] = widths[i];
    const std::int64_t extent = x.shape()[at];
    padded[at] = add_sizes("pad", add_sizes("pad", std::max<std::int64_t>(before, 0), std::max<std::int64_t>(after, 0)), extent);
    if (before < 0 || after < 0) refuse("pad: a negative width along axis " + std::to_string(at), x);
    if ((mode == PadMode::reflect && std::max(before, after) >= std::max<std::int64_t>(extent, 1)) ||
        (mode == PadMode::edge && extent == 0 && padded[at] > 0))
      refuse("pad: axis " + std::to_string(at) + " is too short for (" + std::to_string(before) + ", " + std::to_string(after) + ")", x);
    check_shape("pad", padded);
    const auto side = [&](std::int64_t width, bool front) {
      Shape shape = result.shape();
      shape[at] = width;
      if (mode == PadMode::constant) return full(shape, value, x.dtype());
      if (mode == PadMode::edge) return broadcast_to(along(result, at, front ? Slice(xt::range(0, 1)) : Slice(xt::range(extent - 1, extent))), shape);
      return flip(along(result, at, front ? Slice(xt::range(1, 1 + width)) : Slice(xt::range(extent - 1 - width, extent - 1))), axis);
    };
    std::vector<Tensor> parts;
    if (before > 0) parts.push_back(side(before, true));
    parts.push_back(result);
    if (after > 0) parts.push_back(side(after, false));
    if (parts.size() > 1) result = concatenate(parts, axis);
  }
  return result;
}

Tensor diagonal(const Located& x, std::int64_t offset, std::int64_t axis1, std::int64_t axis2) {
  check_matrices("diagonal", x);
  const auto first = static_cast<std::int64_t>(checked_axis("diagonal", x, axis1)), second = static_cast<std::int64_t>(checked_axis("diagonal", x, axis2));
  if (first == second) refuse("diagonal: axis " + std::to_string(first) + " is given twice", x);
  std::vector<std::int64_t> axes;
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(x.dim()); ++i)
    if (i != first && i != second) axes.push_back(i);
  axes.push_back(first);
  axes.push_back(second);
  const Tensor matrices = transpose(x, axes);
  const std::int64_t n = matrices.shape(-2), m = matrices.shape(-1);
  const std::int64_t count = std::max<std::int64_t>(0, offset >= 0 ? std::min(n, m - offset) : std::min(n + offset, m));
  Shape flat(matrices.shape().begin(), matrices.shape().end() - 2);
  flat.push_back(n * m);
  const Tensor elements = reshape(matrices, flat);
  if (count == 0) return along(elements, flat.size() - 1, Slice(xt::range(0, 0)));  // also where no element has the offset
  const std::int64_t start = offset >= 0 ? offset : -offset * m;
  return along(elements, flat.size() - 1, Slice(xt::range(start, start + (count - 1) * (m + 1) + 1, m + 1)));
}

Tensor trace(const Located& x, std::int64_t offset, std::int64_t axis1, std::int64_t axis2) {
  check_matrices("trace", x);
  return sum(diagonal(x, offset, axis1, axis2), -1);
}

Tensor diag(const Located& x, std::int64_t offset) {
  check_defined("diag", x);
  if (x.dim() == 2) return diagonal(x, offset);
  if (x.dim() != 1) refuse("diag: of vectors and matrices", x);
  // Rows one element longer than those of the matrix, each with a value in front: read in rows of the matrix, the values
  // lie on its diagonal.
  const std::int64_t n = offset >= 0 ? add_sizes("diag", x.shape()[0], offset) : add_sizes("diag", x.shape()[0], multiply_sizes("diag", offset, -1));
  check_shape("diag", {n, n});
  const std::int64_t start = offset >= 0 ? offset : -offset * n;
  const Tensor rows = pad(expand_dims(x, -1), {{0, n}});
  return reshape(along(pad(flatten(rows), {{start, n * n}}), 0, Slice(xt::range(0, n * n))), {n, n});
}

Tensor tril(const Located& x, std::int64_t offset) {
  check_matrices("tril", x);
  return triangle(x, offset, true);
}

Tensor triu(const Located& x, std::int64_t offset) {
  check_matrices("triu", x);
  return triangle(x, offset, false);
}

}  // namespace xgrad
