#include <autodiff/evaluate/evaluate.hpp>
#include <autodiff/tape.hpp>
#include <cmath>
#include <nn/optim/optimizer.hpp>
#include <stdexcept>

namespace xgrad::nn {

Optimizer::Optimizer(std::string name, std::vector<Tensor> parameters, double learning_rate)
    : name_(std::move(name)), parameters_(std::move(parameters)), slots_(parameters_.size()) {
  if (parameters_.empty())
    throw std::invalid_argument(name_ + ": no parameters; does the model name its members with XGRAD_MODULE?");
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const Tensor& parameter = parameters_[i];
    xgrad::detail::check_defined(name_, parameter);
    const std::string which = name_ + ": parameter " + std::to_string(i) + " of shape " + to_string(parameter.shape());
    if (!is_floating(parameter.dtype()))
      throw std::invalid_argument(which + " is " + std::string(name_of(parameter.dtype())) + "; it must be floating");
    if (!parameter.is_leaf()) throw std::logic_error(which + " is the result of an op; only leaves can be trained");
    for (std::size_t j = 0; j < i; ++j)
      if (parameters_[j].is(parameter)) throw std::invalid_argument(which + " is also parameter " + std::to_string(j));
  }
  set_learning_rate(learning_rate);
}

void Optimizer::step() {
  NoGrad guard;
  struct Change {
    std::size_t index;
    Update update;
  };
  std::vector<Change> changes;
  std::vector<Tensor> results;
  changes.reserve(parameters_.size());
  results.reserve(4 * parameters_.size());  // a value, and a state of up to three
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const Tensor gradient = parameters_[i].grad();
    if (!gradient.defined() || !parameters_[i].requires_grad()) continue;
    Update next = update(parameters_[i], gradient, slots_[i].state, slots_[i].steps + 1);
    // A model may have changed its dtype since the last step.
    const DType dtype = parameters_[i].dtype();
    results.push_back(next.value = next.value.to(dtype));
    for (Tensor& tensor : next.state) results.push_back(tensor = tensor.to(dtype));
    changes.push_back({i, std::move(next)});
  }
  evaluate(results);
  // Detached, so that no state holds on to the one before.
  for (Change& change : changes)
    for (Tensor& tensor : change.update.state) tensor = tensor.detach();
  for (Change& change : changes) {
    parameters_[change.index].assign(change.update.value);
    slots_[change.index].state = std::move(change.update.state);
    ++slots_[change.index].steps;
  }
}

void Optimizer::zero_grad() {
  for (Tensor& parameter : parameters_) parameter.zero_grad();
}

void Optimizer::set_learning_rate(double learning_rate) {
  require(std::isfinite(learning_rate) && learning_rate >= 0, "learning_rate", learning_rate, "a number of at least 0");
  learning_rate_ = learning_rate;
}

void Optimizer::require(bool condition, std::string_view option, double value, std::string_view expected) const {
  if (!condition)
    throw std::invalid_argument(name_ + ": " + std::string(option) + " must be " + std::string(expected) + ", got " +
                                std::to_string(value));
}

}  // namespace xgrad::nn
