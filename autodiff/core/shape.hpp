#pragma once

#include <autodiff/core/small_vector.hpp>
#include <autodiff/core/xt.hpp>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace xgrad {

/// Extents of a tensor, outermost first: a small vector that keeps four on the spot. `Shape{}` is that of a scalar.
using Shape = detail::SmallVector<std::int64_t>;
/// Steps between neighbours along each axis, in elements.
using Strides = detail::SmallVector<std::int64_t>;

/// Axes of a tensor.
using AxisList = detail::SmallVector<std::int64_t>;

/// "(2, 3)", "(4,)", "()", as NumPy prints it.
std::string to_string(const Shape& shape);

/// The most elements that a tensor has, all extents that are not 0 multiplied: bytes and offsets then fit int64 too.
constexpr std::int64_t most_elements = std::int64_t{1} << 59;

namespace detail {
/// Whether no extent is negative and the product of those that are not 0 is at most `most_elements`. By that rule, which is NumPy's,
/// strides and products of some of the extents do not overflow either, also where a tensor is empty.
inline bool is_valid(const Shape& shape) {
  std::int64_t size = 1;
  for (const std::int64_t extent : shape)
    if (extent < 0 || __builtin_mul_overflow(size, extent == 0 ? 1 : extent, &size) || size > most_elements) return false;
  return true;
}
[[noreturn]] void refuse_shape(std::string_view op, const Shape& shape);
}  // namespace detail

/// Throws std::invalid_argument naming `op` when an extent is negative or there are more than `most_elements`.
inline void check_shape(std::string_view op, const Shape& shape) {
  if (!detail::is_valid(shape)) [[unlikely]] detail::refuse_shape(op, shape);
}

/// a + b and a · b of sizes that a caller gave. Throws std::invalid_argument naming `op` and both when int64 cannot hold the result.
std::int64_t add_sizes(std::string_view op, std::int64_t a, std::int64_t b);
std::int64_t multiply_sizes(std::string_view op, std::int64_t a, std::int64_t b);

/// Number of elements of a shape that `check_shape` admits; 1 for a scalar.
inline std::int64_t size_of(const Shape& shape) {
  std::int64_t size = 1;
  for (const std::int64_t extent : shape) size *= extent;
  return size;
}

/// Strides of row-major storage.
Strides contiguous_strides(const Shape& shape);

/// Whether elements so far apart lie row-major without gaps.
bool is_contiguous(const Shape& shape, const Strides& strides);

/// The shape `a` and `b` broadcast to, by NumPy's rules.
/// Throws std::invalid_argument naming `op` and both shapes when an axis differs and neither is 1, or when the result has more than
/// `most_elements`.
Shape broadcast_shapes(std::string_view op, const Shape& a, const Shape& b);

/// `axis` counted from the front. Throws std::invalid_argument naming `op` unless -rank <= axis < rank.
std::int64_t normalize_axis(std::string_view op, std::int64_t axis, std::size_t rank);
/// As above, for a tensor of `shape`, which the message names.
std::int64_t normalize_axis(std::string_view op, std::int64_t axis, const Shape& shape);

/// The axes of a reduction: one, several, or all of them (the default). Negative axes count from the end.
class Axes {
 public:
  Axes() = default;
  template <std::integral T>
    requires(!std::same_as<T, bool>)
  Axes(T axis) : all_(false), axes_{static_cast<std::int64_t>(axis)} {}
  Axes(std::initializer_list<std::int64_t> axes) : all_(false), axes_(axes) {}
  Axes(const std::vector<std::int64_t>& axes) : all_(false), axes_(axes.begin(), axes.end()) {}
  explicit Axes(AxisList axes) : all_(false), axes_(std::move(axes)) {}

  /// Sorted and counted from the front. Throws std::invalid_argument naming `op` for an axis out of range or given twice.
  AxisList normalize(std::string_view op, std::size_t rank) const;
  /// As above, for a tensor of `shape`, which the message names.
  AxisList normalize(std::string_view op, const Shape& shape) const;

  /// No axes were named, which means all of them.
  bool all() const { return all_; }
  /// How many were named.
  std::size_t count() const { return axes_.size(); }

 private:
  bool all_ = true;
  AxisList axes_;
};

}  // namespace xgrad
