#include <autodiff/core/tape.hpp>
#include <cmath>
#include <nn/activations.hpp>
#include <numbers>
#include <stdexcept>

namespace xgrad::nn {
namespace {

void check_floating(std::string_view name, const Tensor& x) {
  xgrad::detail::check_defined(name, x);
  if (!is_floating(x.dtype()))
    throw xgrad::detail::located<std::invalid_argument>(std::string(name) + ": the input of shape " + to_string(x.shape()) + " is " +
                                std::string(name_of(x.dtype())) + "; convert it with to(DType::float32)");
}

}  // namespace

Tensor leaky_relu(const Located& x, const LeakyReLUOptions& options) {
  check_floating("leaky_relu", x);
  return where(x > 0, x, options.negative_slope * x);
}

Tensor elu(const Located& x, const ELUOptions& options) {
  check_floating("elu", x);
  const Tensor positive = x > 0;
  return where(positive, x, options.alpha * expm1(where(positive, 0, x)));  // no overflow in the branch not taken
}

Tensor gelu(const Located& x, const GELUOptions& options) {
  check_floating("gelu", x);
  if (options.approximate == GeluApproximation::none) return 0.5 * x * (1 + erf(x * (std::numbers::sqrt2 / 2)));
  const Tensor near = clip(x, -10, 10);  // beyond, tanh has long been ±1 and the cube may overflow
  return 0.5 * x * (1 + tanh(std::sqrt(2 / std::numbers::pi) * (near + 0.044715 * near * near * near)));
}

Tensor silu(const Located& x) {
  check_floating("silu", x);
  return x * sigmoid(x);
}

Tensor softplus(const Located& x, const SoftplusOptions& options) {
  check_floating("softplus", x);
  if (!(options.beta > 0))
    throw xgrad::detail::located<std::invalid_argument>("softplus: beta must be positive, got " + std::to_string(options.beta));
  const Tensor scaled = options.beta * x;
  return where(scaled > options.threshold, x, xgrad::softplus(scaled) / options.beta);
}

}  // namespace xgrad::nn
