#include <autodiff/elementwise_function.hpp>
#include <autodiff/evaluate/evaluate.hpp>

namespace xgrad::detail {

ContiguousInput::ContiguousInput(const Array& x) : data_(x.data) {
  if (x.contiguous || x.size == 0) return;
  copy_ = Buffer::allocate(static_cast<std::size_t>(x.size) * size_of(x.dtype));
  copy_contiguous(x, copy_->data());
  data_ = copy_->data();
}

std::vector<Tensor> broadcast_floating(std::string_view op, std::vector<Tensor> tensors) {
  DType dtype = DType::bool_;
  Shape shape;
  for (const Tensor& tensor : tensors) {
    check_defined(op, tensor);
    dtype = promote(dtype, tensor.dtype());
    shape = broadcast_shapes(op, shape, tensor.shape());
  }
  for (Tensor& tensor : tensors) tensor = broadcast_to(tensor.to(is_floating(dtype) ? dtype : DType::float64), shape);
  return tensors;
}

}  // namespace xgrad::detail
