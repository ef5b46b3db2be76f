// A group of elementwise nodes computed in one pass.
#pragma once

#include <autodiff/tape.hpp>
#include <span>

namespace xgrad::detail {

/// Computes elementwise nodes of one shape, each after its inputs, tile by tile: what only they need never leaves the
/// cache. `stored[i]` says whether node i's value is needed elsewhere; the others stay without a value.
void run_group(std::span<Node* const> nodes, std::span<const bool> stored);

}  // namespace xgrad::detail
