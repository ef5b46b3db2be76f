// Index assignment in functional form, as JAX's: x.at(1, xt::all()).set(v) is x with a part replaced; x itself stays.
#pragma once

#include <autodiff/core/tensor.hpp>
#include <vector>

namespace xgrad {

/// A part of a tensor: where slices, indices along the first axis, or a mask say. Both functions throw std::invalid_argument when
/// the value's shape does not broadcast to the part's. Differentiable to any order in x and in the value.
///
/// A mask has the extents of x's first axes, and selects along them, as in NumPy and JAX; another shape is refused. The part has the shape
/// (number selected, x's other axes…), so that a value may be one for all that is selected, or have a row for each, in row-major
/// order; then the mask is read at the call. A value of x's own shape gives each element the one at its place, as in `where`.
class At {
 public:
  /// x with the part replaced by `value`. Of indices given twice the last counts.
  Tensor set(const Operand& value) const;
  /// x with `value` added to the part, as often as an index is given.
  Tensor add(const Operand& value) const;

 private:
  friend class Tensor;
  At(const Tensor& x, std::vector<Slice> slices);
  At(const Tensor& x, const Tensor& selector);

  /// Whether `value` is one for all that the mask selects, or one for each element of x: of shape `part`.
  bool is_same_for_all(const Operand& value, Shape& part) const;
  /// The mask in x's rank.
  Tensor mask() const;
  /// What the mask selects, by indices into x with the axes of the mask as one.
  At selected_rows() const;

  Tensor x_, selector_;  ///< the selector: indices or a mask; none for slices
  std::vector<Slice> slices_;
};

template <class... S>
  requires(std::constructible_from<Slice, S> && ...)
At Tensor::at(S... slices) const {
  return At(*this, std::vector<Slice>{Slice(slices)...});
}

}  // namespace xgrad
