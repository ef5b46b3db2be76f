// A group of elementwise nodes computed in one pass, and the sums of their values.
#pragma once

#include <autodiff/kernels/fused_sum.hpp>
#include <autodiff/kernels/tiles.hpp>
#include <autodiff/core/tape.hpp>
#include <memory>
#include <span>
#include <vector>

namespace xgrad::detail {

/// What to compute for one node of a group.
struct GroupItem {
  const Op* op = nullptr;
  DType dtype = DType::float32, operand_dtype = DType::float32;  ///< the latter of the last operand
  std::uint32_t operands[3] = {0, 0, 0};  ///< an input, or the number of inputs + an item before
  std::uint8_t arity = 0;
  bool stored = false;  ///< needed when the group is done; a sum always is
  FusedSum sum = {};
};

/// A group without its data. Items have one shape, but for sums; an item comes after those it needs.
struct GroupTask {
  Shape shape;
  std::vector<Array> inputs;  ///< whose shapes and strides outlive the construction of a `Group`
  std::vector<GroupItem> items;
};

/// The type whose vectors a node can be computed in: that of its operands, conditions aside; none when there is none.
enum class VectorType : std::uint8_t { none, float32, float64 };
VectorType vector_type(const ElementwiseOp& op, DType dtype, std::span<const DType> operands);

/// How a group is run: compiled once, for any data of the same layout.
class Program {
 public:
  using Inputs = std::span<const std::byte* const>;
  /// A place for each item, null for those that are not stored.
  using Outputs = std::span<std::byte* const>;

  virtual ~Program() = default;
  /// Once before each run, which it is part of unless that goes range by range.
  virtual void about_to_run() const {}
  virtual void run(Inputs inputs, Outputs outputs) const = 0;
  /// Whether an item may be written over an input of the same dtype and shape that lies row-major.
  virtual bool may_overwrite(std::size_t item, std::size_t input) const = 0;
  /// The program as one that can be run range by range, or null.
  virtual const class RangedProgram* ranged() const { return nullptr; }
};

/// A program whose elements are computed in parts, which are independent, and those in ranges, one after another. A value
/// has the same bits however it is cut, as long as ranges are as `range_unit` says.
class RangedProgram : public Program {
 public:
  const RangedProgram* ranged() const final { return this; }

  virtual std::size_t size() const = 0;
  /// Elements of a part, by which sums over parts are taken; 0 where there are none and parts may end with any range.
  virtual std::size_t part() const = 0;
  /// A range has a multiple of so many elements, or is the last of its part.
  virtual std::size_t range_unit() const = 0;
  /// How many values of the program's type, of so many bytes, a part leaves of sums over parts.
  virtual std::size_t partial_values() const = 0;
  virtual std::size_t value_bytes() const = 0;

  /// Bytes of working memory, whole cache lines, for a part of so many elements.
  virtual std::size_t working_bytes(std::size_t elements) const = 0;
  virtual void start(std::byte* working, Outputs outputs, std::size_t begin, std::size_t end) const = 0;
  /// Goes on as far as `end`.
  virtual void run_range(std::byte* working, Inputs inputs, Outputs outputs, std::size_t end) const = 0;
  /// Leaves sums over parts in `partial`, or in the outputs if it is null.
  virtual void finish(std::byte* working, Outputs outputs, std::byte* partial) const = 0;
  /// Adds up what the parts left, which lies part by part.
  virtual void add_parts(std::byte* partial, std::size_t parts, Outputs outputs) const = 0;
};

/// Working memory of this thread, until it asks again.
std::byte* working_memory(std::size_t bytes);

/// Chooses how.
std::unique_ptr<const Program> compile(const GroupTask& task);

/// For groups of one floating type: blocks of eight vectors go from step to step in registers.
std::unique_ptr<const Program> compile_vectors(const GroupTask& task, VectorType type);
/// For any dtypes; without sums.
std::unique_ptr<const Program> compile_tiles(const GroupTask& task);

}  // namespace xgrad::detail
