#include <algorithm>
#include <autodiff/kernels/tiles.hpp>
#include <autodiff/ops/reduction_input.hpp>

namespace xgrad::detail {
namespace {

using Order = SmallVector<std::size_t>;
using Flags = SmallVector<std::uint8_t, 8>;

// Whether going through the axes in this order meets the values one after another.
bool is_dense(const Array& x, const Order& order) {
  std::int64_t step = 1;
  for (std::size_t i = order.size(); i-- > 0;) {
    if ((*x.strides)[order[i]] != step) return false;
    step *= (*x.shape)[order[i]];
  }
  return true;
}

// Extents when the reduced axes are neighbours in `order` and the others in the order of the result, else outer = 0.
ReducedExtents split(const Array& x, const Order& order, const Flags& is_reduced) {
  ReducedExtents extents;
  std::size_t last = 0;
  enum { before, within, after } place = before;
  for (const std::size_t axis : order) {
    const auto extent = static_cast<std::size_t>((*x.shape)[axis]);
    if (is_reduced[axis]) {
      if (place == after) return {0, 0, 0};
      place = within;
      extents.reduced *= extent;
      continue;
    }
    if (axis < last) return {0, 0, 0};
    last = axis;
    if (place == within) place = after;
    (place == before ? extents.outer : extents.inner) *= extent;
  }
  return extents;
}

}  // namespace

ReductionInput::ReductionInput(const Array& x, std::span<const std::int64_t> axes) : data_(x.data) {
  const Shape& shape = *x.shape;
  Flags is_reduced(shape.size(), 0);
  for (const std::int64_t axis : axes) is_reduced[static_cast<std::size_t>(axis)] = 1;
  Order natural;  // axes of extent 1 play no part
  for (std::size_t i = 0; i < shape.size(); ++i)
    if (shape[i] != 1) natural.push_back(i);

  if (x.size == 0) {
    for (const std::size_t i : natural)
      (is_reduced[i] ? extents_.reduced : extents_.outer) *= static_cast<std::size_t>(shape[i]);
    return;
  }
  Order by_stride = natural;
  if (!x.contiguous)
    std::stable_sort(by_stride.begin(), by_stride.end(),
                     [&](std::size_t a, std::size_t b) { return (*x.strides)[a] > (*x.strides)[b]; });
  if (is_dense(x, by_stride)) {
    extents_ = split(x, by_stride, is_reduced);
    if (extents_.outer != 0) return;
  }
  Order order = natural;
  extents_ = split(x, order, is_reduced);
  if (extents_.outer == 0) {
    std::stable_partition(order.begin(), order.end(), [&](std::size_t i) { return !is_reduced[i]; });
    extents_ = split(x, order, is_reduced);
  }
  Shape permuted(order.size());
  Strides strides(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) permuted[i] = shape[order[i]], strides[i] = (*x.strides)[order[i]];
  copy_ = Buffer::allocate(static_cast<std::size_t>(x.size) * size_of(x.dtype));
  copy_contiguous(Array{x.data, x.dtype, &permuted, &strides, false, x.size}, copy_->data());
  data_ = copy_->data();
}

}  // namespace xgrad::detail
