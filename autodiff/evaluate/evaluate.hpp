#pragma once

#include <autodiff/tape.hpp>
#include <span>

namespace xgrad {

/// Computes the values of several tensors together.
void evaluate(std::span<const Tensor> tensors);

namespace detail {

/// Recordings of up to so many nodes are planned as a whole. Longer ones are computed in parts, which if they are alike, as the
/// rounds of a loop are, share a plan.
constexpr std::size_t longest_planned = 1 << 14;

/// While the rules of a recording are being asked: what they compute is made into a plan for all recordings of that
/// structure, so nothing may be computed ahead, and none may read a value.
struct Tracing {
  static bool active() noexcept { return current() != 0; }
  /// A number of its own for each; 0 where there is none.
  static std::uint64_t current() noexcept;
  /// A value was read, so the plan fits this recording alone.
  static void note_read() noexcept;

  /// How many nodes may be pending; 0 where there is none.
  static std::uint64_t limit() noexcept;

  /// Of a recording of so many nodes.
  explicit Tracing(std::size_t nodes = 0) noexcept;
  ~Tracing();
  Tracing(const Tracing&) = delete;
  Tracing& operator=(const Tracing&) = delete;
  bool read = false;

 private:
  Tracing* before_;
  std::uint64_t number_, limit_;
};

/// Computes the values of nodes and of whatever they need that is not computed yet.
void evaluate(std::span<Node* const> roots);
inline void evaluate(Node* root) { evaluate(std::span<Node* const>(&root, 1)); }

/// The value of a computed node, row-major without gaps. Memory of it is kept as long as the node; several threads may
/// ask at once.
Value contiguous_value(Node& node);

/// Lets go of what led to a node, which it no longer needs.
void forget(Node& node);

/// Memory for a node's value, row-major.
Value fresh_value(const Node& node);

/// A contiguous copy of `source` into `target`, which has as many elements and the same dtype.
void copy_contiguous(const Array& source, void* target);

/// `source` into the elements of `target` that `strides` reach; neither is empty and they do not overlap.
void copy_strided(const Array& source, void* target, const Strides& strides);

}  // namespace detail
}  // namespace xgrad
