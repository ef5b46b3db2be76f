// What a compiled graph consists of.
#pragma once

#include <autodiff/evaluate/fused_kernel.hpp>
#include <autodiff/evaluate/profile.hpp>
#include <memory>
#include <vector>

namespace xgrad::detail {

constexpr std::uint32_t no_slot = ~std::uint32_t{0};

/// Where an array lies: one of the values; one that is a node's; or a packed copy.
struct Slot {
  enum class Storage : std::uint8_t {
    value,  ///< given
    view,   ///< part of another
    arena,  ///< in the graph's block of memory
    own,    ///< in a buffer of its own, for it is a result
    strip   ///< some rows at a time, in the memory of a strip
  };
  DType dtype = DType::float32;
  Storage storage = Storage::arena;
  bool contiguous = true;
  bool fixed = false;  ///< a value that is never spare
  Shape shape;
  Strides strides;
  std::int64_t size = 0;
  std::uint32_t base = 0;        ///< of a view: whose memory it shows
  std::int64_t view_offset = 0;  ///< of a view: from the start of that, in elements
  std::size_t place = 0;         ///< in the arena or the strip, in bytes; of its own, which one
  std::size_t last_use = 0;      ///< the last unit that reads it, views of it included

  std::size_t bytes() const { return static_cast<std::size_t>(size) * size_of(dtype); }
};

struct Step {
  std::unique_ptr<const Program> program;  ///< of a group
  const GeneralOp* op = nullptr;           ///< of another node; neither for a packed copy
  bool accumulates = false;                ///< the op's result is added to the last input
  Shape shape;                             ///< of a group
  std::vector<FusedSum::Kind> sums;        ///< of a group, for each output
  std::vector<std::uint32_t> inputs, outputs;  ///< slots, or none for outputs that are not stored
  std::vector<Array> arrays;                   ///< unless of a group: inputs and output, without their data
  std::unique_ptr<const StepProfile> profile;  ///< while profiling
};

/// Steps that are run together: one, or a strip.
struct Unit {
  std::size_t first = 0, count = 1;
};

/// Places in one block of memory: the smallest free one that fits, else at the end.
class Arena {
 public:
  std::size_t take(std::size_t bytes);
  void give(std::size_t place, std::size_t bytes);
  std::size_t bytes() const { return end_; }

 private:
  struct Range {
    std::size_t place, bytes;
  };
  std::vector<Range> free_;
  std::size_t end_ = 0;
};

/// Room for so many bytes, at least one cache line.
std::size_t whole_lines(std::size_t bytes);

}  // namespace xgrad::detail
