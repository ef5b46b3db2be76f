#include <algorithm>
#include <autodiff/evaluate/graph_snapshot.hpp>
#include <bit>
#include <stdexcept>

namespace xgrad::detail {

void GraphSnapshot::clear() {
  values.clear();
  nodes.clear();
  kept.clear();
  spare.clear();
  key.clear();
  operands_.clear();
  first_operand_.clear();
  value_uses_.clear();
  node_uses_.clear();
  value_index_.clear();
}

template <class F>
bool GraphSnapshot::walk(std::span<Node* const> roots, std::size_t most, const F& belongs) {
  clear();
  stack_.clear();
  const auto visit = [&](Node* node) {
    if (!belongs(*node) || node->place != 0) return;
    node->place = 1;
    nodes.push_back(node);
    stack_.push_back(node);
  };
  const auto unmark = [this] {
    for (Node* node : nodes) node->place = 0;
  };
  try {
    for (Node* root : roots) visit(root);
    while (!stack_.empty() && nodes.size() <= most) {
      const Node* node = stack_.back();
      stack_.pop_back();
      for (const Tensor& input : node->inputs.span()) visit(input.node());
    }
  } catch (...) {
    unmark();
    throw;
  }
  unmark();
  if (nodes.size() > most) {
    clear();
    return false;
  }
  // Sequence numbers are a topological order, and a walk from the roots meets them nearly backwards.
  std::reverse(nodes.begin(), nodes.end());
  sort_by_sequence(nodes);
  return true;
}

void GraphSnapshot::collect(std::span<Node* const> roots, bool releases) {
  walk(roots, ~std::size_t{0}, [](const Node& node) {
    if (!node.evaluated && !node.op)
      throw std::logic_error("evaluate: the value of a tensor of shape " + to_string(node.shape) +
                             " was lost when an earlier evaluation failed");
    return !node.evaluated;
  });
  describe(releases);
}

bool GraphSnapshot::collect_recording(std::span<Node* const> outputs, std::size_t most, std::uint64_t first) {
  const bool all = walk(outputs, most, [first](const Node& node) {
    if (node.sequence < first) return node.op && !node.evaluated;
    if (node.released && node.requires_grad)
      throw std::logic_error(
          "backward: this recording was freed by an earlier backward; set retain_graph in the earlier call to go through it again");
    return node.op && (!node.evaluated || node.requires_grad);
  });
  if (all) describe(true);
  return all;
}

std::uint32_t GraphSnapshot::add_value(Node* node) {
  const auto [index, is_new] = value_index_.add(node);
  if (!is_new) return index;
  values.push_back(node);
  value_uses_.push_back(0);
  const bool contiguous = node->value.contiguous;
  key.push_back(static_cast<std::uint64_t>(node->dtype) | std::uint64_t{contiguous} << 8 | std::uint64_t{node->requires_grad} << 9 |
                std::uint64_t{node->leaf ? 1u : 0u} << 10 | static_cast<std::uint64_t>(known(*node)) << 11 |
                static_cast<std::uint64_t>(node->shape.size()) << 16);
  for (const std::int64_t extent : node->shape) key.push_back(static_cast<std::uint64_t>(extent));
  if (!contiguous)
    for (const std::int64_t stride : node->value.strides) key.push_back(static_cast<std::uint64_t>(stride));
  return index;
}

void GraphSnapshot::describe(bool releases) {
  for (std::size_t i = 0; i < nodes.size(); ++i) nodes[i]->place = static_cast<std::uint32_t>(i + 1);
  node_uses_.assign(nodes.size(), 0);
  for (const Node* node : nodes) {
    first_operand_.push_back(operands_.size());
    const std::span<const Tensor> inputs = node->inputs.span();
    const bool lets_go = releases || forgets(*node);
    key.push_back(reinterpret_cast<std::uintptr_t>(node->op.get()));
    key.push_back(static_cast<std::uint64_t>(node->dtype) | std::uint64_t{node->requires_grad} << 8 | std::uint64_t{node->evaluated} << 9 |
                  static_cast<std::uint64_t>(node->shape.size()) << 16 | static_cast<std::uint64_t>(inputs.size()) << 32);
    for (const std::int64_t extent : node->shape) key.push_back(static_cast<std::uint64_t>(extent));
    for (const Tensor& input : inputs) {
      const Node* from = input.node();
      // A place other than 0 may be left from elsewhere only where another thread computes, so it is checked.
      const bool inside = from->op && from->place != 0 && from->place <= nodes.size() && nodes[from->place - 1] == from;
      const CaptureRef ref = inside ? CaptureRef::node(from->place - 1) : CaptureRef::value(add_value(input.node()));
      if (lets_go) ++(inside ? node_uses_ : value_uses_)[ref.index()];
      operands_.push_back(ref);
      key.push_back(ref.word());
    }
    if (node->evaluated) key.push_back(node->value.contiguous ? 1 : 0);
    if (node->evaluated && !node->value.contiguous)
      for (const std::int64_t stride : node->value.strides) key.push_back(static_cast<std::uint64_t>(stride));
  }
  first_operand_.push_back(operands_.size());
  for (Node* node : nodes) node->place = 0;

  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    kept.push_back(nodes[i]->references() > node_uses_[i]);
    bits = bits << 1 | (kept.back() ? 1 : 0);
    if (i % 64 == 63) key.push_back(bits);
  }
  key.push_back(bits);
  for (std::size_t i = 0; i < values.size(); ++i)
    spare.push_back(values[i]->references() == value_uses_[i] && !values[i]->leaf && !values[i]->requires_grad &&
                    values[i]->value.contiguous && values[i]->value.buffer && values[i]->value.buffer->references() == 1);
}

std::uint64_t GraphSnapshot::hash() const {
  // In four strands, which do not wait for each other.
  std::uint64_t strands[4] = {key.size(), 1, 2, 3};
  for (std::size_t i = 0; i < key.size(); ++i) {
    std::uint64_t& hash = strands[i % 4];
    hash = (std::rotl(hash, 29) ^ key[i]) * 0x9E3779B97F4A7C15u;
  }
  std::uint64_t hash = 0;
  for (const std::uint64_t strand : strands) hash = (std::rotl(hash, 29) ^ strand) * 0x9E3779B97F4A7C15u;
  return hash ^ hash >> 32;
}

}  // namespace xgrad::detail
