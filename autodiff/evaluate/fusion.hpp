// From what has to be computed to the passes that compute it.
#pragma once

#include <autodiff/evaluate/fused_kernel.hpp>
#include <autodiff/core/tape.hpp>
#include <span>
#include <vector>

namespace xgrad::detail {

/// Nodes computed together: elementwise ones of one shape and sums of their values, or one node of another kind.
struct Pass {
  std::vector<std::uint32_t> nodes;  ///< by index, in order of recording
};

/// How the sum of another node's values can be taken in that one's pass, if at all.
FusedSum fused_sum(const Node& node);

/// The passes that compute `nodes` (each after its inputs), in an order that respects their inputs and otherwise stays
/// close to that of recording. `kept` are those whose values are needed afterwards.
std::vector<Pass> plan(std::span<Node* const> nodes, const std::vector<bool>& kept);

}  // namespace xgrad::detail
