// Index assignment in functional form, as JAX's: x.at(1, xt::all()).set(v) is x with a part replaced; x itself stays.
#pragma once

#include <autodiff/tensor.hpp>
#include <vector>

namespace xgrad {

/// A part of a tensor: where slices, indices along the first axis, or a mask say. Both functions throw std::invalid_argument when
/// the value's shape does not broadcast to the part's. Differentiable to any order in x and in the value.
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

  Tensor x_, selector_;  ///< the selector: indices or a mask; none for slices
  std::vector<Slice> slices_;
};

template <class... S>
  requires(std::constructible_from<Slice, S> && ...)
At Tensor::at(S... slices) const {
  return At(*this, std::vector<Slice>{Slice(slices)...});
}

}  // namespace xgrad
