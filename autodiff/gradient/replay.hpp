// One pass of a backward over what was recorded.
#pragma once

#include <algorithm>
#include <autodiff/core/anomaly_watch.hpp>
#include <autodiff/evaluate/executable.hpp>
#include <autodiff/core/evaluator.hpp>
#include <autodiff/ops/elementwise.hpp>
#include <autodiff/ops/support.hpp>
#include <autodiff/core/tape.hpp>
#include <stdexcept>
#include <optional>
#include <unordered_map>
#include <vector>

namespace xgrad::detail {

/// One pass from outputs to what they depend on. The working cotangents live here, not in the nodes.
class Replay {
 public:
  /// No rule is asked of what was recorded before the sequence number `first`.
  explicit Replay(const std::vector<Tensor>& outputs, std::uint64_t first = 0) : first_(first) {
    std::vector<Node*> stack;
    const auto visit = [&](Node* node) {
      if (!node->requires_grad || place(node) != 0) return;
      if (node->released && goes_on(*node))
        throw std::logic_error(
            "backward: this recording was freed by an earlier backward; set retain_graph in the earlier call to go through it again");
      nodes_.push_back(node);
      set_place(node, static_cast<std::uint32_t>(nodes_.size()));
      if (goes_on(*node)) stack.push_back(node);
    };
    try {
      for (const Tensor& output : outputs) visit(resolve(output.node()));
      while (!stack.empty()) {
        Node* node = stack.back();
        stack.pop_back();
        for (const Tensor& input : node->inputs.span()) visit(input.node());
      }
    } catch (...) {
      clear_places();
      --under_way();
      throw;
    }
    // The order of recording is a topological order.
    std::reverse(nodes_.begin(), nodes_.end());
    sort_by_sequence(nodes_);
    std::reverse(nodes_.begin(), nodes_.end());
    for (std::size_t i = 0; i < nodes_.size(); ++i) set_place(nodes_[i], static_cast<std::uint32_t>(i + 1));
    cotangents_.resize(nodes_.size());
    needed_.assign(nodes_.size(), true);
  }
  Replay(const Replay&) = delete;
  Replay& operator=(const Replay&) = delete;
  ~Replay() {
    clear_places();
    --under_way();
  }

  std::size_t size() const { return nodes_.size(); }

  /// Has supports found for cotangents of leaves too, of which no rule is asked.
  void support_leaves() { supports_leaves_ = true; }

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

  /// Adds to the cotangent of an output.
  void seed(Node* node, const Tensor& cotangent, const Support& support = {}) {
    if (const std::uint32_t at = place(node)) accumulate(at - 1, cotangent, support);
  }

  /// Calls `arrive(node, cotangent, support)` with the whole cotangent of each node, outputs first.
  template <class F>
  void run(const F& arrive) {
    std::optional<ReplayWatch> watch;
    if (anomaly_mode()) watch.emplace();
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      if (!needed_[i] || !cotangents_[i].defined()) continue;
      const Tensor g = std::move(cotangents_[i]);
      const Support support = supports_.empty() ? Support{} : std::move(supports_[i]);
      Node& node = *nodes_[i];
      arrive(&node, g, support);
      if (!goes_on(node)) continue;
      const std::span<const Tensor> inputs = std::as_const(node.inputs).span();
      const Tensor y{Ref<Node>(&node)};
      const SupportScope scope(support, node.op->kind() == Op::Kind::elementwise);
      for (std::size_t k = 0; k < inputs.size(); ++k) {
        const Node& input = *inputs[k].node();
        const std::uint32_t at = input.requires_grad ? place(&input) : 0;
        if (at == 0 || !needed_[at - 1]) continue;
        const Tensor cotangent = node.op->vjp(k, g, inputs, y);
        if (!cotangent.defined()) continue;
        const Tensor matched = unbroadcast(cotangent, input.shape).to(input.dtype);
        if (watch) watch->check(node, k, g, matched);
        if (input.op || supports_leaves_) accumulate(at - 1, matched, node.op->cotangent_support(k, support, inputs, y));
        else accumulate(at - 1, matched, {});
      }
    }
  }

  /// Computes `results` together with the outputs' values, unless they are kept for later, and frees the recording:
  /// values stay where a handle needs them.
  void finish(std::span<const Tensor> outputs, std::span<const Tensor> results, bool retain_graph,
              const EvaluationObserver* observer = nullptr) {
    std::vector<Tensor> wanted(results.begin(), results.end());
    clear_places();
    if (!retain_graph) {
      wanted.insert(wanted.end(), outputs.begin(), outputs.end());
      for (std::size_t i = nodes_.size(); i-- > 0;) {  // inputs first: letting go of one frees only nodes before it
        Node& node = *nodes_[i];
        if (!goes_on(node)) continue;
        node.released = true;  // the evaluator lets go of what it computes
        if (node.evaluated) forget(node);
      }
    }
    nodes_.clear();
    std::vector<Node*> roots;
    for (const Tensor& tensor : wanted) roots.push_back(resolve(tensor.node()));
    evaluate(roots, observer);
  }

 private:
  bool goes_on(const Node& node) const { return node.op && node.sequence >= first_; }
  // Leaves may be shared by recordings in several threads, and within a rule that takes gradients itself nodes have a place in the
  // replay that asked it: those places are kept here rather than in the node.
  bool is_noted_in(const Node* node) const { return node->op && !nested_; }
  std::uint32_t place(const Node* node) const {
    if (is_noted_in(node)) return node->slot;
    const auto found = places_.find(node);
    return found == places_.end() ? 0 : found->second;
  }
  void set_place(Node* node, std::uint32_t at) {
    if (is_noted_in(node)) node->slot = at;
    else places_[node] = at;
  }
  void clear_places() {
    for (Node* node : nodes_)
      if (is_noted_in(node)) node->slot = 0;
    places_.clear();
  }
  /// How many replays this thread is in.
  static int& under_way() {
    thread_local int count = 0;
    return count;
  }
  void accumulate(std::size_t i, const Tensor& cotangent, const Support& support) {
    const bool is_first = !cotangents_[i].defined();
    cotangents_[i] = is_first ? cotangent : add(cotangents_[i], cotangent);
    if (is_first && support.is_restricted()) {
      if (supports_.empty()) supports_.resize(nodes_.size());
      supports_[i] = unbroadcast(support, cotangent.shape());
    } else if (!is_first && !supports_.empty() && supports_[i].is_restricted()) {
      supports_[i] = support.is_restricted() ? united(supports_[i], unbroadcast(support, cotangent.shape())) : Support{};
    }
  }

  const std::uint64_t first_;
  bool supports_leaves_ = false;
  const bool nested_ = under_way()++ > 0;
  std::vector<Node*> nodes_;  ///< held by the outputs
  std::vector<Tensor> cotangents_;
  std::vector<Support> supports_;  ///< of the cotangents; empty as long as none is restricted
  std::vector<bool> needed_;
  std::unordered_map<const Node*, std::uint32_t> places_;
};

}  // namespace xgrad::detail
