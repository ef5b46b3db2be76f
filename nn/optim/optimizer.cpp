#include <algorithm>
#include <autodiff/core/trace_state.hpp>
#include <autodiff/ops/create.hpp>
#include <autodiff/core/tape.hpp>
#include <cmath>
#include <nn/detail/ownership.hpp>
#include <nn/optim/optimizer_plan.hpp>
#include <stdexcept>
#include <utility>

namespace xgrad::nn {

using namespace xgrad::detail;

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
  for (const Tensor& parameter : parameters_) nn::detail::own(parameter);
}

std::vector<double> Optimizer::coefficients(std::int64_t) const { return {learning_rate_}; }

void Optimizer::gather(Stepping& stepping) const {
  auto& [chosen, inputs, before, parts, counts, scalars, per_count] = stepping;
  before = inputs.size();
  parts.clear(), counts.clear(), scalars.clear();
  for (const std::size_t i : chosen) {
    const std::pair count(slots_[i].steps + 1, parameters_[i].dtype());
    const auto at = std::find(counts.begin(), counts.end(), count);
    parts.push_back({i, slots_[i].state.size(), static_cast<std::size_t>(at - counts.begin())});
    if (at == counts.end()) counts.push_back(count);
    inputs.push_back(resolve(parameters_[i].node()));
    for (const Tensor& tensor : slots_[i].state) inputs.push_back(tensor.node());
  }
  for (const auto& [step, dtype] : counts) {
    const std::vector<double> values = coefficients(step);
    per_count = values.size();
    for (const double value : values) inputs.push_back(scalars.emplace_back(full({}, value, dtype)).node());
  }
}

bool Optimizer::fits(const Plan& plan, const Stepping& stepping) const {
  return plan.parts == stepping.parts && plan.rate.value_or(learning_rate_) == learning_rate_ && plan.computation->fits(stepping.inputs);
}

std::unique_ptr<Optimizer::Plan> Optimizer::make_plan(const Stepping& stepping, const Gradients& record_gradients, std::string_view name, bool may_read) const {
  auto plan = std::make_unique<Plan>();
  plan->parts = stepping.parts;
  std::vector<bool> replaced(stepping.inputs.size(), false);
  std::size_t first_scalar = stepping.before;
  for (const Part& part : stepping.parts) first_scalar += 1 + part.states;
  std::fill(replaced.begin() + static_cast<std::ptrdiff_t>(stepping.before), replaced.begin() + static_cast<std::ptrdiff_t>(first_scalar), true);
  const bool rate_was_read = std::exchange(rate_read_, false);
  plan->computation.emplace(
      name, stepping.inputs, replaced,
      [&](std::span<const Tensor> x) {
        const std::span<const Tensor> before = x.first(stepping.before), scalars = x.subspan(first_scalar);
        std::vector<Tensor> values, results;
        std::vector<std::span<const Tensor>> states;
        for (std::size_t at = stepping.before; const Part& part : stepping.parts) {
          values.push_back(x[at]);
          states.push_back(x.subspan(at + 1, part.states));
          at += 1 + part.states;
        }
        const std::vector<Tensor> gradients = record_gradients(before, values, results);
        plan->results_before = results.size();
        for (std::size_t p = 0; p < stepping.parts.size(); ++p) {
          plan->updated.push_back(gradients[p].defined());
          if (!gradients[p].defined()) continue;
          const DType dtype = values[p].dtype();
          const Update next = update(values[p], gradients[p], State(states[p].begin(), states[p].end()),
                                     scalars.subspan(stepping.parts[p].count * stepping.per_count, stepping.per_count));
          results.push_back(next.value.to(dtype));
          for (const Tensor& tensor : next.state) results.push_back(tensor.to(dtype));
          plan->states_after.push_back(next.state.size());
        }
        return results;
      },
      may_read ? TracedFunction::Reads::noted : TracedFunction::Reads::refused);
  if (rate_read_) plan->rate = learning_rate_;
  rate_read_ = rate_was_read;
  return plan;
}

void Optimizer::take_on(const Plan& plan, std::span<Value> results) {
  const std::span<const TracedFunction::Form> forms = plan.computation->forms();
  std::size_t next = plan.results_before, updated = 0;
  for (std::size_t p = 0; p < plan.parts.size(); ++p) {
    if (!plan.updated[p]) continue;
    const std::size_t i = plan.parts[p].parameter;
    Slot& slot = slots_[i];
    replace_value(parameters_[i], std::move(results[next++]));
    slot.state.resize(plan.states_after[updated++]);
    for (Tensor& tensor : slot.state) {
      const TracedFunction::Form& form = forms[next];
      if (!tensor.defined() || tensor.dtype() != form.dtype || tensor.shape() != form.shape)
        tensor = make_leaf(form.shape, form.dtype, std::move(results[next]));
      else replace_value(tensor, std::move(results[next]));
      ++next;
    }
    ++slot.steps;
  }
}

void Optimizer::step() {
  Capturing::refuse("Optimizer::step");
  nn::detail::check_gradients_owned(name_);
  NoGrad guard;
  Stepping& stepping = *stepping_;
  stepping.chosen.clear(), stepping.inputs.clear();
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const Node& parameter = *parameters_[i].node();
    const Tensor gradient = parameter.requires_grad && parameter.leaf ? parameter.leaf->gradient() : Tensor();
    if (!gradient.defined()) continue;
    stepping.chosen.push_back(i);
    stepping.inputs.push_back(resolve(gradient.node()));
  }
  if (stepping.chosen.empty()) return;
  gather(stepping);
  const Gradients given = [](std::span<const Tensor> before, std::span<const Tensor>, std::vector<Tensor>&) {
    return std::vector<Tensor>(before.begin(), before.end());
  };
  if (!plan_ || !fits(*plan_, stepping)) plan_ = make_plan(stepping, given, name_, true);
  take_on(*plan_, plan_->computation->run(stepping.inputs));
}

Optimizer::~Optimizer() = default;

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
