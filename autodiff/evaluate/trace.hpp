// What a function records, to be compared with what it records another time.
#pragma once

#include <autodiff/core/tape.hpp>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace xgrad::detail {

/// The ops that lead from a function's inputs to its results, and the values of what else it uses. To be made while the function is
/// being captured.
class Trace {
 public:
  Trace(std::span<const Tensor> inputs, std::span<const Tensor> results);
  /// What is different in `other`, or nothing. Ops of a user's own class are taken to be alike, as are leaves that were assigned to.
  std::string difference(const Trace& other) const;

 private:
  enum class Origin : std::uint8_t { step, input, outside };
  struct Source {
    Origin origin;
    std::size_t index;
    bool operator==(const Source&) const = default;
  };
  struct Step {
    std::shared_ptr<const Op> op;
    DType dtype;
    Shape shape;
    std::vector<Source> inputs;
  };

  std::vector<Step> steps_;
  std::vector<Tensor> outside_;  ///< what it uses beside its inputs: a leaf that was assigned to stands for its values
  std::vector<Source> results_;
};

/// Calls `record` on tensors that stand in for `inputs`, on behalf of `name`, and throws std::logic_error, naming what is different,
/// unless it records what `before` has. Nothing is computed. The first `arguments` of the inputs are what a message shows.
void verify_trace(std::string_view name, const Trace& before, std::span<Node* const> inputs, std::size_t arguments,
                  const std::function<std::vector<Tensor>(std::span<const Tensor>)>& record);

}  // namespace xgrad::detail
