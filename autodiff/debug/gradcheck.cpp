#include <algorithm>
#include <autodiff/gradient/backward.hpp>
#include <autodiff/debug/gradcheck_differences.hpp>
#include <autodiff/debug/gradcheck_internal.hpp>
#include <autodiff/debug/gradcheck.hpp>
#include <autodiff/ops/create.hpp>
#include <autodiff/ops/shape.hpp>
#include <autodiff/core/tape.hpp>
#include <cmath>
#include <ostream>
#include <stdexcept>

namespace xgrad {
namespace {

using detail::GradientProblem;

void check_count(const std::string& check, std::size_t count, const std::string& what, std::size_t inputs) {
  if (count != 0 && count != inputs)
    throw std::invalid_argument(check + ": " + std::to_string(count) + " " + what + " for " + std::to_string(inputs) + " inputs");
}

/// Whether a direction moves its input at all.
bool check_direction(const GradientProblem& problem, std::size_t k) {
  const Tensor &input = problem.inputs[k], &direction = problem.options.directions[k];
  const std::string for_input = " for " + problem.name_of_input(k) + " of shape " + to_string(input.shape());
  if (!direction.defined()) return is_floating(input.dtype());
  if (!is_floating(input.dtype()))
    throw std::invalid_argument(problem.check + ": a direction" + for_input + ", which is " + std::string(name_of(input.dtype())) +
                                ", not floating; leave it undefined");
  if (direction.shape() != input.shape())
    throw std::invalid_argument(problem.check + ": a direction of shape " + to_string(direction.shape()) + for_input);
  const detail::Doubles values = detail::values_of(direction);
  if (!std::all_of(values.begin(), values.end(), [](double value) { return std::isfinite(value); }))
    throw std::invalid_argument(problem.check + ": the direction" + for_input + " is not finite");
  return std::any_of(values.begin(), values.end(), [](double value) { return value != 0; });
}

/// Whether |…| <= atol + rtol · |…| makes sense of them; NaN does not.
bool usable(const Tolerance& tolerance) { return tolerance.rtol >= 0 && tolerance.atol >= 0; }

GradientProblem make_problem(std::string check, const TensorFunction& f, const std::vector<Tensor>& inputs, const GradcheckOptions& options) {
  detail::check_callable(check, f);
  for (const Tensor& input : inputs) detail::check_defined(check, input);
  if (std::none_of(inputs.begin(), inputs.end(), [](const Tensor& input) { return is_floating(input.dtype()); }))
    throw std::invalid_argument(check + ": none of the inputs is floating; there is nothing to check");
  check_count(check, options.directions.size(), "directions", inputs.size());
  check_count(check, options.tolerances.size(), "tolerances", inputs.size());
  check_count(check, options.names.size(), "names", inputs.size());
  if (!usable({options.rtol, options.atol}) || !(options.step >= 0) ||
      !std::all_of(options.tolerances.begin(), options.tolerances.end(), usable))
    throw std::invalid_argument(check + ": tolerances and step must not be negative");

  GradientProblem problem{std::move(check), f, inputs, options};
  problem.options.tolerances.resize(inputs.size(), {options.rtol, options.atol});
  bool moves = options.directions.empty();
  for (std::size_t k = 0; k < options.directions.size(); ++k) moves |= check_direction(problem, k);
  if (!moves) throw std::invalid_argument(problem.check + ": all directions are zero; there is nothing to check");
  return problem;
}

GradcheckResult report(const GradientProblem& problem, const detail::Disagreement& why, int order) {
  if (!why) return {};
  return GradcheckResult(problem.check + ": " + why.text + (why.of_ops ? detail::responsible_op(problem, order) : "") + "\n  (seed " +
                         std::to_string(problem.options.seed) + ")");
}

/// The gradients of `f` in one vector.
Tensor gradients_of(const TensorFunction& f, std::vector<Tensor> inputs, const Tensor& cotangent) {
  GradMode tracking(true);
  std::vector<Tensor> targets;
  for (Tensor& input : inputs) {
    if (!is_floating(input.dtype())) continue;
    if (!input.requires_grad()) input = input.detach().set_requires_grad();
    targets.push_back(input);
  }
  const Tensor y = f(inputs);
  std::vector<Tensor> parts(targets.size());
  if (y.requires_grad()) parts = grad({y}, targets, {.cotangents = {cotangent}, .create_graph = true, .allow_unused = true});
  for (std::size_t i = 0; i < parts.size(); ++i)
    parts[i] = flatten(parts[i].defined() ? parts[i] : zeros(targets[i].shape(), DType::float64));
  return concatenate(parts);
}

}  // namespace

GradientProblem detail::second_order(const GradientProblem& problem) {
  GradientProblem second = problem;
  std::vector<std::string> names;
  for (std::size_t k = 0; k < problem.inputs.size(); ++k) {
    Tensor& input = second.inputs[k];
    if (is_floating(input.dtype())) input = input.detach().to(DType::float64);
    names.push_back(problem.name_of_input(k));
  }
  const Tensor output = problem.f(second.inputs);
  check_defined(problem.check, output);
  if (!is_floating(output.dtype()))
    throw std::invalid_argument(problem.check + ": the output of shape " + to_string(output.shape()) + " is " +
                                std::string(name_of(output.dtype())) + ", not floating");
  // Gradients depend on the cotangent, too.
  std::mt19937_64 generator(problem.options.seed);
  std::uniform_real_distribution<double> entry(-1, 1);
  Doubles cotangent(static_cast<std::size_t>(output.size()));
  for (double& value : cotangent) value = entry(generator);
  second.inputs.push_back(tensor_of(cotangent, output.shape()));
  second.options.tolerances.push_back({problem.options.rtol, problem.options.atol});
  if (!second.options.directions.empty()) second.options.directions.emplace_back();

  second.output_at = [names, inputs = problem.inputs](std::int64_t element) {
    std::size_t k = 0;
    while (!is_floating(inputs[k].dtype()) || element >= inputs[k].size()) {
      if (is_floating(inputs[k].dtype())) element -= inputs[k].size();
      ++k;
    }
    return "gradient of " + names[k] + ", index " + index_text(static_cast<std::size_t>(element), inputs[k].shape());
  };
  names.emplace_back("the cotangent");
  second.options.names = std::move(names);
  second.f = [f = problem.f](const std::vector<Tensor>& given) { return gradients_of(f, {given.begin(), given.end() - 1}, given.back()); };
  return second;
}

GradcheckResult gradcheck(const TensorFunction& f, const std::vector<Tensor>& inputs, const GradcheckOptions& options) {
  const GradientProblem problem = make_problem("gradcheck", f, inputs, options);
  return report(problem, detail::disagreement(problem), 1);
}

GradcheckResult gradgradcheck(const TensorFunction& f, const std::vector<Tensor>& inputs, const GradcheckOptions& options) {
  const GradientProblem problem = make_problem("gradgradcheck", f, inputs, options);
  return report(problem, detail::disagreement(detail::second_order(problem)), 2);
}

std::ostream& operator<<(std::ostream& stream, const GradcheckResult& result) {
  return stream << (result ? std::string("gradients agree") : result.report());
}

}  // namespace xgrad
