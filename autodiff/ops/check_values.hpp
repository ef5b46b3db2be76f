// Functions that refuse some values of their arguments, whoever computes them and whenever.
#pragma once

#include <autodiff/core/evaluator.hpp>
#include <autodiff/core/trace_state.hpp>
#include <string_view>
#include <utility>

namespace xgrad::detail {

struct Checked {
  Tensor values;        ///< to be used in place of what was checked
  bool result = false;  ///< what the check said; false where that is not known yet
};

/// check(x) as it is now: what is not computed yet is computed.
template <class F>
bool check_now(const Tensor& x, const F& check) {
  Node& node = *resolve(x.node());
  Tracing::note_read();
  evaluate(&node);
  return check(std::as_const(node).array());
}

/// While a function is being captured: see check_values.
Checked check_captured(std::string_view op, const Tensor& x, ValuesCheck check);

/// A check of the values of x on behalf of `op`: at the call, so that an error appears there. A function that is being captured makes it
/// again in each run: of a leaf before the run, which with another result fits no longer; of what the function computes by an op, behind
/// which nothing that cannot be undone happens. `check` may look at any number of elements of any shape.
template <class F>
Checked check_values(std::string_view op, const Tensor& x, F check) {
  if (Capturing::active()) [[unlikely]] return check_captured(op, x, std::move(check));
  const bool result = check_now(x, check);
  return {x, result};
}

}  // namespace xgrad::detail
