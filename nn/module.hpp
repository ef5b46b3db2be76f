#pragma once

#include <autodiff/core/tape.hpp>
#include <iosfwd>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace xgrad::nn {

class Module;

/// Tensors by name, in order of declaration.
using NamedTensors = std::vector<std::pair<std::string, Tensor>>;
/// The values of a model: a snapshot that later training does not change.
using StateDict = NamedTensors;

/// Sees the members of a module in order of declaration.
class MemberVisitor {
 public:
  virtual ~MemberVisitor() = default;
  virtual void parameter(std::string_view name, Tensor& tensor) = 0;
  virtual void child(std::string_view name, Module& module) = 0;
};

/// Options of `Module::load_state_dict` and `load`.
struct LoadOptions {
  bool strict = true;  ///< names must be the same on both sides; else what only one side has is left alone
};

/// Base of everything with parameters. A module declares what it is made of in one line and is called as a function:
///
///     struct Classifier : nn::Module {
///       nn::Linear hidden{784, 256}, output{256, 10};
///       XGRAD_MODULE(hidden, output)
///       Tensor operator()(const Tensor& x) const { return output(relu(hidden(x))); }
///     };
///
/// Modules move but do not copy, for a copy of tensors would share its parameters with the original unnoticed. To keep
/// a model's values, take its `state_dict()`, which is a snapshot; to have a second model with them, construct one and
/// load them into it. To share a parameter on purpose, assign the handle: `decoder.weight = encoder.weight`.
class Module {
 public:
  Module() = default;
  Module(Module&&) = default;
  Module& operator=(Module&&) = default;
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;
  virtual ~Module() = default;

  /// Parameters of this module and its children, named by their path, `hidden.weight`; elements of vectors and
  /// arrays by index, `layers.0.weight`. A parameter that is shared appears once, under its first name.
  NamedTensors named_parameters() const;
  /// As `named_parameters`, without the names. The handles stay valid when the module moves.
  std::vector<Tensor> parameters() const;
  /// Elements of all parameters together.
  std::int64_t parameter_count() const;
  /// Children by name, those of children not included.
  std::vector<std::pair<std::string, Module*>> named_children();

  /// Sets the mode of this module and its children; a new module is in training mode.
  void train(bool training = true);
  void eval() { train(false); }
  bool training() const noexcept { return training_; }

  /// Converts parameters and their gradients in place, for every handle to them; a parameter that does not require
  /// gradients loses the one it may still have.
  /// Throws std::invalid_argument unless `dtype` is floating.
  void to(DType dtype);

  /// Drops the gradients of all parameters.
  void zero_grad();

  /// The values of all parameters by name. Shares memory with the model until that changes; a parameter that is shared
  /// appears under each of its names.
  StateDict state_dict() const;
  /// Takes over values, cast to each parameter's dtype. Everything is checked before anything changes. Throws
  /// std::invalid_argument, naming every offender, for names missing or unknown (when strict) or given twice, other
  /// shapes, and values that are not floating; std::logic_error for undefined tensors.
  void load_state_dict(const StateDict& state, const LoadOptions& options = {});

  /// Shows `visitor` every member that XGRAD_MODULE names.
  virtual void visit_members(MemberVisitor& visitor);

 private:
  bool training_ = true;
};

/// A line for each parameter, with its name, shape and dtype, and how many elements they have together:
///
///     hidden.weight  (16, 2)  float32
///     hidden.bias    (16,)    float32
///     48 parameters
///
/// The line of a parameter that requires no gradient ends with "frozen".
std::ostream& operator<<(std::ostream& stream, const Module& module);

/// A leaf of the values given that gathers gradients: what a member of type Tensor is to hold to be trained.
/// An optimiser's step throws std::logic_error where one has a gradient but no module names it (XGRAD_MODULE) and no optimiser has it.
/// Throws std::invalid_argument unless `values` is floating.
Tensor parameter(const Tensor& values);

namespace detail {

template <class T>
void visit_member(MemberVisitor& visitor, std::string_view name, T& member) {
  if constexpr (std::is_base_of_v<Module, T>) {
    visitor.child(name, member);
  } else if constexpr (std::is_same_v<T, Tensor>) {
    visitor.parameter(name, member);
  } else if constexpr (requires { *member; static_cast<bool>(member); }) {
    if (member) visit_member(visitor, name, *member);
  } else if constexpr (requires { member.begin(); member.end(); }) {
    std::size_t i = 0;
    for (auto& element : member) visit_member(visitor, std::string(name) + '.' + std::to_string(i++), element);
  } else {
    static_assert(std::is_same_v<T, void>,
                  "XGRAD_MODULE takes tensors, modules, and vectors, arrays, optionals and pointers of them");
  }
}

/// `names` as the preprocessor spells a list of arguments: "hidden, output".
template <class... Members>
void visit_members(MemberVisitor& visitor, std::string_view names, Members&... members) {
  const auto next = [&names] {
    const std::size_t end = names.find(',');
    std::string_view name = names.substr(0, end);
    names.remove_prefix(end == names.npos ? names.size() : end + 1);
    while (!name.empty() && name.front() == ' ') name.remove_prefix(1);
    while (!name.empty() && name.back() == ' ') name.remove_suffix(1);
    return name;
  };
  (visit_member(visitor, next(), members), ...);
}

/// While it lives, the parameters of a module are other tensors: recorded computations, values of another dtype.
class ParameterSwap {
 public:
  /// `replacements` in the order of `module.parameters()`. Throws std::invalid_argument for another number or shape.
  ParameterSwap(Module& module, const std::vector<Tensor>& replacements);
  ~ParameterSwap();
  ParameterSwap(const ParameterSwap&) = delete;
  ParameterSwap& operator=(const ParameterSwap&) = delete;

 private:
  std::vector<std::pair<Tensor*, Tensor>> originals_;
};

}  // namespace detail
}  // namespace xgrad::nn

/// Names the members a module is made of: parameters (Tensor), child modules, and vectors, arrays, optionals and
/// pointers of either. Their order is that of `named_parameters`. Inherited members are listed again. One that is left out would be
/// neither trained nor saved nor checked: `nn::parameter`, `nn::TrainStep` and `nn::gradcheck` say when that is noticed.
#define XGRAD_MODULE(...)                                                                                   \
  void visit_members([[maybe_unused]] ::xgrad::nn::MemberVisitor& visitor) override {                       \
    __VA_OPT__(::xgrad::nn::detail::visit_members(visitor, #__VA_ARGS__, __VA_ARGS__);)                     \
  }
