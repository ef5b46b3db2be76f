// Ops that show a value which was computed before they were recorded: custom functions, checkpoints.
#pragma once

#include <autodiff/core/tape.hpp>
#include <span>
#include <vector>

namespace xgrad::detail {

/// Beside `Op`: its first input is that value, the others are what it was computed of.
class ShownOp {
 public:
  virtual ~ShownOp() = default;
  /// The value for other inputs.
  virtual Tensor compute(const std::vector<Tensor>& inputs) const = 0;
};

}  // namespace xgrad::detail
