// What is to be computed, written down so that equal recordings read the same.
#pragma once

#include <autodiff/evaluate/pointer_map.hpp>
#include <autodiff/core/tape.hpp>
#include <cstdint>
#include <span>
#include <vector>

namespace xgrad::detail {

/// A reference within a capture: a value, or a node.
class CaptureRef {
 public:
  static CaptureRef value(std::size_t index) { return CaptureRef(2 * static_cast<std::uint32_t>(index)); }
  static CaptureRef node(std::size_t index) { return CaptureRef(2 * static_cast<std::uint32_t>(index) + 1); }
  bool is_node() const { return word_ & 1; }
  std::uint32_t index() const { return word_ / 2; }
  std::uint32_t word() const { return word_; }

 private:
  explicit CaptureRef(std::uint32_t word) : word_(word) {}
  std::uint32_t word_;
};

/// Nodes and the values they start from. `key` spells out ops, shapes, dtypes, layouts and connections, hence everything a
/// plan depends on: captures of one key differ in their data alone.
class GraphSnapshot {
 public:
  /// Everything pending below `roots`; if it `releases`, no gradient will pass through any of it.
  void collect(std::span<Node* const> roots, bool releases = false);
  /// What a backward from `outputs` goes through: beside what is pending, nodes that are computed but have a rule to be
  /// asked, as far as they were recorded since the sequence number `first`. Throws std::logic_error when one was freed by an
  /// earlier backward. False, with nothing collected, if they are more than `most`.
  bool collect_recording(std::span<Node* const> outputs, std::size_t most = ~std::size_t{0}, std::uint64_t first = 0);

  /// One more value, for a recording; its index.
  std::uint32_t add_value(Node* node);
  void note(std::uint64_t word) { key.push_back(word); }
  std::uint64_t hash() const;

  std::span<const CaptureRef> operands(std::size_t node) const {
    return {operands_.data() + first_operand_[node], first_operand_[node + 1] - first_operand_[node]};
  }

  std::vector<Node*> values, nodes;  ///< the latter each after its inputs
  std::vector<bool> kept;            ///< of pending nodes: whether anything but the nodes here holds them
  /// Of values: whether nothing but the nodes here does, which will let go of them. Not of one that gradients pass through, for
  /// which its own rule may ask when the next part of the recording comes.
  std::vector<bool> spare;
  std::vector<std::uint64_t> key;

 private:
  void clear();
  /// Nodes from the roots on for which `belongs` holds, each after its inputs; false if there are more than `most`.
  template <class F>
  bool walk(std::span<Node* const> roots, std::size_t most, const F& belongs);
  void describe(bool releases);

  PointerMap value_index_;  // values may be shared with other threads, so their indices do not lie in them
  std::vector<Node*> stack_;
  std::vector<CaptureRef> operands_;
  std::vector<std::size_t> first_operand_;
  std::vector<std::uint32_t> value_uses_, node_uses_;
};

/// Nothing will ask how a node came about: no gradient passes through it, or the backward that freed it is under way.
inline bool forgets(const Node& node) { return !node.requires_grad || node.released; }

}  // namespace xgrad::detail
