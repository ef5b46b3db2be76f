#include <algorithm>
#include <autodiff/debug/gradcheck_internal.hpp>
#include <autodiff/transforms/shown_op.hpp>
#include <autodiff/debug/graph.hpp>
#include <autodiff/core/tape.hpp>
#include <cmath>

namespace xgrad::detail {
namespace {

// More entries of an op's Jacobian than these are not worth their time: a direction of each input is.
constexpr std::int64_t most_entries = 1 << 14;

std::string shapes_text(std::span<const Tensor> inputs) {
  std::string text;
  for (const Tensor& input : inputs) text += (text.empty() ? "" : " and ") + to_string(input.shape());
  return text;
}

/// An op of a recording as a function of its own, of those inputs whose gradient it is asked for: leaves of the values they had.
GradientProblem alone(const GradientProblem& of, const Node& node) {
  GradientProblem problem;
  problem.check = of.check;
  problem.options = {.rtol = of.options.rtol, .atol = of.options.atol, .step = of.options.step, .seed = of.options.seed};
  std::vector<Tensor> all;
  std::vector<std::size_t> asked;
  std::int64_t elements = 0;
  for (const Tensor& input : std::as_const(node.inputs).span()) {
    all.push_back(input.detach());
    if (!input.requires_grad()) continue;
    asked.push_back(all.size() - 1);
    elements += input.size();
    problem.inputs.push_back(all.back());
    problem.options.names.push_back("input " + std::to_string(asked.back()));
  }
  problem.options.tolerances.assign(asked.size(), {of.options.rtol, of.options.atol});
  problem.options.forward = of.options.forward;
  problem.options.accept_kinks = of.options.accept_kinks;
  problem.options.fast = of.options.fast || !of.options.directions.empty() || elements * size_of(node.shape) > most_entries;
  problem.f = [op = node.op, shape = node.shape, dtype = node.dtype, all, asked](const std::vector<Tensor>& given) {
    std::vector<Tensor> inputs = all;
    for (std::size_t i = 0; i < asked.size(); ++i) inputs[asked[i]] = given[i];
    if (const auto* shown = dynamic_cast<const ShownOp*>(op.get())) inputs[0] = shown->compute({inputs.begin() + 1, inputs.end()});
    return record(op, inputs, shape, dtype);
  };
  return problem;
}

/// Why differences of an op say nothing of it, though gradients may be right.
std::string coarse(const Node& node) {
  const std::span<const Tensor> inputs = std::as_const(node.inputs).span();
  const bool found = node.dtype == DType::float32 ||
                     std::any_of(inputs.begin(), inputs.end(), [](const Tensor& x) { return x.requires_grad() && x.dtype() == DType::float32; });
  return found ? "it computes in float32, too coarsely for differences" : "";
}

std::string indented(const std::string& text) {
  std::string result = "    ";
  for (const char c : text) result += c == '\n' ? "\n    " : std::string(1, c);
  return result;
}

}  // namespace

std::string responsible_op(const GradientProblem& problem, int order) {
  GradMode tracking(true);
  std::vector<Tensor> leaves;
  for (const Tensor& input : problem.inputs) {
    leaves.push_back(is_floating(input.dtype()) ? input.detach().to(DType::float64).detach() : input);
    if (is_floating(input.dtype())) leaves.back().set_requires_grad();
  }
  const Tensor output = problem.f(leaves);
  std::vector<const Node*> ops;  // those of the gradient: computing values frees others
  for (const Node* node : recorded(problem.check, output))
    if (node->op && node->requires_grad) ops.push_back(node);
  const std::string count = std::to_string(ops.size());
  if (ops.empty()) return "\n  no op is responsible: nothing that depends on the inputs is recorded; a value was detached or read on the way";

  for (std::size_t i = 0; i < ops.size(); ++i) {
    const Node& node = *ops[i];
    std::string why = coarse(node);
    if (why.empty()) {
      const GradientProblem op = alone(problem, node);
      why = disagreement(op).text;
      if (why.empty() && order == 2) {
        why = disagreement(second_order(op)).text;
        if (!why.empty()) why = "to second order, " + why;
      }
    }
    if (!why.empty())
      return "\n  responsible: op " + std::to_string(i + 1) + " of " + count + " recorded, '" + std::string(node.op->name()) + "' of shapes " +
             shapes_text(std::as_const(node.inputs).span()) + " giving " + to_string(node.shape) + "; alone,\n" + indented(why);
  }
  return "\n  no op alone is responsible: each of the " + count +
         " recorded agrees with its own differences; a value may have been detached or read on the way";
}

}  // namespace xgrad::detail
