#include <algorithm>
#include <autodiff/core/call_site.hpp>
#include <autodiff/core/shape.hpp>
#include <numeric>
#include <stdexcept>

namespace xgrad {

std::string to_string(const Shape& shape) {
  std::string text = "(";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) text += ", ";
    text += std::to_string(shape[i]);
  }
  return text + (shape.size() == 1 ? ",)" : ")");
}

bool is_contiguous(const Shape& shape, const Strides& strides) {
  std::int64_t step = 1;
  for (std::size_t i = shape.size(); i-- > 0;) {
    if (shape[i] == 0) return true;
    if (shape[i] != 1 && strides[i] != step) return false;
    step *= shape[i];
  }
  return true;
}

Strides contiguous_strides(const Shape& shape) {
  Strides strides(shape.size());
  std::int64_t step = 1;
  for (std::size_t i = shape.size(); i-- > 0;) {
    strides[i] = step;
    step *= std::max<std::int64_t>(shape[i], 1);
  }
  return strides;
}

Shape broadcast_shapes(std::string_view op, const Shape& a, const Shape& b) {
  if (a == b) return a;
  const Shape& longer = a.size() >= b.size() ? a : b;
  const Shape& shorter = a.size() >= b.size() ? b : a;
  const std::size_t missing = longer.size() - shorter.size();
  Shape result = longer;
  for (std::size_t i = 0; i < shorter.size(); ++i) {
    std::int64_t& extent = result[missing + i];
    if (extent == 1) extent = shorter[i];
    else if (shorter[i] != 1 && shorter[i] != extent)
      throw detail::located<std::invalid_argument>(std::string(op) + ": shapes " + to_string(a) + " and " + to_string(b) +
                                  " do not broadcast: axis " +
                                  std::to_string(static_cast<std::int64_t>(i) - static_cast<std::int64_t>(shorter.size())) +
                                  " has extents " + std::to_string(a[a.size() - shorter.size() + i]) + " and " +
                                  std::to_string(b[b.size() - shorter.size() + i]));
  }
  if (!detail::is_valid(result))
    throw detail::located<std::invalid_argument>(std::string(op) + ": shapes " + to_string(a) + " and " + to_string(b) + " broadcast to " + to_string(result) +
                                ", which has too many elements; a tensor has at most 2^59");
  return result;
}

namespace {

[[noreturn]] void refuse_sizes(std::string_view op, std::int64_t a, std::string_view sign, std::int64_t b) {
  throw detail::located<std::invalid_argument>(std::string(op) + ": a size of " + std::to_string(a) + std::string(sign) + std::to_string(b) +
                              " is beyond int64; give smaller numbers");
}

std::string describe(std::size_t rank) { return "a tensor of rank " + std::to_string(rank); }
std::string describe(const Shape& shape) { return "shape " + to_string(shape); }

template <class Extents>
std::int64_t normalized(std::string_view op, std::int64_t axis, std::size_t rank, const Extents& extents) {
  const auto n = static_cast<std::int64_t>(rank);
  if (axis < -n || axis >= n)
    throw detail::located<std::invalid_argument>(std::string(op) + ": axis " + std::to_string(axis) + " is out of range for " + describe(extents));
  return axis < 0 ? axis + n : axis;
}

template <class Extents>
AxisList normalized(std::string_view op, AxisList axes, std::size_t rank, const Extents& extents) {
  for (std::int64_t& axis : axes) axis = normalized(op, axis, rank, extents);
  std::sort(axes.begin(), axes.end());
  if (const auto twice = std::adjacent_find(axes.begin(), axes.end()); twice != axes.end())
    throw detail::located<std::invalid_argument>(std::string(op) + ": axis " + std::to_string(*twice) + " is given twice for " + describe(extents));
  return axes;
}

AxisList all_axes(std::size_t rank) {
  AxisList axes(rank);
  std::iota(axes.begin(), axes.end(), std::int64_t{0});
  return axes;
}

}  // namespace

std::int64_t normalize_axis(std::string_view op, std::int64_t axis, std::size_t rank) { return normalized(op, axis, rank, rank); }

std::int64_t normalize_axis(std::string_view op, std::int64_t axis, const Shape& shape) {
  return normalized(op, axis, shape.size(), shape);
}

void detail::refuse_shape(std::string_view op, const Shape& shape) {
  const bool negative = std::any_of(shape.begin(), shape.end(), [](std::int64_t extent) { return extent < 0; });
  throw detail::located<std::invalid_argument>(std::string(op) + ": shape " + to_string(shape) +
                              (negative ? " has a negative extent" : " has too many elements; a tensor has at most 2^59, extents of 0 not counted"));
}

std::int64_t add_sizes(std::string_view op, std::int64_t a, std::int64_t b) {
  std::int64_t sum;
  if (__builtin_add_overflow(a, b, &sum)) refuse_sizes(op, a, " + ", b);
  return sum;
}

std::int64_t multiply_sizes(std::string_view op, std::int64_t a, std::int64_t b) {
  std::int64_t product;
  if (__builtin_mul_overflow(a, b, &product)) refuse_sizes(op, a, " * ", b);
  return product;
}

AxisList Axes::normalize(std::string_view op, std::size_t rank) const {
  return all_ ? all_axes(rank) : normalized(op, axes_, rank, rank);
}

AxisList Axes::normalize(std::string_view op, const Shape& shape) const {
  return all_ ? all_axes(shape.size()) : normalized(op, axes_, shape.size(), shape);
}

}  // namespace xgrad
