// What an optimiser computes in a step. For those that run steps.
#pragma once

#include <autodiff/evaluate/traced_function.hpp>
#include <nn/optim/optimizer.hpp>
#include <optional>
#include <utility>
#include <vector>

namespace xgrad::nn {

/// Lists that a step fills in anew.
struct Optimizer::Stepping {
  std::vector<std::size_t> chosen;               ///< the parameters to be updated
  std::vector<xgrad::detail::Node*> inputs;      ///< some of the step's own, then those gathered
  // Gathered:
  std::size_t before = 0;                        ///< how many inputs were there
  std::vector<Part> parts;
  std::vector<std::pair<std::int64_t, DType>> counts;
  std::vector<Tensor> scalars;
  std::size_t per_count = 0;
};

struct Optimizer::Plan {
  std::vector<Part> parts;
  std::vector<bool> updated;              ///< of the parts
  std::vector<std::size_t> states_after;  ///< of those updated
  std::size_t results_before = 0;         ///< those of the gradients' function
  std::optional<double> rate;             ///< the learning rate that the plan holds for, if that is one alone
  std::optional<xgrad::detail::TracedFunction> computation;
};

}  // namespace xgrad::nn
