// A computation that comes back with the values it gave the time before, such as an optimiser's step.
#pragma once

#include <autodiff/evaluate/compiled.hpp>
#include <functional>
#include <memory>
#include <span>
#include <vector>

namespace xgrad::detail {

/// A function of tensors, recorded once and computed again and again, over the old values where nobody else holds them.
class UpdatePlan {
 public:
  using Function = std::function<std::vector<Tensor>(std::span<const Tensor> inputs)>;

  /// Records `function` on tensors that stand in for `inputs`. Of those that are `replaced`, `run` may write over the values
  /// of inputs that nothing else holds, unless it may throw; the caller then puts a result in their place.
  UpdatePlan(std::span<Node* const> inputs, const std::vector<bool>& replaced, const Function& function);

  /// Whether inputs are of the shapes and dtypes recorded, and the function reads no value, on which more may depend.
  bool fits(std::span<Node* const> inputs) const;
  /// The results, until the next call; they may be moved from.
  std::span<Value> run(std::span<Node* const> inputs);

  struct Form {
    DType dtype;
    Shape shape;
  };
  /// Of the results.
  std::span<const Form> forms() const { return result_forms_; }

 private:
  struct Result {
    enum class Origin : std::uint8_t { computed, input, constant };
    Origin origin;
    std::uint32_t index;
    bool last = true;  ///< none of the results after this one is the same
  };
  bool pure_ = false;
  std::vector<Form> forms_, result_forms_;
  std::vector<bool> replaced_;
  std::shared_ptr<const CompiledGraph> graph_;  ///< none where nothing is left to compute
  std::vector<Result> values_;                  ///< where those of the graph come from
  std::vector<Result> results_;
  std::vector<Tensor> constants_;
  // Of the run under way.
  std::vector<Node*> nodes_, value_nodes_;
  std::vector<bool> spare_;
  std::vector<Tensor> packed_;  ///< in place of inputs that are not row-major
  std::vector<Value> computed_, run_results_;
};

/// Gives a leaf a new value of its dtype and shape: in its node, unless something else refers to that.
void replace_value(Tensor& tensor, Value value);

}  // namespace xgrad::detail
