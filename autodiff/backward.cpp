#include <algorithm>
#include <autodiff/backward.hpp>
#include <autodiff/evaluate/evaluate.hpp>
#include <autodiff/ops/create.hpp>
#include <autodiff/ops/elementwise.hpp>
#include <autodiff/ops/reduce.hpp>
#include <autodiff/ops/shape.hpp>
#include <autodiff/tape.hpp>
#include <stdexcept>
#include <unordered_map>

namespace xgrad {
namespace {

using detail::Node;

/// Sums a cotangent over what broadcasting repeated, or repeats it; casts it to the dtype of what it belongs to.
Tensor match(Tensor cotangent, const Shape& shape, DType dtype) {
  if (cotangent.shape() != shape) {
    const Shape from = cotangent.shape();
    const std::size_t extra = from.size() > shape.size() ? from.size() - shape.size() : 0;
    const std::size_t missing = shape.size() > from.size() ? shape.size() - from.size() : 0;
    std::vector<std::int64_t> axes;
    for (std::size_t i = 0; i < from.size(); ++i)
      if (i < extra || (shape[i - extra + missing] == 1 && from[i] != 1)) axes.push_back(static_cast<std::int64_t>(i));
    if (!axes.empty()) cotangent = sum(cotangent, axes, true);
    if (extra > 0) {
      const Shape& summed = cotangent.shape();
      cotangent = reshape(cotangent, Shape(summed.begin() + static_cast<std::ptrdiff_t>(extra), summed.end()));
    }
    cotangent = broadcast_to(cotangent, shape);
  }
  return cotangent.to(dtype);
}

/// One pass from outputs to what they depend on. The working cotangents live here, not in the nodes.
class Replay {
 public:
  explicit Replay(const std::vector<Tensor>& outputs) {
    std::vector<Node*> stack;
    const auto visit = [&](Node* node) {
      if (!node->requires_grad || place(node) != 0) return;
      if (node->released)
        throw std::logic_error(
            "backward: this recording was freed by an earlier backward; set retain_graph in the earlier call to go through it again");
      nodes_.push_back(node);
      set_place(node, static_cast<std::uint32_t>(nodes_.size()));
      if (node->op) stack.push_back(node);
    };
    try {
      for (const Tensor& output : outputs) visit(detail::resolve(output.node()));
      while (!stack.empty()) {
        Node* node = stack.back();
        stack.pop_back();
        for (const Tensor& input : node->inputs.span()) visit(input.node());
      }
    } catch (...) {
      clear_places();
      throw;
    }
    // The order of recording is a topological order.
    const auto later = [](const Node* a, const Node* b) { return a->sequence > b->sequence; };
    if (!std::is_sorted(nodes_.begin(), nodes_.end(), later)) std::sort(nodes_.begin(), nodes_.end(), later);
    for (std::size_t i = 0; i < nodes_.size(); ++i) set_place(nodes_[i], static_cast<std::uint32_t>(i + 1));
    cotangents_.resize(nodes_.size());
    needed_.assign(nodes_.size(), true);
  }
  Replay(const Replay&) = delete;
  Replay& operator=(const Replay&) = delete;
  ~Replay() { clear_places(); }

  /// Goes only where it leads to a node that `is_target` accepts.
  template <class F>
  void prune(const F& is_target) {
    for (std::size_t i = nodes_.size(); i-- > 0;) {
      bool needed = is_target(nodes_[i]);
      for (const Tensor& input : nodes_[i]->inputs.span()) {
        const std::uint32_t at = place(input.node());
        needed = needed || (at != 0 && needed_[at - 1]);
      }
      needed_[i] = needed;
    }
  }

  void seed(Node* node, const Tensor& cotangent) {
    if (const std::uint32_t at = place(node)) accumulate(at - 1, cotangent);
  }

  /// Calls `arrive(node, cotangent)` with the whole cotangent of each node, outputs first.
  template <class F>
  void run(const F& arrive) {
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      if (!needed_[i] || !cotangents_[i].defined()) continue;
      const Tensor g = std::move(cotangents_[i]);
      Node& node = *nodes_[i];
      arrive(&node, g);
      if (!node.op) continue;
      const std::span<const Tensor> inputs = std::as_const(node.inputs).span();
      const Tensor y{detail::Ref<Node>(&node)};
      for (std::size_t k = 0; k < inputs.size(); ++k) {
        const Node& input = *inputs[k].node();
        const std::uint32_t at = input.requires_grad ? place(&input) : 0;
        if (at == 0 || !needed_[at - 1]) continue;
        const Tensor cotangent = node.op->vjp(k, g, inputs, y);
        if (cotangent.defined()) accumulate(at - 1, match(cotangent, input.shape, input.dtype));
      }
    }
  }

  /// Computes `results` together with the outputs' values, unless they are kept for later, and frees the recording:
  /// values stay where a handle needs them.
  void finish(std::span<const Tensor> outputs, std::span<const Tensor> results, bool retain_graph) {
    std::vector<Tensor> wanted(results.begin(), results.end());
    clear_places();
    if (!retain_graph) {
      wanted.insert(wanted.end(), outputs.begin(), outputs.end());
      for (std::size_t i = nodes_.size(); i-- > 0;) {  // inputs first: letting go of one frees only nodes before it
        Node& node = *nodes_[i];
        if (!node.op) continue;
        node.released = true;  // the evaluator lets go of what it computes
        if (node.evaluated) detail::forget(node);
      }
    }
    nodes_.clear();
    evaluate(wanted);
  }

 private:
  // Leaves may be shared by recordings in several threads: their places are kept here rather than in the node.
  std::uint32_t place(const Node* node) const {
    if (node->op) return node->slot;
    const auto found = leaves_.find(node);
    return found == leaves_.end() ? 0 : found->second;
  }
  void set_place(Node* node, std::uint32_t at) {
    if (node->op) node->slot = at;
    else leaves_[node] = at;
  }
  void clear_places() {
    for (Node* node : nodes_)
      if (node->op) node->slot = 0;
    leaves_.clear();
  }
  void accumulate(std::size_t i, const Tensor& cotangent) {
    cotangents_[i] = cotangents_[i].defined() ? add(cotangents_[i], cotangent) : cotangent;
  }

  std::vector<Node*> nodes_;  ///< held by the outputs
  std::vector<Tensor> cotangents_;
  std::vector<bool> needed_;
  std::unordered_map<const Node*, std::uint32_t> leaves_;
};

/// Cotangents checked, defaults filled in.
std::vector<Tensor> check_cotangents(std::string_view name, const std::vector<Tensor>& outputs, const std::vector<Tensor>& given) {
  const std::string op(name);
  if (outputs.empty()) throw std::invalid_argument(op + ": there are no outputs");
  if (!given.empty() && given.size() != outputs.size())
    throw std::invalid_argument(op + ": " + std::to_string(given.size()) + " cotangents for " + std::to_string(outputs.size()) +
                                " outputs");
  std::vector<Tensor> cotangents;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const Tensor& output = outputs[i];
    detail::check_defined(op, output);
    if (!is_floating(output.dtype()))
      throw std::invalid_argument(op + ": the output of shape " + to_string(output.shape()) + " is " +
                                  std::string(name_of(output.dtype())) + "; only float32 and float64 carry gradients");
    if (!given.empty() && given[i].defined()) {
      if (given[i].shape() != output.shape())
        throw std::invalid_argument(op + ": a cotangent of shape " + to_string(given[i].shape()) + " for an output of shape " +
                                    to_string(output.shape()));
      cotangents.push_back(given[i].to(output.dtype()));
    } else if (output.size() == 1) {
      cotangents.push_back(ones(output.shape(), output.dtype()));
    } else {
      throw std::invalid_argument(op + ": the output has shape " + to_string(output.shape()) +
                                  "; give a cotangent of that shape, or reduce it to one element");
    }
  }
  return cotangents;
}

void check_tracked(std::string_view op, const std::vector<Tensor>& outputs) {
  if (std::none_of(outputs.begin(), outputs.end(), [](const Tensor& output) { return output.requires_grad(); }))
    throw std::logic_error(std::string(op) + ": the output of shape " + to_string(outputs.front().shape()) +
                           " depends on nothing that requires gradients; call set_requires_grad() on a leaf before recording");
}

}  // namespace

void backward(const std::vector<Tensor>& outputs, const std::vector<Tensor>& cotangents, bool retain_graph) {
  const std::vector<Tensor> seeds = check_cotangents("backward", outputs, cotangents);
  check_tracked("backward", outputs);
  Replay replay(outputs);

  NoGrad guard;
  std::vector<detail::Ref<detail::Leaf>> leaves;
  std::vector<Tensor> gradients;
  for (std::size_t i = 0; i < outputs.size(); ++i) replay.seed(detail::resolve(outputs[i].node()), seeds[i]);
  replay.run([&](Node* node, const Tensor& g) {
    if (!node->leaf) return;
    // A leaf assigned to in between appears twice, as two nodes with one gradient.
    const auto known = std::find(leaves.begin(), leaves.end(), node->leaf);
    if (known != leaves.end()) {
      Tensor& gradient = gradients[static_cast<std::size_t>(known - leaves.begin())];
      gradient = add(gradient, g);
      return;
    }
    leaves.push_back(node->leaf);
    gradients.push_back(node->leaf->gradient.defined() ? add(node->leaf->gradient, g) : g);
  });
  replay.finish(outputs, gradients, retain_graph);
  for (std::size_t i = 0; i < leaves.size(); ++i) leaves[i]->gradient = gradients[i].detach();
}

std::vector<Tensor> grad(const std::vector<Tensor>& outputs, const std::vector<Tensor>& inputs, const GradOptions& options) {
  const std::vector<Tensor> seeds = check_cotangents("grad", outputs, options.cotangents);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    detail::check_defined("grad", inputs[i]);
    if (!inputs[i].requires_grad())
      throw std::logic_error("grad: input " + std::to_string(i) + " of shape " + to_string(inputs[i].shape()) +
                             " does not require gradients; call set_requires_grad() on it before recording");
  }
  Replay replay(outputs);

  // A leaf assigned to in between appears as several nodes, so it goes by what they share.
  const auto identity = [](const Node* node) -> const void* {
    return node->leaf ? static_cast<const void*>(node->leaf.get()) : node;
  };
  std::unordered_map<const void*, std::vector<std::size_t>> targets;
  for (std::size_t i = 0; i < inputs.size(); ++i) targets[identity(inputs[i].node())].push_back(i);
  std::vector<Tensor> gradients(inputs.size());
  {
    GradMode mode(options.create_graph);
    replay.prune([&](const Node* node) { return targets.contains(identity(node)); });
    for (std::size_t i = 0; i < outputs.size(); ++i) replay.seed(detail::resolve(outputs[i].node()), seeds[i]);
    replay.run([&](Node* node, const Tensor& g) {
      const auto found = targets.find(identity(node));
      if (found == targets.end()) return;
      for (const std::size_t i : found->second) gradients[i] = gradients[i].defined() ? add(gradients[i], g) : g;
    });
  }
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (!gradients[i].defined() && !options.allow_unused)
      throw std::invalid_argument("grad: no output depends on input " + std::to_string(i) + " of shape " +
                                  to_string(inputs[i].shape()) + "; set allow_unused to get an undefined gradient for it");
  if (!options.create_graph) {
    std::vector<Tensor> defined;
    std::copy_if(gradients.begin(), gradients.end(), std::back_inserter(defined), [](const Tensor& g) { return g.defined(); });
    replay.finish(outputs, defined, options.retain_graph);
  }
  return gradients;
}

Tensor grad(const Tensor& output, const Tensor& input, const GradOptions& options) {
  return grad(std::vector<Tensor>{output}, std::vector<Tensor>{input}, options).front();
}

}  // namespace xgrad
