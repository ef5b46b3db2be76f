// The parts of gradcheck, shared by its sources.
#pragma once

#include <autodiff/debug/gradcheck.hpp>
#include <functional>
#include <random>
#include <string>
#include <vector>

namespace xgrad::detail {

using Doubles = std::vector<double>;

Doubles values_of(const Tensor& tensor);
Tensor tensor_of(const Doubles& values, const Shape& shape);

/// What differences say of a derivative.
struct Numeric {
  double value = 0;
  double truncation = 0;  ///< estimated error of the stencil
  double rounding = 0;    ///< error of the differences' arithmetic
  double least = 0;       ///< what that is with the longest step
};

/// A function whose gradients are checked, and what a report calls its parts.
struct GradientProblem {
  std::string check;  ///< "gradcheck"
  TensorFunction f;
  std::vector<Tensor> inputs;
  GradcheckOptions options;  ///< with tolerances for each input
  /// What an element of the output is, if an index into its shape does not say it.
  std::function<std::string(std::int64_t element)> output_at = {};

  std::string name_of_input(std::size_t input) const {
    return options.names.empty() ? "input " + std::to_string(input) : options.names[input];
  }
};

/// Why gradients disagree.
struct Disagreement {
  std::string text;  ///< nothing when they agree
  bool of_ops = true;  ///< an op of the recording may be responsible
  explicit operator bool() const { return !text.empty(); }
};
Disagreement disagreement(const GradientProblem& problem);

/// The gradients of the problem's function as a function, with one more input: the cotangent.
/// Throws std::invalid_argument for an output that is not floating.
GradientProblem second_order(const GradientProblem& problem);

/// The lines of a report that name the first op in the recording of the problem's function that disagrees when it is checked
/// alone, to first or to second order, or say that none does.
std::string responsible_op(const GradientProblem& problem, int order);

/// One check under way.
class GradientChecker {
 public:
  explicit GradientChecker(const GradientProblem& problem);
  Disagreement run();

 private:
  /// Derivatives at a point from the left and from the right.
  struct Sides {
    double left, right;
    bool differ;  ///< by more than smooth functions and rounding explain
  };

  Tensor call(const std::vector<Tensor>& inputs) const;
  Doubles evaluate(const std::vector<Tensor>& inputs) const;
  std::vector<Doubles> backward(const Doubles& cotangent) const;
  Doubles moved(std::size_t input, std::size_t element, double t) const;
  void record();

  Doubles signs(std::size_t n);
  Doubles direction(std::size_t i, const Doubles& gradient, double magnitude);

  std::string check_same(const std::vector<Doubles>& gradient, const std::vector<Doubles>& again) const;
  std::string check_linear(const Doubles& v, const std::vector<Doubles>& gradient);
  std::string check_directions(const Doubles& output, const Doubles& v, const std::vector<Doubles>& gradient);
  std::string check_entries(const Doubles& output);
  std::string check_forward(const Doubles& v, const std::vector<Doubles>& gradient);

  template <class F>
  double corner_of(const F& f, double centre, double h, double magnitude) const;
  double step(double chosen) const;
  double bound(std::size_t i, double analytic, const Numeric& numeric) const;
  bool agrees(std::size_t i, double analytic, const Numeric& numeric) const;
  /// `f` is a function of a number whose values are about `magnitude` large, `error` what is to be explained.
  template <class F>
  Sides sides(const F& f, double scale, double magnitude, double error) const;
  bool accepts(std::size_t i, double analytic, const Numeric& numeric, const Sides& sides) const;

  std::string compared(std::size_t i, double analytic, const Numeric& numeric, const Sides& sides) const;
  std::string input_text(std::size_t i) const;
  std::string where(std::size_t i, std::size_t element) const;
  std::string output_text(std::size_t element) const;

  const GradientProblem& problem_;
  const GradcheckOptions& options_;
  std::mt19937_64 generator_;
  std::vector<Tensor> given_;
  std::vector<Doubles> values_;
  std::vector<std::size_t> checked_;  ///< which inputs are floating; the others are counted in this vector
  std::vector<Tensor> leaves_;
  Tensor recorded_;
  Shape shape_;
  bool found_corner_ = false;
};

}  // namespace xgrad::detail
