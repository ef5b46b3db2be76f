// Vector programs: lists of instructions, each of which works on what the one before left in registers, and calls the next
// one in its place.
#pragma once

#include <autodiff/core/tape.hpp>
#include <cstddef>
#include <cstdint>

namespace xgrad::detail {

struct FusedSum;

/// A step of a vector program. Its memory operands are the pointers at `slots`; a mask is all ones for those that advance
/// with the block, 0 for those that stay.
struct Instruction {
  void (*handler)() = nullptr;
  std::uint32_t slots[3] = {0, 0, 0};
  std::uintptr_t masks[3] = {0, 0, 0};
};

/// What a program runs on.
struct Frame {
  const std::byte* const* pointers = nullptr;
  std::size_t offset = 0;      ///< of the block in what advances, in bytes of the program's type
  std::size_t element = 0;     ///< the first of the block
  std::size_t lanes = 0;       ///< of a narrow block: how many elements count
  void* sums = nullptr;
};

constexpr std::size_t wide_vectors = 8;

/// Which operands of a step are in registers, a bit each; the others are in memory.
using Accumulated = unsigned;

constexpr bool is_unary(Arithmetic op) { return op >= Arithmetic::negative; }
constexpr bool commutes(Arithmetic op) { return op == Arithmetic::add || op == Arithmetic::multiply; }
/// Of two steps in one: `first`, then `second`, which takes what the first gives and no other step does. In the registers are
/// operands `in_first` of the first, and the first's result is operands `in_second` of the second; those that lie in memory follow
/// each other. None for pairs that have no kernel; what commutes has none for a second operand in registers.
template <class Simd, class T>
VectorKernel pair_kernel(Arithmetic first, Accumulated in_first, Arithmetic second, Accumulated in_second);

/// Of a step one of whose operands, that at the first slot, is the same number for all elements. The other is in registers or at the
/// second slot. What commutes has none for a constant as its first operand.
template <class Simd, class T>
VectorKernel constant_kernel(Arithmetic op, bool constant_first, bool in_registers);

/// How a sum under way (fused_sums.hpp) lies in memory, for code that adds a block to it.
struct SumLayout {
  std::size_t bytes;
  // Of one that is no sum of columns: a vector of terms added one after another, how many they are, and at how many `end_run` has
  // to be called, which may change every register that a function may.
  std::size_t run, terms, run_terms;
  void (*end_run)(void* sum);
  // Of one that is: where the row's first element is added, and the number of that.
  std::size_t leaf, row_begin;
};

/// What programs of type T need beside the kernels of ops.
template <class T>
struct VectorMachine {
  std::size_t width;  ///< elements of a vector
  // Steps that are no op.
  VectorKernel load, store, load_bool, store_bool, sum, sum_columns, end;
  VectorKernel (*pair)(Arithmetic first, Accumulated in_first, Arithmetic second, Accumulated in_second);
  VectorKernel (*constant)(Arithmetic op, bool constant_first, bool in_registers);
  /// Runs a program on `count` elements, the first of which is number `first` of all, from number `done` of these as far as whole
  /// vectors go: returns how many are done then.
  std::size_t (*run)(const Instruction* wide, const Instruction* narrow, Frame* frame, std::size_t first, std::size_t count, std::size_t done);
  /// Runs one on a block of one vector.
  void (*run_narrow)(const Instruction* narrow, Frame* frame);
  // Sums under way (fused_sums.hpp), which lie in a row; `i` is the number of one.
  SumLayout sums;
  std::size_t (*sum_memory)(const FusedSum& sum, std::size_t rows);
  void (*start_sum)(void* sums, std::size_t i, const FusedSum& sum, T* out, std::size_t begin, std::byte* memory);
  void (*advance_sums)(void* sums, std::size_t n, std::size_t count);
  void (*finish_sum)(void* sums, std::size_t i, T* out);
};

/// The machine of an instruction set.
template <class Simd, class T>
VectorMachine<T> vector_machine();

}  // namespace xgrad::detail
