#include <algorithm>
#include <autodiff/evaluate/update_plan.hpp>
#include <autodiff/ops/create.hpp>
#include <autodiff/tape.hpp>
#include <cmath>
#include <nn/optim/optimizer.hpp>
#include <optional>
#include <stdexcept>

namespace xgrad::nn {

using namespace xgrad::detail;

/// What a step computes, and for which parameters.
struct Optimizer::Plan {
  std::vector<Part> parts;
  std::vector<std::size_t> states_after;
  bool of_this_rate = false;
  std::optional<UpdatePlan> computation;
};

/// Lists that a step fills in anew.
struct Optimizer::Stepping {
  std::vector<Part> parts;
  std::vector<std::pair<std::int64_t, DType>> counts;
  std::vector<Tensor> scalars;
  std::vector<Node*> inputs;
};

Optimizer::Optimizer(std::string name, std::vector<Tensor> parameters, double learning_rate)
    : name_(std::move(name)), parameters_(std::move(parameters)), slots_(parameters_.size()), stepping_(std::make_unique<Stepping>()) {
  if (parameters_.empty())
    throw std::invalid_argument(name_ + ": no parameters; does the model name its members with XGRAD_MODULE?");
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const Tensor& parameter = parameters_[i];
    check_defined(name_, parameter);
    const std::string which = name_ + ": parameter " + std::to_string(i) + " of shape " + to_string(parameter.shape());
    if (!is_floating(parameter.dtype()))
      throw std::invalid_argument(which + " is " + std::string(name_of(parameter.dtype())) + "; it must be floating");
    if (!parameter.is_leaf()) throw std::logic_error(which + " is the result of an op; only leaves can be trained");
    for (std::size_t j = 0; j < i; ++j)
      if (parameters_[j].is(parameter)) throw std::invalid_argument(which + " is also parameter " + std::to_string(j));
  }
  set_learning_rate(learning_rate);
}

std::vector<double> Optimizer::coefficients(std::int64_t) const { return {learning_rate_}; }

std::unique_ptr<Optimizer::Plan> Optimizer::make_plan(std::span<const Part> parts, std::span<Node* const> inputs,
                                                            std::size_t coefficients) const {
  auto plan = std::make_unique<Plan>();
  plan->parts.assign(parts.begin(), parts.end());
  std::vector<bool> replaced(inputs.size(), false);
  std::size_t first = 0;
  for (const Part& part : parts) {
    replaced[first] = true;
    std::fill_n(replaced.begin() + static_cast<std::ptrdiff_t>(first) + 2, part.states, true);
    first += 2 + part.states;
  }
  rate_read_ = false;
  plan->computation.emplace(inputs, replaced, [&](std::span<const Tensor> x) {
    std::vector<Tensor> results;
    const std::span<const Tensor> scalars = x.subspan(first);
    for (const Part& part : parts) {
      const DType dtype = parameters_[part.parameter].dtype();  // a model may have changed it since the last step
      Update next = update(x[0], x[1], State(x.begin() + 2, x.begin() + 2 + static_cast<std::ptrdiff_t>(part.states)),
                           scalars.subspan(part.count * coefficients, coefficients));
      results.push_back(next.value.to(dtype));
      for (const Tensor& tensor : next.state) results.push_back(tensor.to(dtype));
      plan->states_after.push_back(next.state.size());
      x = x.subspan(2 + part.states);
    }
    return results;
  });
  plan->of_this_rate = rate_read_;
  return plan;
}

void Optimizer::step() {
  NoGrad guard;
  // The inputs of a plan: each parameter, its gradient and state; then the coefficients, by step and dtype.
  auto& [parts, counts, scalars, inputs] = *stepping_;
  parts.clear(), counts.clear(), scalars.clear(), inputs.clear();
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    Node& parameter = *parameters_[i].node();
    if (!parameter.requires_grad || !parameter.leaf || !parameter.leaf->gradient.defined()) continue;
    const std::pair count(slots_[i].steps + 1, parameter.dtype);
    const auto at = std::find(counts.begin(), counts.end(), count);
    parts.push_back({i, slots_[i].state.size(), static_cast<std::size_t>(at - counts.begin())});
    if (at == counts.end()) counts.push_back(count);
    inputs.push_back(resolve(&parameter));
    inputs.push_back(resolve(parameter.leaf->gradient.node()));
    for (const Tensor& tensor : slots_[i].state) inputs.push_back(tensor.node());
  }
  if (parts.empty()) return;
  std::size_t per_count = 0;
  for (const auto& [step, dtype] : counts) {
    const std::vector<double> values = coefficients(step);
    per_count = values.size();
    for (const double value : values) inputs.push_back(scalars.emplace_back(full({}, value, dtype)).node());
  }
  if (!plan_ || plan_->parts != parts || !plan_->computation->fits(inputs)) plan_ = make_plan(parts, inputs, per_count);

  const std::span<Value> results = plan_->computation->run(inputs);
  const std::span<const UpdatePlan::Form> forms = plan_->computation->forms();
  std::size_t next = 0;
  for (std::size_t p = 0; p < parts.size(); ++p) {
    Slot& slot = slots_[parts[p].parameter];
    replace_value(parameters_[parts[p].parameter], std::move(results[next++]));
    slot.state.resize(plan_->states_after[p]);
    for (Tensor& tensor : slot.state) {
      const UpdatePlan::Form& form = forms[next];
      if (!tensor.defined() || tensor.dtype() != form.dtype || tensor.shape() != form.shape)
        tensor = make_leaf(form.shape, form.dtype, std::move(results[next]));
      else replace_value(tensor, std::move(results[next]));
      ++next;
    }
    ++slot.steps;
  }
}

Optimizer::~Optimizer() = default;

void Optimizer::zero_grad() {
  for (Tensor& parameter : parameters_) parameter.zero_grad();
}

void Optimizer::set_learning_rate(double learning_rate) {
  require(std::isfinite(learning_rate) && learning_rate >= 0, "learning_rate", learning_rate, "a number of at least 0");
  learning_rate_ = learning_rate;
  if (plan_ && plan_->of_this_rate) plan_.reset();
}

void Optimizer::require(bool condition, std::string_view option, double value, std::string_view expected) const {
  if (!condition)
    throw std::invalid_argument(name_ + ": " + std::string(option) + " must be " + std::string(expected) + ", got " +
                                std::to_string(value));
}

}  // namespace xgrad::nn
