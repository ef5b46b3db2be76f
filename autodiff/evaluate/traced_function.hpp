// A function of tensors that is recorded once and then computed without being called, such as an optimiser's step.
#pragma once

#include <autodiff/core/trace_state.hpp>
#include <autodiff/evaluate/plan_cache.hpp>
#include <autodiff/evaluate/executable.hpp>
#include <autodiff/core/tape.hpp>
#include <autodiff/evaluate/trace.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace xgrad::detail {

class TracedFunction {
 public:
  using Function = std::function<std::vector<Tensor>(std::span<const Tensor> inputs)>;
  /// Whether the function may read values as it is recorded. Its results may then depend on them in ways that are not recorded, so
  /// that it fits no other inputs.
  enum class Reads : std::uint8_t { refused, noted };

  /// Records `function`, on behalf of `name`, on tensors that stand in for `inputs`. Of those that are `replaced`, `run` may write over
  /// the values of inputs that nothing else holds, once nothing can fail any more; the caller then puts a result in their place.
  /// Other leaves that it uses are referred to: `run` takes their values of then. Throws what `function` does, and std::logic_error,
  /// where refused, if it reads a value.
  TracedFunction(std::string_view name, std::span<Node* const> inputs, const std::vector<bool>& replaced, const Function& function,
                   Reads reads);

  /// A hash of the dtypes and shapes of inputs.
  static std::uint64_t hash_of(std::span<Node* const> inputs);
  /// A measure of the memory that it takes: values that its plan knows.
  std::size_t size() const;

  /// Whether `run` may be given these inputs. Throws what ops that check the values of leaves would.
  bool fits(std::span<Node* const> inputs) const;
  /// The results, until the next call; they may be moved from. Throws what ops do, with all inputs as they were.
  std::span<Value> run(std::span<Node* const> inputs);

  struct Form {
    DType dtype;
    Shape shape;
    bool matches(const Node& node) const { return node.dtype == dtype && node.shape == shape; }
  };
  /// The forms of the results.
  std::span<const Form> forms() const { return result_forms_; }
  /// Whether it uses leaves, beside its inputs, that require gradients.
  bool uses_parameters() const;

  /// What was recorded, where later runs are to verify it.
  std::optional<Trace> trace;

 private:
  struct Place {
    enum class Origin : std::uint8_t { computed, input, constant };
    Origin origin;
    std::uint32_t index;
    bool last = true;  ///< of a result: none after this one is the same
  };
  /// A tensor that the function uses beside its inputs.
  struct Constant {
    Tensor tensor;
    // What is known of the value it was recorded with:
    Form form;
    bool contiguous;
    Known known;
    bool fixed;  ///< it was made by the function, so nobody else can change it
  };
  struct Check {
    Place place;
    ValuesCheck check;
    bool result;
  };
  Node* at(const Place& place, std::span<Node* const> inputs) const {
    return place.origin == Place::Origin::input ? inputs[place.index] : resolve(constants_[place.index].tensor.node());
  }

  bool pure_ = false;
  std::vector<Form> forms_, result_forms_;
  std::vector<bool> replaced_;
  std::shared_ptr<const Executable> graph_;  ///< none where nothing is left to compute
  std::vector<Place> values_;                   ///< where those of the graph come from
  std::vector<Place> results_;
  std::vector<Constant> constants_;
  std::vector<Check> checks_;
  // These belong to the run under way.
  std::vector<Node*> nodes_, value_nodes_;
  std::vector<bool> spare_;
  std::vector<Tensor> packed_;  ///< in place of inputs that are not row-major
  std::vector<Value> computed_, run_results_;
};

/// Captured functions by the hash of what they were captured for, bounded by the memory that they take.
template <class T>
struct TracedFunctions : LeastRecentlyUsed<T> {
  TracedFunctions() : LeastRecentlyUsed<T>(1 << 18) {}  // some hundred megabytes
};

}  // namespace xgrad::detail
