#include <autodiff/ops/elementwise.hpp>
#include <cmath>
#include <nn/optim/sgd.hpp>

namespace xgrad::nn {

SGD::SGD(std::vector<Tensor> parameters, const SGDOptions& options)
    : Optimizer("SGD", std::move(parameters), options.learning_rate), options_(options) {
  const auto at_least_0 = [](double x) { return std::isfinite(x) && x >= 0; };
  require(at_least_0(options.momentum), "momentum", options.momentum, "a number of at least 0");
  require(std::isfinite(options.dampening), "dampening", options.dampening, "a number");
  require(at_least_0(options.weight_decay), "weight_decay", options.weight_decay, "a number of at least 0");
  if (options.nesterov) {
    require(options.momentum > 0, "momentum", options.momentum, "positive for Nesterov's");
    require(options.dampening == 0, "dampening", options.dampening, "0 with Nesterov's momentum");
  }
}

Optimizer::Update SGD::update(const Tensor& parameter, const Tensor& gradient, const State& state,
                              std::span<const Tensor> coefficients) const {
  Tensor direction = gradient;
  if (options_.weight_decay > 0) direction = direction + options_.weight_decay * parameter;
  State next;
  if (options_.momentum > 0) {
    const Tensor part = options_.dampening != 0 ? (1 - options_.dampening) * direction : direction;
    const Tensor momentum = state.empty() ? direction : options_.momentum * state[0] + part;
    direction = options_.nesterov ? direction + options_.momentum * momentum : momentum;
    next = {momentum};
  }
  return {parameter - coefficients[0] * direction, std::move(next)};
}

}  // namespace xgrad::nn
