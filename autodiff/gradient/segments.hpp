// A recording too long to be planned as a whole, in parts from its end to its beginning.
#pragma once

#include <algorithm>
#include <autodiff/core/tape.hpp>
#include <map>
#include <queue>
#include <utility>
#include <vector>

namespace xgrad::detail {

/// A bool for each of a few tensors.
using Flags = SmallVector<bool, 16>;

/// By sequence number, which is a topological order.
using RecordingPlace = std::pair<std::uint64_t, Node*>;

/// Calls `f(node)` for what the outputs depend on and gradients flow to, leaves perhaps more than once, as long as it returns true.
/// Reads the recording alone.
template <class F>
void walk_back(const std::vector<Tensor>& outputs, const F& f) {
  std::priority_queue<RecordingPlace> found;
  const auto visit = [&](Node* node) {
    if (!node->requires_grad) return true;
    if (!node->op) return f(node);
    found.emplace(node->sequence, node);
    return true;
  };
  for (const Tensor& output : outputs)
    if (!visit(resolve(output.node()))) return;
  for (const Node* last = nullptr; !found.empty();) {
    Node* node = found.top().second;
    found.pop();
    if (node == last) continue;
    last = node;
    if (!f(node)) return;
    for (const Tensor& input : std::as_const(node->inputs).span())
      if (!visit(input.node())) return;
  }
}

/// The nodes whose rules are still to be asked and that have a cotangent, and where the next part of them ends. Parts of a loop's
/// rounds begin and end alike, so that they have one structure.
class Segments {
 public:
  bool empty() const { return pending_.empty(); }

  /// The cotangent that a node has so far; undefined if it has none.
  Tensor cotangent(Node* node) const {
    const auto found = pending_.find({node->sequence, node});
    return found == pending_.end() ? Tensor() : found->second.cotangent;
  }
  /// Whether zeros of the cotangent of `node` are known to be outside of its support; true where it has none so far.
  bool is_restricted(Node* node) const {
    const auto found = pending_.find({node->sequence, node});
    return found == pending_.end() || found->second.restricted;
  }
  /// Sets the cotangent of `node`, which is no leaf. The support of a cotangent that is `restricted` is taken to be where it is not 0.
  void set(Node* node, Tensor cotangent, bool restricted) {
    Pending& pending = pending_[{node->sequence, node}];
    pending.node = Tensor(Ref<Node>(node));
    pending.cotangent = std::move(cotangent);
    pending.restricted = restricted;
  }

  struct Part {
    std::uint64_t first = 0;  ///< the sequence number from which on nodes are of it
    std::vector<Tensor> outputs, cotangents;
    Flags restricted = {};  ///< for each cotangent, as `set` was told
  };
  /// The next part; its outputs are no longer pending.
  Part take() {
    Part part{end_of_part(), {}, {}};
    while (!pending_.empty() && std::prev(pending_.end())->first.first >= part.first) {
      auto last = std::prev(pending_.end());
      part.outputs.push_back(std::move(last->second.node));
      part.cotangents.push_back(std::move(last->second.cotangent));
      part.restricted.push_back(last->second.restricted);
      pending_.erase(last);
    }
    return part;
  }

 private:
  struct Pending {
    Tensor node, cotangent;
    bool restricted = false;
  };
  static constexpr std::size_t most_nodes = 1 << 12, pattern_length = 32;

  std::uint64_t end_of_part() {
    nodes_.clear();
    std::priority_queue<RecordingPlace> found;
    auto given = pending_.rbegin();
    while (nodes_.size() < most_nodes) {
      RecordingPlace next;
      if (given != pending_.rend() && (found.empty() || given->first >= found.top())) next = (given++)->first;
      else if (found.empty()) return 0;
      else next = found.top(), found.pop();
      if (!nodes_.empty() && nodes_.back() == next.second) continue;
      nodes_.push_back(next.second);
      for (const Tensor& input : std::as_const(next.second->inputs).span())
        if (Node* from = input.node(); from->requires_grad && from->op) found.emplace(from->sequence, from);
    }
    // The nodes behind the end are such as those behind the ends before, as far as possible from here.
    std::size_t end = find_pattern();
    if (end == 0) {
      pattern_.clear();
      for (std::size_t i = 0; i < pattern_length; ++i) pattern_.push_back(nodes_[most_nodes / 2 + i]->op.get());
      end = find_pattern();
    }
    return nodes_[end - 1]->sequence;
  }
  /// Where the pattern of ops last begins; 0 if that is nowhere, or too close.
  std::size_t find_pattern() const {
    if (pattern_.empty()) return 0;
    for (std::size_t at = most_nodes - pattern_length; at >= most_nodes / 4; --at)
      if (std::equal(pattern_.begin(), pattern_.end(), nodes_.begin() + static_cast<std::ptrdiff_t>(at),
                     [](const Op* op, const Node* node) { return op == node->op.get(); }))
        return at;
    return 0;
  }

  std::map<RecordingPlace, Pending> pending_;
  std::vector<Node*> nodes_;          ///< of the part, from the last on
  std::vector<const Op*> pattern_;    ///< compared by address alone
};

}  // namespace xgrad::detail
