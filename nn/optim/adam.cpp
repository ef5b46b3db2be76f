#include <autodiff/ops/elementwise.hpp>
#include <cmath>
#include <nn/optim/adam.hpp>

namespace xgrad::nn {
namespace {

/// learning_rate / (1-β₁ᵗ) and 1 / √(1-β₂ᵗ), and for AdamW what its decay leaves.
template <class Options>
std::vector<double> adam_coefficients(const Options& options, double learning_rate, std::int64_t step) {
  const auto t = static_cast<double>(step);
  return {learning_rate / (1 - std::pow(options.beta1, t)), 1 / std::sqrt(1 - std::pow(options.beta2, t)),
          1 - learning_rate * options.weight_decay};
}

/// learning_rate / (1-β₁ᵗ) · m / (√v / √(1-β₂ᵗ) + ε), and the next m, v (and largest v) as `state`.
template <class Options>
Tensor adam_change(const Options& options, std::span<const Tensor> coefficients, const Tensor& gradient, std::vector<Tensor>& state) {
  const auto average = [](double beta, const Tensor* before, const Tensor& value) {
    const Tensor part = (1 - beta) * value;
    return before ? beta * *before + part : part;
  };
  const bool first = state.empty();
  std::vector<Tensor> next;
  next.push_back(average(options.beta1, first ? nullptr : &state[0], gradient));
  next.push_back(average(options.beta2, first ? nullptr : &state[1], square(gradient)));
  Tensor second = next[1];
  if (options.amsgrad) next.push_back(second = first ? second : maximum(state[2], second));
  state = std::move(next);
  return coefficients[0] * state[0] / (sqrt(second) * coefficients[1] + options.epsilon);
}

template <class Options, class Require>
void check_options(const Options& options, Require require) {
  const auto beta = [](double x) { return x >= 0 && x < 1; };
  const auto at_least_0 = [](double x) { return std::isfinite(x) && x >= 0; };
  require(beta(options.beta1), "beta1", options.beta1, "in [0, 1)");
  require(beta(options.beta2), "beta2", options.beta2, "in [0, 1)");
  require(at_least_0(options.epsilon), "epsilon", options.epsilon, "a number of at least 0");
  require(at_least_0(options.weight_decay), "weight_decay", options.weight_decay, "a number of at least 0");
}

}  // namespace

Adam::Adam(std::vector<Tensor> parameters, const AdamOptions& options)
    : Optimizer("Adam", std::move(parameters), options.learning_rate), options_(options) {
  check_options(options, [this](auto... arguments) { require(arguments...); });
}

std::vector<double> Adam::coefficients(std::int64_t step) const { return adam_coefficients(options_, learning_rate(), step); }

Optimizer::Update Adam::update(const Tensor& parameter, const Tensor& gradient, const State& state,
                               std::span<const Tensor> coefficients) const {
  State next = state;
  const Tensor decayed = options_.weight_decay > 0 ? gradient + options_.weight_decay * parameter : gradient;
  const Tensor change = adam_change(options_, coefficients, decayed, next);
  return {parameter - change, std::move(next)};
}

AdamW::AdamW(std::vector<Tensor> parameters, const AdamWOptions& options)
    : Optimizer("AdamW", std::move(parameters), options.learning_rate), options_(options) {
  check_options(options, [this](auto... arguments) { require(arguments...); });
}

std::vector<double> AdamW::coefficients(std::int64_t step) const { return adam_coefficients(options_, learning_rate(), step); }

Optimizer::Update AdamW::update(const Tensor& parameter, const Tensor& gradient, const State& state,
                                std::span<const Tensor> coefficients) const {
  State next = state;
  const Tensor change = adam_change(options_, coefficients, gradient, next);
  return {coefficients[2] * parameter - change, std::move(next)};
}

}  // namespace xgrad::nn
