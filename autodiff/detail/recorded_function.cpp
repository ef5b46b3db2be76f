#include <algorithm>
#include <autodiff/backward.hpp>
#include <autodiff/detail/recorded_function.hpp>
#include <autodiff/evaluate/capture.hpp>
#include <autodiff/ops/create.hpp>
#include <stdexcept>

namespace xgrad::detail {

Tensor identity(const Tensor& x) { return record(shared_op<Identity>(), {&x, 1}, x.shape(), x.dtype()); }

bool reaches_others(const Tensor& output, const std::vector<Tensor>& inputs) {
  if (!output.requires_grad()) return false;
  Node* root = resolve(output.node());
  Capture capture;
  capture.collect_recording({&root, 1});
  const auto is_input = [&](const Node* node) {
    return std::any_of(inputs.begin(), inputs.end(), [node](const Tensor& input) { return resolve(input.node()) == node; });
  };
  // An op's result that requires gradients where no input does stands in for an element of a batch (vectorize).
  const auto stands_in = [](const Node* node) {
    const auto inputs = node->inputs.span();
    return node->requires_grad && std::none_of(inputs.begin(), inputs.end(), [](const Tensor& input) { return input.requires_grad(); });
  };
  return std::any_of(capture.values.begin(), capture.values.end(), [&](const Node* node) { return node->requires_grad && !is_input(node); }) ||
         std::any_of(capture.nodes.begin(), capture.nodes.end(), stands_in);
}

RecordedFunction record_function(std::string_view op, const TensorFunction& f, const std::vector<Tensor>& arguments) {
  RecordedFunction recording;
  const bool outside = grad_enabled();
  GradMode tracking(true);
  bool tracked = false;
  for (const Tensor& argument : arguments) {
    check_defined(op, argument);
    if (!is_floating(argument.dtype()))
      throw std::invalid_argument(std::string(op) + ": the argument of shape " + to_string(argument.shape()) + " is " +
                                  std::string(name_of(argument.dtype())) + "; only float32 and float64 have derivatives");
    tracked = tracked || argument.requires_grad();
    recording.inputs.push_back(outside && argument.requires_grad() ? identity(argument) : argument.detach().set_requires_grad());
  }
  recording.output = f(recording.inputs);
  check_defined(op, recording.output);
  if (!is_floating(recording.output.dtype()))
    throw std::invalid_argument(std::string(op) + ": the function's result of shape " + to_string(recording.output.shape()) + " is " +
                                std::string(name_of(recording.output.dtype())) + "; only float32 and float64 have derivatives");
  const bool others = !(outside && tracked) && reaches_others(recording.output, recording.inputs);
  recording.differentiable = outside && (tracked || others);
  recording.shared = !outside && others;
  return recording;
}

std::vector<Tensor> gradients(const Tensor& output, const std::vector<Tensor>& inputs, const Tensor& cotangent, bool create_graph, bool retain) {
  std::vector<Tensor> result(inputs.size());
  if (output.requires_grad()) {
    GradOptions options{.create_graph = create_graph, .retain_graph = retain, .allow_unused = true};
    if (cotangent.defined()) options.cotangents = {cotangent};
    result = grad({output}, inputs, options);
  }
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (!result[i].defined()) result[i] = zeros(inputs[i].shape(), inputs[i].dtype());
  return result;
}

void check_like(std::string_view op, std::string_view what, const Tensor& x, const Tensor& like) {
  check_defined(op, x);
  if (x.shape() != like.shape())
    throw std::invalid_argument(std::string(op) + ": " + std::string(what) + " of shape " + to_string(x.shape()) + " for shape " + to_string(like.shape()));
}

}  // namespace xgrad::detail
