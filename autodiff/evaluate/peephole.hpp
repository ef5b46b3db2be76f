// Fewer and shorter steps for a vector program: looks at one step after another, and at each with the next.
#pragma once

#include <autodiff/kernels/instructions.hpp>
#include <functional>
#include <iterator>
#include <utility>
#include <vector>

namespace xgrad::detail {

/// What a step is for: an op, or what is done with a value beside.
enum class StepRole : std::uint8_t { op, load, store, sum, sum_columns, other };

/// What a step computes, if that is arithmetic.
struct StepKind {
  Arithmetic op = Arithmetic::none;
  Accumulated in_registers = 0;
  StepRole role = StepRole::op;
};

/// A program as it is put together: its instructions on blocks and on single vectors.
struct StepList {
  std::vector<Instruction> wide, narrow;
  std::vector<StepKind> kinds;

  std::size_t size() const { return wide.size(); }
  void add(Instruction step, const VectorKernel& kernel, StepKind kind) {
    step.handler = kernel.wide;
    wide.push_back(step);
    step.handler = kernel.narrow;
    narrow.push_back(step);
    kinds.push_back(kind);
  }
};

template <class T>
class Peephole {
 public:
  /// `is_constant` tells of slots whether all elements of what lies there are equal.
  Peephole(const VectorMachine<T>& machine, const StepList& steps, std::function<bool(std::uint32_t)> is_constant)
      : machine_(machine), steps_(steps), is_constant_(std::move(is_constant)) {}

  StepList shortened() const {
    StepList result;
    for (std::size_t at = 0; at < steps_.size(); ++at) {
      Instruction step;
      if (const VectorKernel kernel = with_constant(at, step); kernel.wide) {
        result.add(step, kernel, {});
      } else if (const VectorKernel both = with_next(at, step); both.wide) {
        result.add(step, both, {});
        ++at;
      } else {
        result.wide.push_back(steps_.wide[at]);
        result.narrow.push_back(steps_.narrow[at]);
        result.kinds.push_back(steps_.kinds[at]);
      }
    }
    return result;
  }

 private:
  /// The kernel of a step with a constant operand, if it has one.
  VectorKernel with_constant(std::size_t at, Instruction& step) const {
    const auto [op, in_registers, role] = steps_.kinds[at];
    if (op == Arithmetic::none || is_unary(op) || in_registers == 3) return {};
    const Instruction& from = steps_.wide[at];
    for (const std::size_t k : {1, 0}) {
      if (in_registers >> k & 1 || !is_constant_(from.slots[k])) continue;
      const std::size_t other = 1 - k;
      step.slots[0] = from.slots[k];
      step.masks[0] = from.masks[k];
      step.slots[1] = from.slots[other];
      step.masks[1] = from.masks[other];
      return machine_.constant(op, k == 0 && !commutes(op), in_registers != 0);
    }
    return {};
  }

  /// The kernel of a step and the next together, if there is one.
  VectorKernel with_next(std::size_t at, Instruction& step) const {
    Instruction next;
    if (at + 1 == steps_.size() || with_constant(at + 1, next).wide) return {};
    Instruction pair;
    std::size_t operands = 0;
    Accumulated masks[2];
    for (std::size_t i = 0; i < 2; ++i) {
      const auto [op, mask, role] = steps_.kinds[at + i];
      if (op == Arithmetic::none || is_unary(op)) return {};
      masks[i] = mask;
      for (std::size_t k = 0; k < 2; ++k) {
        const std::size_t from = commutes(op) && mask == 2 ? 1 - k : k;  // of what commutes, the first operand is in registers
        if (mask >> from & 1) continue;
        if (operands == std::size(pair.slots)) return {};
        pair.slots[operands] = steps_.wide[at + i].slots[from];
        pair.masks[operands++] = steps_.wide[at + i].masks[from];
      }
      if (commutes(op) && mask == 2) masks[i] = 1;
    }
    if (masks[1] == 0) return {};
    step = pair;
    return machine_.pair(steps_.kinds[at].op, masks[0], steps_.kinds[at + 1].op, masks[1]);
  }

  const VectorMachine<T>& machine_;
  const StepList& steps_;
  std::function<bool(std::uint32_t)> is_constant_;
};

}  // namespace xgrad::detail
