// How values are asked for. The floors below the evaluator call it through these; evaluate/evaluate.cpp defines them.
#pragma once

#include <autodiff/core/tape.hpp>
#include <span>

namespace xgrad::detail {

/// Computes the values of nodes and of whatever they need that is not computed yet.
void evaluate(std::span<Node* const> roots);
inline void evaluate(Node* root) { evaluate(std::span<Node* const>(&root, 1)); }

/// Computes a node that another thread recorded. From then on threads may look at it without a lock.
void evaluate_recorded_elsewhere(Node& node);

/// The value of a computed node, row-major without gaps. Memory of it is kept as long as the node; several threads may
/// ask at once.
Value contiguous_value(Node& node);

/// Lets go of what led to a node, which it no longer needs.
void forget(Node& node);

/// Memory for a node's value, row-major.
Value fresh_value(const Node& node);

}  // namespace xgrad::detail
