#include <autodiff/core/op.hpp>
#include <stdexcept>
#include <string>
#include <typeinfo>

namespace xgrad {

bool Op::same_as(const Op& other) const {
  if (this == &other) return true;
  if (comparison_ || other.comparison_) return comparison_ == other.comparison_ && comparison_(*this, other);
  return typeid(*this) == typeid(other);
}

void GeneralOp::accumulate(std::span<const detail::Array>, const detail::Array&) const {
  throw std::logic_error(std::string(name()) + ": does not accumulate");
}

detail::VectorKernel ElementwiseOp::vector_kernel(DType, unsigned) const { return {}; }

}  // namespace xgrad
