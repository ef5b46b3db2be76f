#pragma once

#include <autodiff/detail/small_vector.hpp>
#include <autodiff/detail/xt.hpp>
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

/// Number of elements; 1 for a scalar.
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
/// Throws std::invalid_argument naming `op` and both shapes when an axis differs and neither is 1.
Shape broadcast_shapes(std::string_view op, const Shape& a, const Shape& b);

/// `axis` counted from the front. Throws std::invalid_argument naming `op` unless -rank <= axis < rank.
std::int64_t normalize_axis(std::string_view op, std::int64_t axis, std::size_t rank);
/// As above, for a tensor of `shape`, which the message names.
std::int64_t normalize_axis(std::string_view op, std::int64_t axis, const Shape& shape);

/// Throws std::invalid_argument naming `op` when an extent is negative or the number of elements overflows.
void check_shape(std::string_view op, const Shape& shape);

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
