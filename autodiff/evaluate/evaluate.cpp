#include <algorithm>
#include <autodiff/evaluate/evaluate.hpp>
#include <autodiff/evaluate/group.hpp>
#include <autodiff/evaluate/plan.hpp>
#include <memory>
#include <vector>

namespace xgrad {
namespace detail {
namespace {

/// Nothing will ask how a node came about: no gradient passes through it, or the backward that freed it is under way.
bool forgets(const Node& node) { return !node.requires_grad || node.released; }

/// The nodes that have to be computed for `roots`, each after its inputs.
std::vector<Node*> schedule(std::span<Node* const> roots) {
  std::vector<Node*> nodes, stack;
  const auto visit = [&](Node* node) {
    if (node->evaluated || node->place != 0) return;
    node->place = 1;
    nodes.push_back(node);
    stack.push_back(node);
  };
  for (Node* root : roots) visit(root);
  while (!stack.empty()) {
    Node* node = stack.back();
    stack.pop_back();
    for (const Tensor& input : node->inputs.span()) visit(input.node());
  }
  for (Node* node : nodes) node->place = 0;
  // Sequence numbers are a topological order, and a walk from the roots meets them nearly backwards.
  const auto earlier = [](const Node* a, const Node* b) { return a->sequence < b->sequence; };
  std::reverse(nodes.begin(), nodes.end());
  if (!std::is_sorted(nodes.begin(), nodes.end(), earlier)) std::sort(nodes.begin(), nodes.end(), earlier);
  return nodes;
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

Value packed_value(const Node& node) {
  Value value = fresh_value(node);
  copy_contiguous(node.array(), value.buffer->data());
  return value;
}

void compute_view(Node& node) {
  const Node& from = *node.inputs.span()[0].node();
  const auto& op = static_cast<const ViewOp&>(*node.op);
  Value value;
  value.buffer = from.value.buffer;
  if (!op.view(from.shape, from.value, node.shape, value)) {
    const Value packed = packed_value(from);
    value.buffer = packed.buffer;
    op.view(from.shape, packed, node.shape, value);
  }
  value.contiguous = is_contiguous(node.shape, value.strides);
  node.value = std::move(value);
  node.evaluated = true;
}

void compute_general(Node& node) {
  const std::span<Tensor> inputs = node.inputs.span();
  xt::svector<Array, 4> arrays(inputs.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) arrays[i] = inputs[i].node()->array();
  node.value = fresh_value(node);
  static_cast<const GeneralOp&>(*node.op).evaluate({arrays.data(), arrays.size()}, node.array());
  node.evaluated = true;
}

/// The buffer of an input that only this group holds and that nothing reads after item `i` is written; else a fresh one.
Value output_value(const Node& node, std::size_t i, const Program& program, std::vector<Node*>& inputs) {
  for (std::size_t k = 0; k < inputs.size(); ++k) {
    const Node* input = inputs[k];
    if (input && input->value.contiguous && input->dtype == node.dtype && input->shape == node.shape && program.may_overwrite(i, k) &&
        input->value.buffer && input->value.buffer->references() == 1) {
      inputs[k] = nullptr;  // given away once
      return input->value;
    }
  }
  return fresh_value(node);
}

/// `is_stored(i)` says whether node i's value is needed elsewhere; the others stay without a value.
template <class F>
void run_group(const Pass& pass, const F& is_stored) {
  const std::vector<Node*>& nodes = pass.nodes;
  // Inputs may be shared with other threads, so they are looked up here rather than marked.
  std::vector<Node*> inputs;
  for (std::size_t i = 0; i < nodes.size(); ++i) nodes[i]->place = static_cast<std::uint32_t>(i + 1);
  const auto in_group = [&](const Node* node) {
    return !node->evaluated && node->place != 0 && node->place <= nodes.size() && nodes[node->place - 1] == node;
  };
  for (Node* node : nodes)
    for (const Tensor& operand : node->inputs.span())
      if (!in_group(operand.node())) inputs.push_back(operand.node());
  std::sort(inputs.begin(), inputs.end());
  inputs.erase(std::unique(inputs.begin(), inputs.end()), inputs.end());
  const auto register_of = [&](Node* node) {
    if (in_group(node)) return static_cast<std::uint32_t>(inputs.size()) + node->place - 1;
    return static_cast<std::uint32_t>(std::lower_bound(inputs.begin(), inputs.end(), node) - inputs.begin());
  };

  GroupTask task;
  const bool is_sum = nodes.front()->op->kind() == Op::Kind::sum;  // of a value that is there
  task.shape = is_sum ? nodes.front()->inputs.span()[0].shape() : nodes.front()->shape;
  task.items.resize(nodes.size());
  std::vector<std::uint32_t> uses(inputs.size(), 0);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const std::span<const Tensor> operands = std::as_const(nodes[i]->inputs).span();
    GroupItem& item = task.items[i];
    item.op = nodes[i]->op.get();
    item.dtype = nodes[i]->dtype;
    item.operand_dtype = operands.back().dtype();
    item.arity = static_cast<std::uint8_t>(operands.size());
    item.sum = fused_sum(*nodes[i]);
    item.stored = item.sum.kind != FusedSum::Kind::none || is_stored(i);
    for (std::size_t k = 0; k < operands.size(); ++k) {
      item.operands[k] = register_of(operands[k].node());
      if (item.operands[k] < inputs.size() && forgets(*nodes[i])) ++uses[item.operands[k]];
    }
  }
  for (Node* node : nodes) node->place = 0;

  std::vector<const std::byte*> data;
  for (const Node* input : inputs) {
    task.inputs.push_back(input->array());
    data.push_back(static_cast<const std::byte*>(task.inputs.back().data));
  }
  const std::unique_ptr<const Program> program = compile(task);
  for (std::size_t k = 0; k < inputs.size(); ++k)
    if (inputs[k]->references() != uses[k] || inputs[k]->leaf) inputs[k] = nullptr;  // someone else holds it
  std::vector<Value> values(nodes.size());
  std::vector<std::byte*> outputs(nodes.size(), nullptr);
  for (std::size_t i = 0; i < nodes.size(); ++i)
    if (task.items[i].stored) {
      values[i] = output_value(*nodes[i], i, *program, inputs);
      outputs[i] = static_cast<std::byte*>(values[i].buffer->data()) + values[i].offset * static_cast<std::int64_t>(size_of(nodes[i]->dtype));
    }
  program->run(data, outputs);
  for (std::size_t i = 0; i < nodes.size(); ++i)
    if (task.items[i].stored) {
      nodes[i]->value = std::move(values[i]);
      nodes[i]->evaluated = true;
    }
}

/// Elementwise nodes, and a sum like those that are taken along with them.
bool is_group(const Node& node) {
  if (node.op->kind() != Op::Kind::sum) return node.op->kind() == Op::Kind::elementwise;
  return fused_sum(node).kind != FusedSum::Kind::none && node.inputs.span()[0].node()->value.contiguous;
}

/// Computes a pass. A value outlives it when anything holds the node but nodes of the pass that will let go of it; those
/// that a backward may come through yet do not.
void compute_group(const Pass& pass) {
  std::vector<std::uint32_t> inside(pass.nodes.size(), 0);
  for (std::size_t i = 0; i < pass.nodes.size(); ++i) pass.nodes[i]->place = static_cast<std::uint32_t>(i + 1);
  for (const Node* node : pass.nodes) {
    if (!forgets(*node)) continue;
    for (const Tensor& input : node->inputs.span()) {
      const Node* from = input.node();
      if (!from->evaluated && from->place != 0 && from->place <= pass.nodes.size() && pass.nodes[from->place - 1] == from)
        ++inside[from->place - 1];
    }
  }
  for (Node* node : pass.nodes) node->place = 0;
  run_group(pass, [&](std::size_t i) { return pass.nodes[i]->references() > inside[i]; });
}

}  // namespace

void forget(Node& node) {
  node.op.reset();
  node.inputs.clear();
}

Value fresh_value(const Node& node) {
  return {Buffer::allocate(static_cast<std::size_t>(size_of(node.shape)) * size_of(node.dtype)), 0, contiguous_strides(node.shape),
          true};
}

void evaluate(std::span<Node* const> roots) {
  if (std::all_of(roots.begin(), roots.end(), [](const Node* root) { return root->evaluated; })) return;
  for (const Pass& pass : plan(schedule(roots))) {
    Node& first = *pass.nodes.front();
    if (is_group(first)) compute_group(pass);
    else if (first.op->kind() == Op::Kind::view) compute_view(first);
    else compute_general(first);
    // In order: letting go of what led to one may destroy those before it.
    for (Node* node : pass.nodes)
      if (node->evaluated && forgets(*node)) forget(*node);
  }
}

Value contiguous_value(Node& node) {
  if (node.value.contiguous) return node.value;
  Buffer* packed = node.packed.load(std::memory_order_acquire);
  if (!packed) {
    const Value value = packed_value(node);
    if (node.packed.compare_exchange_strong(packed, value.buffer.get(), std::memory_order_acq_rel)) {
      packed = value.buffer.get();
      packed->acquire();
    }
  }
  return {Ref<Buffer>(packed), 0, contiguous_strides(node.shape), true};
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
