// Values and first derivatives of the catalogue's elementwise rows in many digits.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <tests/sweep/real.hpp>
#include <vector>

namespace xgrad::sweep {

using Arguments = std::vector<Real>;
using Function = std::function<Real(const Arguments&)>;

/// An exact function with its derivatives, as a row's op has them: NaN where it has none, subgradients as documented.
struct Reference {
  Function value;
  std::vector<Function> derivatives = {};  ///< with respect to each argument; none where the op gives no gradient
  /// Sizes whose unit in the last place errors are at least measured in, where the op does not promise digits of small results;
  /// of the value and of the derivatives.
  Function value_size = {}, derivative_size = {};
  /// What the op computes on the way to its value: where that overflows, the value may be infinite or NaN.
  Function on_the_way = {};
  bool tells_zeros_apart = true;  ///< whether the sign of a zero is part of the value
};

/// By name of the row.
const std::map<std::string, Reference>& references();

}  // namespace xgrad::sweep
