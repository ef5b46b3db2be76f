#pragma once

#include <autodiff/core/function.hpp>
#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

namespace xgrad {

/// What derivatives with respect to one input may differ by: atol + rtol · max(|analytic|, |numeric|).
struct Tolerance {
  double rtol = 1e-6;
  double atol = 1e-8;
};

/// Options of `gradcheck` and `gradgradcheck`.
struct GradcheckOptions {
  double rtol = 1e-6;      ///< |analytic - numeric| <= atol + rtol · max(|analytic|, |numeric|) + the differences' own error
  double atol = 1e-8;
  double step = 0;         ///< of the differences, times max(1, |x|); 0 chooses one for float64
  std::uint64_t seed = 0;  ///< of the random directions
  /// One random direction of each input is all that is looked at: the number of calls does not grow with the inputs' sizes. A
  /// failure names the input but no entry, for the Jacobian is not formed.
  bool fast = false;
  /// Directions of your own, one for each input and of its shape; an undefined one is chosen at random, one of zeros leaves its
  /// input alone. They are all that is looked at, as in `fast`.
  std::vector<Tensor> directions = {};
  std::vector<Tolerance> tolerances = {};  ///< one for each input, in place of `rtol` and `atol`
  std::vector<std::string> names = {};     ///< one for each input: what a report calls it in place of "input 0"
  /// Where the derivatives from the left and from the right differ, anything between them passes, as a subgradient does. Otherwise
  /// such a place fails and is reported as one where `f` is not differentiable.
  bool accept_kinks = false;
  bool forward = true;  ///< whether the gradient is checked against `jvp`, too
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
///
/// The ops that `f` records are then checked one by one, in order, each alone and at the values it had: the report names the first
/// whose own rule is wrong, or says that none is, as when `f` detaches a value. An op in a `checkpoint` is not looked for.
///
/// Beyond differences, it must hold that: `f` and its gradient are the same bits from call to call; both are finite; the gradient
/// is linear in the cotangent; `f` leaves its inputs alone; and <v, J u> by forward mode is <Jᵀ v, u> by reverse mode, to about
/// rounding. Forward mode is the derivative of the gradient with respect to its cotangent (see `jvp`), so the last can only reveal
/// rules that are not differentiable, or wrongly so, in the cotangent: a rule that is wrong and linear gives the same wrong
/// number both ways. It is left out for inputs whose gradient is not recorded as a function of the cotangent.
///
/// `inputs` are float64 leaves (others are cast); all floating ones are checked; none is altered. Inputs `f` does not depend on have
/// gradient zero. Throws std::invalid_argument when there is nothing to check: no floating input, or an output that is not
/// floating; and for options of another number than the inputs, or directions of another shape or not finite.
GradcheckResult gradcheck(const TensorFunction& f, const std::vector<Tensor>& inputs, const GradcheckOptions& options = {});

/// As `gradcheck`, for the gradients of `f`: derivatives of second order. The cotangent is one more input, with the options' own
/// tolerance and a random direction.
GradcheckResult gradgradcheck(const TensorFunction& f, const std::vector<Tensor>& inputs, const GradcheckOptions& options = {});

}  // namespace xgrad
