#include <algorithm>
#include <autodiff/evaluate/evaluate.hpp>
#include <autodiff/evaluate/tiles.hpp>
#include <vector>

namespace xgrad {
namespace detail {
namespace {

/// Lets go of what led to a node, which it no longer needs once it is computed and no gradient will pass.
void forget(Node& node) {
  node.op.reset();
  node.inputs = Inputs();
}

/// The nodes that have to be computed for `roots`, each after its inputs.
std::vector<Node*> schedule(std::span<Node* const> roots) {
  std::vector<Node*> nodes, stack;
  const auto visit = [&](Node* node) {
    if (node->evaluated || node->marked) return;
    node->marked = true;
    nodes.push_back(node);
    stack.push_back(node);
  };
  for (Node* root : roots) visit(root);
  while (!stack.empty()) {
    Node* node = stack.back();
    stack.pop_back();
    for (const Tensor& input : node->inputs.span()) visit(input.node());
  }
  for (Node* node : nodes) node->marked = false;
  std::sort(nodes.begin(), nodes.end(), [](const Node* a, const Node* b) { return a->sequence < b->sequence; });
  return nodes;
}

Value fresh_value(const Node& node) {
  return {Buffer::allocate(static_cast<std::size_t>(size_of(node.shape)) * size_of(node.dtype)), 0, contiguous_strides(node.shape),
          true};
}

/// The buffer of an input that nobody else holds and that fits, to be written over; else a fresh one.
Value elementwise_value(const Node& node) {
  if (!node.requires_grad)
    for (const Tensor& input : node.inputs.span()) {
      const Node& from = *input.node();
      if (from.references() == 1 && from.value.buffer && from.value.buffer->references() == 1 && from.value.contiguous &&
          from.dtype == node.dtype && from.shape == node.shape && !from.leaf)
        return from.value;
    }
  return fresh_value(node);
}

bool is_contiguous(const Shape& shape, const Strides& strides) {
  std::int64_t step = 1;
  for (std::size_t i = shape.size(); i-- > 0;) {
    if (shape[i] == 0) return true;
    if (shape[i] != 1 && strides[i] != step) return false;
    step *= shape[i];
  }
  return true;
}

void compute(Node& node) {
  const std::span<Tensor> inputs = node.inputs.span();
  if (node.op->kind() == Op::Kind::view) {
    Node& from = *inputs[0].node();
    const auto& op = static_cast<const ViewOp&>(*node.op);
    Value value;
    value.buffer = from.value.buffer;
    if (!op.view(from.shape, from.value, node.shape, value)) {
      make_contiguous(from);
      value.buffer = from.value.buffer;
      op.view(from.shape, from.value, node.shape, value);
    }
    value.contiguous = is_contiguous(node.shape, value.strides);
    node.value = std::move(value);
  } else {
    Array few[4];
    std::vector<Array> many;
    if (inputs.size() > std::size(few)) many.resize(inputs.size());
    Array* arrays = many.empty() ? few : many.data();
    for (std::size_t i = 0; i < inputs.size(); ++i) arrays[i] = inputs[i].node()->array();
    const std::span<const Array> span(arrays, inputs.size());
    if (node.op->kind() == Op::Kind::elementwise) {
      node.value = elementwise_value(node);
      run_tiles(static_cast<const ElementwiseOp&>(*node.op).kernel(inputs.back().dtype()), span, node.array());
    } else {
      node.value = fresh_value(node);
      static_cast<const GeneralOp&>(*node.op).evaluate(span, node.array());
    }
  }
  node.evaluated = true;
}

}  // namespace

void evaluate(std::span<Node* const> roots) {
  if (std::all_of(roots.begin(), roots.end(), [](const Node* root) { return root->evaluated; })) return;
  for (Node* node : schedule(roots)) {
    compute(*node);
    if (!node->requires_grad) forget(*node);
  }
}

void make_contiguous(Node& node) {
  if (node.value.contiguous) return;
  Value value = fresh_value(node);
  copy_contiguous(node.array(), value.buffer->data());
  node.value = std::move(value);
}

}  // namespace detail

void evaluate(std::span<const Tensor> tensors) {
  std::vector<detail::Node*> roots;
  roots.reserve(tensors.size());
  for (const Tensor& tensor : tensors) {
    detail::check_defined("evaluate", tensor);
    roots.push_back(detail::resolve(tensor.node()));
  }
  detail::evaluate(roots);
}

}  // namespace xgrad
