#include <autodiff/core/tape.hpp>
#include <autodiff/core/runtime.hpp>
#include <autodiff/ops/elementwise.hpp>
#include <autodiff/ops/reduce.hpp>
#include <autodiff/ops/shape.hpp>
#include <cmath>
#include <nn/optim/clip.hpp>
#include <stdexcept>

namespace xgrad::nn {
namespace {

std::vector<Tensor> with_gradients(std::string_view name, const std::vector<Tensor>& parameters) {
  std::vector<Tensor> with;
  for (const Tensor& parameter : parameters) {
    xgrad::detail::check_defined(name, parameter);
    if (parameter.requires_grad() && parameter.grad().defined() && parameter.size() > 0) with.push_back(parameter);
  }
  return with;
}

/// Replaces every gradient by `change` of it, all or none.
template <class F>
void change_gradients(std::vector<Tensor>& parameters, F change) {
  std::vector<Tensor> gradients;
  for (const Tensor& parameter : parameters) gradients.push_back(change(parameter.grad()));
  evaluate(gradients);
  for (std::size_t i = 0; i < parameters.size(); ++i) parameters[i].set_grad(gradients[i]);
}

/// In float64, where squares of float32 do not overflow.
double norm_of(const std::vector<Tensor>& parameters, double order) {
  std::vector<Tensor> parts;
  for (const Tensor& parameter : parameters) {
    const Tensor size = abs(parameter.grad().to(DType::float64));
    parts.push_back(std::isinf(order) ? max(size) : order == 2 ? sum(square(size)) : sum(power(size, order)));
  }
  if (parts.empty()) return 0;
  const Tensor all = stack(parts);
  if (std::isinf(order)) return max(all).item();
  return order == 2 ? std::sqrt(sum(all).item()) : std::pow(sum(all).item(), 1 / order);
}

}  // namespace

double clip_grad_norm(const std::vector<Tensor>& parameters, double max_norm, const ClipGradNormOptions& options) {
  if (!(max_norm > 0))
    throw std::invalid_argument("clip_grad_norm: max_norm must be positive, got " + std::to_string(max_norm));
  if (!(options.norm > 0))
    throw std::invalid_argument("clip_grad_norm: the order of the norm must be positive, got " +
                                std::to_string(options.norm));
  NoGrad guard;
  std::vector<Tensor> with = with_gradients("clip_grad_norm", parameters);
  const double norm = norm_of(with, options.norm);
  if (options.error_if_not_finite && !std::isfinite(norm))
    throw std::runtime_error("clip_grad_norm: the norm of the gradients is " + std::to_string(norm));
  const double factor = max_norm / (norm + 1e-6);
  if (!(factor >= 1)) change_gradients(with, [factor](const Tensor& gradient) { return gradient * factor; });
  return norm;
}

void clip_grad_value(const std::vector<Tensor>& parameters, double limit) {
  if (!(limit > 0))
    throw std::invalid_argument("clip_grad_value: the limit must be positive, got " + std::to_string(limit));
  NoGrad guard;
  std::vector<Tensor> with = with_gradients("clip_grad_value", parameters);
  change_gradients(with, [limit](const Tensor& gradient) { return clip(gradient, -limit, limit); });
}

}  // namespace xgrad::nn
