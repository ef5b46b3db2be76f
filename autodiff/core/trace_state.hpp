// What a thread is tracing: while the rules of a recording are asked, or a function is recorded that later runs without being called.
#pragma once

#include <autodiff/core/tape.hpp>
#include <functional>
#include <utility>
#include <vector>

namespace xgrad::detail {

/// Recordings of up to so many nodes are planned as a whole. Longer ones are computed in parts, which if they are alike, as the
/// rounds of a loop are, share a plan.
constexpr std::size_t longest_planned = 1 << 14;

/// Looks at values, of any strides: throws what is wrong with them, or says whether something holds that decides what is recorded.
using ValuesCheck = std::function<bool(const Array& values)>;

/// A check of a leaf's values that was made while a function was captured.
struct NotedCheck {
  Tensor of;
  ValuesCheck check;
  bool result = false;
};

/// While the rules of a recording are being asked: what they compute is made into a plan for all recordings of that
/// structure, so nothing may be computed ahead, and none may read a value.
struct Tracing {
  static bool active() noexcept { return current() != 0; }
  /// A number of its own for each; 0 where there is none.
  static std::uint64_t current() noexcept;
  /// A value was read, so the plan fits this recording alone. Throws std::logic_error where a function is being captured.
  static void note_read();

  /// How many nodes may be pending; 0 where there is none.
  static std::uint64_t limit() noexcept;

  /// `nodes` is the size of the recording.
  explicit Tracing(std::size_t nodes = 0) noexcept;
  ~Tracing();
  Tracing(const Tracing&) = delete;
  Tracing& operator=(const Tracing&) = delete;
  bool read = false;

 private:
  friend struct Capturing;
  Tracing* before_;
  std::uint64_t number_, limit_;
};

/// While a function is recorded that later runs without being called.
struct Capturing {
  static bool active() noexcept;
  /// Throws std::logic_error naming `op`, which changes something, where a function is being captured.
  static void refuse(std::string_view op);
  /// The same for an op whose result's shape depends on values.
  static void refuse_shape(std::string_view op);
  /// Takes note of an assignable leaf, whose value of later runs is that of then.
  static void note_leaf(Node* leaf);
  /// The leaf that a value is of, if one was noted; undefined otherwise.
  static Tensor leaf_of_value(const Node* value);
  /// Takes note of a number that what is recorded depends on (`known`).
  static void note_number(const Node* number);
  /// Takes note of a constant that the function makes.
  static void note_constant(Node* leaf);
  /// Makes a check of values that are known, and takes note of it for later runs.
  static bool note_check(const Tensor& x, ValuesCheck check);
  /// Whether reading values is an error now.
  static bool strict() noexcept;
  /// Takes note of a tensor that each run computes whether or not a result depends on it, since computing it checks something.
  static void note_checking(const Tensor& x);

  /// `name` is that of who captures. It is an error to read a value if `strict`; else that is noted.
  Capturing(std::string_view name, bool strict) noexcept;
  ~Capturing();
  Capturing(const Capturing&) = delete;
  Capturing& operator=(const Capturing&) = delete;
  /// Whether a value was read, other than by a check.
  bool read() const { return !strict_ && tracing_.read; }

  /// An assignable leaf, and the node of its value of now.
  struct LeafUse {
    Tensor leaf;
    Node* value;
  };
  std::vector<LeafUse> leaves;
  std::vector<Tensor> constants, numbers, checking;
  std::vector<NotedCheck> checks;

 private:
  friend struct Tracing;
  std::string_view name_;
  bool strict_;
  Capturing* before_;
  Tracing tracing_;
};

}  // namespace xgrad::detail
