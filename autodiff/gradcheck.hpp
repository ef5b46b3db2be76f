#pragma once

#include <autodiff/tensor.hpp>
#include <cstdint>
#include <functional>
#include <iosfwd>
#include <string>
#include <vector>

namespace xgrad {

/// A function of several tensors, of any output shape.
using TensorFunction = std::function<Tensor(const std::vector<Tensor>&)>;

/// Options of `gradcheck` and `gradgradcheck`.
struct GradcheckOptions {
  double rtol = 1e-6;      ///< |analytic - numeric| <= atol + rtol · max(|analytic|, |numeric|) + the differences' own error
  double atol = 1e-8;
  double step = 0;         ///< of the differences, times max(1, |x|); 0 chooses one for float64
  std::uint64_t seed = 0;  ///< of the random directions
};

/// What a check found. True when it passed; prints where it failed. Converts to testing::AssertionResult, so
/// `EXPECT_TRUE(gradcheck(f, {x, y}))` prints the report.
class GradcheckResult {
 public:
  GradcheckResult() = default;
  explicit GradcheckResult(std::string report) : passed_(false), report_(std::move(report)) {}

  explicit operator bool() const { return passed_; }
  const std::string& report() const { return report_; }

  template <class Assertion>
    requires requires(Assertion a, std::string s) { { Assertion(true) << s } -> std::same_as<Assertion&>; a.failure_message(); }
  operator Assertion() const {
    return Assertion(passed_) << report_;
  }

 private:
  bool passed_ = true;
  std::string report_;
};
std::ostream& operator<<(std::ostream& stream, const GradcheckResult& result);

/// Compares the gradients of `f` by the tape with central differences of `f`, in float64. The gradient is projected on a
/// random direction first; only when that differs is the whole Jacobian formed, to name the worst entry: input, index,
/// output index, analytic and numeric value, and the bound they exceed. Where left and right differences disagree the report says
/// that `f` is not differentiable there.
/// `inputs` are float64 leaves (others are cast); all floating ones are checked; none is altered. Non-finite values,
/// results that change from call to call, and inputs `f` does not depend on (gradient zero) are handled and reported.
/// Throws std::invalid_argument when there is nothing to check: no floating input, or an output that is not floating.
GradcheckResult gradcheck(const TensorFunction& f, const std::vector<Tensor>& inputs, const GradcheckOptions& options = {});

/// As `gradcheck`, for the gradients of `f`: derivatives of second order.
GradcheckResult gradgradcheck(const TensorFunction& f, const std::vector<Tensor>& inputs, const GradcheckOptions& options = {});

}  // namespace xgrad
