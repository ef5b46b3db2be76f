#pragma once

#include <autodiff/core/tensor.hpp>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace xgrad::detail {
struct Value;
}

namespace xgrad::nn {

/// Changes parameters by their gradients. A step computes everything before it assigns anything: one that throws
/// leaves the parameters and the optimiser as they were.
class Optimizer {
 public:
  virtual ~Optimizer();
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  /// One update of every parameter that requires and has a gradient; others are left alone. Throws std::logic_error where a parameter
  /// that `nn::parameter` made has a gradient, and neither a module names it nor an optimiser has it.
  void step();
  /// Drops the gradients of all parameters.
  void zero_grad();

  double learning_rate() const noexcept {
    rate_read_ = true;
    return learning_rate_;
  }
  /// Throws std::invalid_argument unless the rate is finite and not negative.
  void set_learning_rate(double learning_rate);

  const std::vector<Tensor>& parameters() const noexcept { return parameters_; }

 protected:
  /// Throws std::invalid_argument, naming `name`, for no parameters, one given twice or not floating, and a learning
  /// rate that is negative or not finite; std::logic_error for undefined tensors and results of ops.
  Optimizer(std::string name, std::vector<Tensor> parameters, double learning_rate);

  /// What the optimiser keeps for a parameter: empty before the parameter's first step.
  using State = std::vector<Tensor>;
  struct Update {
    Tensor value;  ///< the parameter's next value
    State state;
  };
  /// Numbers that change from step to step, those of a parameter's `step`th update (from 1). By default the learning rate alone.
  virtual std::vector<double> coefficients(std::int64_t step) const;
  /// The update of one parameter as expressions, asked for once: later steps compute the same ones of other values, so
  /// what changes comes in as `coefficients`, scalars of the parameter's dtype. (One that reads a value is asked every time.)
  virtual Update update(const Tensor& parameter, const Tensor& gradient, const State& state,
                        std::span<const Tensor> coefficients) const = 0;

  /// Throws std::invalid_argument naming this optimiser unless `condition` holds.
  void require(bool condition, std::string_view option, double value, std::string_view expected) const;

 private:
  friend class TrainStep;
  struct Slot {
    State state;
    std::int64_t steps = 0;
  };
  /// A parameter that is updated, how many states it has, and which set of coefficients is its.
  struct Part {
    std::size_t parameter, states, count;
    bool operator==(const Part&) const = default;
  };
  struct Stepping;
  struct Plan;

  /// What the next update of the parameters `stepping` lists takes, beside their gradients: their values and states, and coefficients.
  void gather(Stepping& stepping) const;
  /// Notes how results are computed from the inputs in `stepping`. `gradients` records the gradients of parameters, undefined where
  /// there are none and the parameter is left alone, from the inputs before those that were gathered and the parameters; and may put
  /// results of its own before the parameters'. Values may be read as that is recorded if it `may_read`; else that is an error.
  using Gradients = std::function<std::vector<Tensor>(std::span<const Tensor> before, std::span<const Tensor> parameters,
                                                      std::vector<Tensor>& results)>;
  std::unique_ptr<Plan> make_plan(const Stepping& stepping, const Gradients& gradients, std::string_view name, bool may_read) const;
  bool fits(const Plan& plan, const Stepping& stepping) const;
  /// Takes on what a plan has computed, `results` of its own aside.
  void take_on(const Plan& plan, std::span<xgrad::detail::Value> results);

  std::string name_;
  std::vector<Tensor> parameters_;
  std::vector<Slot> slots_;
  std::unique_ptr<Plan> plan_;  ///< of `step`
  std::unique_ptr<Stepping> stepping_;
  double learning_rate_;
  mutable bool rate_read_ = false;  ///< by an update, whose plan then holds for this rate alone
};

}  // namespace xgrad::nn
