#include <algorithm>
#include <autodiff/gradient/backward.hpp>
#include <autodiff/transforms/recorded_function.hpp>
#include <autodiff/core/trace_state.hpp>
#include <autodiff/ops/create.hpp>
#include <autodiff/ops/support.hpp>
#include <autodiff/gradient/replay.hpp>
#include <stdexcept>
#include <unordered_set>

namespace xgrad::detail {

Tensor identity(const Tensor& x) { return record(shared_op<Identity>(), {&x, 1}, x.shape(), x.dtype()); }

Tensor variable(const Tensor& x) {
  if (!Capturing::active()) return x.detach().set_requires_grad();
  const Tensor result = identity(x.detach());  // which must not be computed yet
  result.node()->requires_grad = true;
  return result;
}

bool reaches_others(const Tensor& output, const std::vector<Tensor>& inputs) {
  std::unordered_set<const Node*> seen;
  for (const Tensor& input : inputs) seen.insert(resolve(input.node()));
  std::vector<const Node*> stack;
  const auto visit = [&](const Tensor& tensor) {
    const Node* node = resolve(tensor.node());
    if (node->requires_grad && seen.insert(node).second) stack.push_back(node);
  };
  visit(output);
  while (!stack.empty()) {
    const auto from = stack.back()->inputs.span();
    stack.pop_back();
    // A leaf; or what stands in for an element of a batch (vmap), which requires gradients where no input does.
    if (std::none_of(from.begin(), from.end(), [](const Tensor& input) { return input.requires_grad(); })) return true;
    for (const Tensor& input : from) visit(input);
  }
  return false;
}

RecordedFunction record_function(std::string_view op, const TensorFunction& f, const std::vector<Tensor>& arguments) {
  check_callable(op, f);
  RecordedFunction recording;
  const bool outside = grad_enabled();
  GradMode tracking(true);
  bool tracked = false;
  for (const Tensor& argument : arguments) {
    check_defined(op, argument);
    if (!is_floating(argument.dtype()))
      throw detail::located<std::invalid_argument>(std::string(op) + ": the argument of shape " + to_string(argument.shape()) + " is " +
                                  std::string(name_of(argument.dtype())) + "; only float32 and float64 have derivatives");
    tracked = tracked || argument.requires_grad();
    recording.inputs.push_back(outside && argument.requires_grad() ? identity(argument) : variable(argument));
  }
  recording.output = f(recording.inputs);
  check_defined(op, recording.output);
  if (!is_floating(recording.output.dtype()))
    throw detail::located<std::invalid_argument>(std::string(op) + ": the function's result of shape " + to_string(recording.output.shape()) + " is " +
                                std::string(name_of(recording.output.dtype())) + "; only float32 and float64 have derivatives");
  const bool others = !(outside && tracked) && reaches_others(recording.output, recording.inputs);
  recording.differentiable = outside && (tracked || others);
  recording.shared = !outside && others;
  return recording;
}

std::vector<Tensor> gradients(const Tensor& output, const std::vector<Tensor>& inputs, const Tensor& cotangent, bool create_graph, bool retain,
                              bool sparse_cotangent) {
  std::vector<Tensor> result(inputs.size());
  if (output.requires_grad()) {
    GradOptions options{.create_graph = create_graph, .retain_graph = retain, .allow_unused = true, .sparse_cotangents = sparse_cotangent};
    if (cotangent.defined()) options.cotangents = {cotangent};
    result = grad({output}, inputs, options);
  }
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (!result[i].defined()) result[i] = zeros(inputs[i].shape(), inputs[i].dtype());
  return result;
}

Pulled pull_gradients(const Tensor& output, const std::vector<Tensor>& inputs, const Tensor& cotangent, bool create_graph) {
  Pulled result{std::vector<Tensor>(inputs.size()), std::vector<Support>(inputs.size())};
  if (output.requires_grad() && !inputs.empty()) {
    std::uint64_t first = ~std::uint64_t{0};
    for (const Tensor& input : inputs) first = std::min(first, resolve(input.node())->sequence);
    Replay replay({output}, first);
    replay.support_leaves();
    const GradMode mode(create_graph);
    const auto at = [&](const Node* node) {
      return std::find_if(inputs.begin(), inputs.end(), [&](const Tensor& input) { return resolve(input.node()) == node; }) - inputs.begin();
    };
    const auto count = static_cast<std::ptrdiff_t>(inputs.size());
    replay.prune([&](const Node* node) { return at(node) < count; });
    replay.seed(resolve(output.node()), cotangent.to(output.dtype()), SupportScope::current());
    replay.run([&](Node* node, const Tensor& g, const Support& support) {
      if (at(node) == count) return;
      result.cotangents[static_cast<std::size_t>(at(node))] = g;
      result.supports[static_cast<std::size_t>(at(node))] = support;
    });
    if (!create_graph && !Capturing::active()) {
      std::vector<Tensor> defined;
      std::copy_if(result.cotangents.begin(), result.cotangents.end(), std::back_inserter(defined), [](const Tensor& g) { return g.defined(); });
      replay.finish({}, defined, true);
    }
  }
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (!result.cotangents[i].defined()) result.cotangents[i] = zeros(inputs[i].shape(), inputs[i].dtype());
  return result;
}

void check_like(std::string_view op, std::string_view what, const Tensor& x, const Tensor& like) {
  check_defined(op, x);
  if (x.shape() != like.shape())
    throw detail::located<std::invalid_argument>(std::string(op) + ": " + std::string(what) + " of shape " + to_string(x.shape()) + " for shape " + to_string(like.shape()));
}

}  // namespace xgrad::detail
