#include <algorithm>
#include <autodiff/core/runtime.hpp>
#include <autodiff/core/tape.hpp>
#include <map>
#include <nn/detail/ownership.hpp>
#include <nn/module.hpp>
#include <ostream>
#include <stdexcept>
#include <unordered_map>
#include <unordered_set>

namespace xgrad::nn {
namespace {

/// Calls `f(path, tensor)` for every defined tensor of a module and its children.
template <class F>
class ParameterWalk : public MemberVisitor {
 public:
  explicit ParameterWalk(F f) : f_(std::move(f)) {}

  void parameter(std::string_view name, Tensor& tensor) override {
    if (!tensor.defined()) return;
    detail::own(tensor);
    f_(prefix_ + std::string(name), tensor);
  }
  void child(std::string_view name, Module& module) override {
    const std::size_t length = prefix_.size();
    prefix_.append(name).append(".");
    module.visit_members(*this);
    prefix_.resize(length);
  }

 private:
  F f_;
  std::string prefix_;
};

template <class F>
void for_each_parameter(Module& module, F f) {
  ParameterWalk<F> walk(std::move(f));
  module.visit_members(walk);
}

/// As above, for functions that only read.
template <class F>
void for_each_parameter(const Module& module, F f) {
  for_each_parameter(const_cast<Module&>(module),
                     [&f](std::string name, const Tensor& tensor) { f(std::move(name), tensor); });
}

template <class F>
class ChildWalk : public MemberVisitor {
 public:
  explicit ChildWalk(F f) : f_(std::move(f)) {}
  void parameter(std::string_view, Tensor&) override {}
  void child(std::string_view name, Module& module) override { f_(name, module); }

 private:
  F f_;
};

template <class F>
void for_each_child(Module& module, F f) {
  ChildWalk<F> walk(std::move(f));
  module.visit_members(walk);
}

std::string describe(const Tensor& tensor) {
  return to_string(tensor.shape()) + ' ' + std::string(name_of(tensor.dtype()));
}

}  // namespace

void Module::visit_members(MemberVisitor&) {}

NamedTensors Module::named_parameters() const {
  NamedTensors named;
  std::unordered_set<const xgrad::detail::Node*> seen;
  for_each_parameter(*this, [&](std::string name, const Tensor& tensor) {
    if (seen.insert(tensor.node()).second) named.emplace_back(std::move(name), tensor);
  });
  return named;
}

std::vector<Tensor> Module::parameters() const {
  std::vector<Tensor> tensors;
  for (auto& [name, tensor] : named_parameters()) tensors.push_back(std::move(tensor));
  return tensors;
}

std::int64_t Module::parameter_count() const {
  std::int64_t count = 0;
  for (const Tensor& tensor : parameters()) count += tensor.size();
  return count;
}

std::vector<std::pair<std::string, Module*>> Module::named_children() {
  std::vector<std::pair<std::string, Module*>> children;
  for_each_child(*this, [&](std::string_view name, Module& module) { children.emplace_back(name, &module); });
  return children;
}

void Module::train(bool training) {
  training_ = training;
  for_each_child(*this, [training](std::string_view, Module& module) { module.train(training); });
}

void Module::to(DType dtype) {
  if (!is_floating(dtype))
    throw std::invalid_argument("to: parameters cannot be " + std::string(name_of(dtype)) + "; use float32 or float64");
  NoGrad guard;
  std::vector<Tensor> parameters = this->parameters(), values, gradients;
  for (const Tensor& parameter : parameters) {
    values.push_back(parameter.detach().to(dtype).evaluate());
    const Tensor gradient = parameter.grad();
    gradients.push_back(gradient.defined() && parameter.requires_grad() ? gradient.to(dtype).evaluate() : Tensor());
  }
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    xgrad::detail::assign_as(parameters[i], values[i]);
    if (gradients[i].defined()) parameters[i].set_grad(gradients[i]);
    else parameters[i].zero_grad();
  }
}

void Module::zero_grad() {
  for (Tensor& parameter : parameters()) parameter.zero_grad();
}

StateDict Module::state_dict() const {
  StateDict state;
  for_each_parameter(*this, [&state](std::string name, const Tensor& tensor) {
    state.emplace_back(std::move(name), tensor.detach());
  });
  return state;
}

void Module::load_state_dict(const StateDict& state, const LoadOptions& options) {
  std::map<std::string_view, const Tensor*> given;  // ordered: no choice of names in a file makes it slow
  std::string problems;
  const auto problem = [&problems](const std::string& text) { problems += (problems.empty() ? "" : "; ") + text; };
  for (const auto& [name, tensor] : state) {
    xgrad::detail::check_defined("load_state_dict", tensor);
    if (!given.emplace(name, &tensor).second) problem("'" + name + "' is given twice");
  }
  NoGrad guard;
  std::vector<std::pair<Tensor, Tensor>> assignments;
  for_each_parameter(*this, [&](const std::string& name, Tensor& tensor) {
    const auto found = given.find(name);
    if (found == given.end()) {
      if (options.strict) problem("'" + name + "' is missing");
      return;
    }
    const Tensor& value = *found->second;
    given.erase(found);
    if (!tensor.is_leaf()) problem("'" + name + "' of the model is computed from other tensors, and cannot be assigned");
    else if (value.shape() != tensor.shape() || !is_floating(value.dtype()))
      problem("'" + name + "' is " + describe(value) + " where the model has " + describe(tensor));
    else assignments.emplace_back(tensor, value.detach().to(tensor.dtype()));
  });
  if (options.strict)
    for (const auto& [name, tensor] : state)
      if (given.contains(name)) problem("'" + name + "' is unknown to the model");
  if (!problems.empty()) throw std::invalid_argument("load_state_dict: " + problems);
  std::vector<Tensor> values;
  for (const auto& [tensor, value] : assignments) values.push_back(value);
  evaluate(values);
  for (auto& [tensor, value] : assignments) tensor.assign(value);
}

Tensor parameter(const Tensor& values) {
  xgrad::detail::check_defined("parameter", values);
  if (!is_floating(values.dtype()))
    throw std::invalid_argument("parameter: values of shape " + describe(values) +
                                " carry no gradients; use float32 or float64");
  Tensor leaf = values.evaluate().detach();
  leaf.set_requires_grad(true);
  detail::await_owner(leaf);
  return leaf;
}

std::ostream& operator<<(std::ostream& stream, const Module& module) {
  struct Line {
    std::string name, shape, dtype;
    bool frozen;
  };
  std::vector<Line> lines;
  std::size_t longest_name = 0, longest_shape = 0;
  for (const auto& [name, parameter] : module.named_parameters()) {
    lines.push_back({name, to_string(parameter.shape()), std::string(name_of(parameter.dtype())), !parameter.requires_grad()});
    longest_name = std::max(longest_name, name.size());
    longest_shape = std::max(longest_shape, lines.back().shape.size());
  }
  const auto padded = [](std::string text, std::size_t width) { return text.append(width - text.size(), ' '); };
  for (const Line& line : lines)
    stream << padded(line.name, longest_name) << "  " << padded(line.shape, longest_shape) << "  " << line.dtype << (line.frozen ? "  frozen\n" : "\n");
  return stream << module.parameter_count() << " parameters\n";
}

namespace detail {

ParameterSwap::ParameterSwap(Module& module, const std::vector<Tensor>& replacements) {
  const std::vector<Tensor> parameters = module.parameters();
  if (parameters.size() != replacements.size())
    throw std::invalid_argument("ParameterSwap: " + std::to_string(replacements.size()) + " tensors for " +
                                std::to_string(parameters.size()) + " parameters");
  for (std::size_t i = 0; i < parameters.size(); ++i)
    if (replacements[i].shape() != parameters[i].shape())
      throw std::invalid_argument("ParameterSwap: a tensor of shape " + to_string(replacements[i].shape()) +
                                  " for a parameter of shape " + to_string(parameters[i].shape()));
  for_each_parameter(module, [&](const std::string&, Tensor& member) { originals_.emplace_back(&member, member); });
  std::unordered_map<const xgrad::detail::Node*, std::size_t> index;
  for (std::size_t i = 0; i < parameters.size(); ++i) index.emplace(parameters[i].node(), i);
  for (auto& [member, original] : originals_) *member = replacements[index.at(original.node())];
}

ParameterSwap::~ParameterSwap() {
  for (auto& [member, original] : originals_) *member = original;
}

}  // namespace detail
}  // namespace xgrad::nn
