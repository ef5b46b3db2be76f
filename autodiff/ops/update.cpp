#include <algorithm>
#include <autodiff/ops/create.hpp>
#include <autodiff/ops/elementwise.hpp>
#include <autodiff/ops/index.hpp>
#include <autodiff/ops/shape.hpp>
#include <autodiff/ops/indexing.hpp>
#include <autodiff/ops/sort.hpp>
#include <autodiff/ops/update.hpp>
#include <autodiff/core/tape.hpp>
#include <stdexcept>

namespace xgrad {
namespace {

/// The value in the part's shape and x's dtype, to which it must fit.
Tensor fitted(const Tensor& x, const Operand& value, const Shape& part) {
  value.check("at");
  const Tensor tensor = value.to(x.dtype());
  if (broadcast_shapes("at", tensor.shape(), part) != part)
    throw detail::located<std::invalid_argument>("at: a value of shape " + to_string(tensor.shape()) + " for a part of shape " + to_string(part));
  return broadcast_to(tensor, part);
}

Shape rows_shape(const Tensor& x, std::int64_t rows) {
  Shape shape = x.shape();
  shape[0] = rows;
  return shape;
}

/// Whether values of one shape repeat to another's without changing its rank.
bool broadcasts_to(const Shape& from, const Shape& to) {
  if (from.size() > to.size()) return false;
  return std::equal(from.rbegin(), from.rend(), to.rbegin(), [](std::int64_t a, std::int64_t b) { return a == 1 || a == b; });
}

}  // namespace

At::At(const Tensor& x, std::vector<Slice> slices) : x_(x), slices_(std::move(slices)) {
  detail::check_defined("at", x);
  x.slice(slices_);  // checks them
}

At::At(const Tensor& x, const Tensor& selector) : x_(x), selector_(selector) {
  detail::check_defined("at", x);
  detail::check_defined("at", selector);
  if (selector.dtype() == DType::bool_) {
    const Shape &mask = selector.shape(), &shape = x.shape();
    if (mask.size() > shape.size() || !std::equal(mask.begin(), mask.end(), shape.begin()))
      throw detail::located<std::invalid_argument>("at: a mask of shape " + to_string(mask) + " for shape " + to_string(shape) +
                                  "; it must have the extents of the first axes, or be broadcast_to the whole shape");
  } else if (selector.dtype() != DType::int64 || selector.dim() != 1 || x.dim() == 0) {
    throw detail::located<std::invalid_argument>("at: a selector of shape " + to_string(selector.shape()) + " and dtype " + std::string(name_of(selector.dtype())) +
                                " for shape " + to_string(x.shape()) + "; give slices, a bool mask, or a vector of int64 indices of the first axis");
  }
}

bool At::is_same_for_all(const Operand& value, Shape& part) const {
  value.check("at");
  const Shape& shape = x_.shape();
  const Shape given = value.is_number() ? Shape{} : value.tensor().shape();
  part = given == shape ? shape : Shape(shape.begin() + static_cast<std::ptrdiff_t>(selector_.dim()), shape.end());
  return broadcasts_to(given, part);
}

Tensor At::mask() const {
  Shape shape = selector_.shape();
  shape.resize(x_.dim(), 1);
  return reshape(selector_, shape);
}

At At::selected_rows() const {
  Shape rows{selector_.size()};
  for (std::size_t axis = selector_.dim(); axis < x_.dim(); ++axis) rows.push_back(x_.shape()[axis]);
  return At(reshape(x_, rows), reshape(detail::nonzero_for("at", reshape(selector_, {selector_.size()})), {-1}));
}

Tensor At::set(const Operand& value) const {
  if (!selector_.defined()) {
    const Tensor part = x_.slice(slices_), whole = ones(part.shape(), DType::bool_);
    return where(detail::embed_slice(whole, x_, slices_), detail::embed_slice(fitted(x_, value, part.shape()), x_, slices_), x_);
  }
  if (selector_.dtype() == DType::bool_) {
    if (Shape part; is_same_for_all(value, part)) return where(mask(), fitted(x_, value, part), x_);
    return reshape(selected_rows().set(value), x_.shape());
  }
  const Tensor values = fitted(x_, value, rows_shape(x_, selector_.size()));
  const Tensor from = detail::last_naming("at", x_, selector_);
  if (selector_.size() == 0) return x_;
  Shape column(x_.dim(), 1);
  column[0] = x_.shape(0);
  return where(reshape(from >= 0, column), detail::take_unchecked(values, maximum(from, 0)), x_);
}

Tensor At::add(const Operand& value) const {
  if (!selector_.defined()) return x_ + detail::embed_slice(fitted(x_, value, x_.slice(slices_).shape()), x_, slices_);
  if (selector_.dtype() == DType::bool_) {
    if (Shape part; is_same_for_all(value, part)) return where(mask(), x_ + fitted(x_, value, part), x_);
    return reshape(selected_rows().add(value), x_.shape());
  }
  return index_add(x_, selector_, fitted(x_, value, rows_shape(x_, selector_.size())), 0);
}

At Tensor::at(const Tensor& selector) const { return At(*this, selector); }

}  // namespace xgrad
