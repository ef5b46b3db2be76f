#include <autodiff/ops/elementwise.hpp>
#include <autodiff/ops/linalg.hpp>
#include <autodiff/ops/shape.hpp>
#include <cmath>
#include <autodiff/core/tape.hpp>
#include <nn/detail/ownership.hpp>
#include <nn/layers/linear.hpp>
#include <stdexcept>

namespace xgrad::nn {

Linear::Linear(std::int64_t in_features, std::int64_t out_features, const LinearOptions& options)
    : in_features_(in_features), out_features_(out_features) {
  if (in_features <= 0 || out_features <= 0)
    throw xgrad::detail::located<std::invalid_argument>("Linear: needs at least one feature in and out, got " + std::to_string(in_features) +
                                " in and " + std::to_string(out_features) + " out");
  check_shape("Linear", {out_features, in_features});
  Generator& generator = options.generator ? *options.generator : default_generator();
  // What PyTorch's kaiming_uniform_(weight, a = √5) comes to.
  const double bound = 1 / std::sqrt(static_cast<double>(in_features));
  weight = parameter(generator.uniform({out_features, in_features}, -bound, bound));
  if (options.bias) bias = parameter(generator.uniform({out_features}, -bound, bound));
}

Tensor Linear::operator()(const Located& x) const {
  using xgrad::detail::located;
  xgrad::detail::check_defined("Linear", x);
  if (!weight.defined()) throw located<std::logic_error>("Linear: the layer has no weight; was it moved from?");
  if (x.dim() == 0 || x.shape(-1) != in_features_)
    throw located<std::invalid_argument>("Linear: expected an input of shape (..., " + std::to_string(in_features_) + "), got " + to_string(x.shape()));
  // It would turn all that follows into the wider type, at twice the cost.
  if (promote(x.dtype(), weight.dtype()) != weight.dtype()) {
    const std::string own(name_of(weight.dtype()));
    throw located<std::invalid_argument>("Linear: the input of shape " + to_string(x.shape()) + " is " + std::string(name_of(x.dtype())) + ", the weight " + own +
                                         "; convert the input with to(DType::" + own + "), or the model with model.to(DType::float64)" +
                                         (detail::owned(weight) ? "" : "; if the layer is part of a model, is it missing in XGRAD_MODULE?"));
  }
  const Tensor y = matmul(x, matrix_transpose(weight));
  return bias.defined() ? y + bias : y;
}

}  // namespace xgrad::nn
