#include <autodiff/transforms/elementwise_function.hpp>

namespace xgrad::detail {

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
