// Steps over the rows of large arrays, such as a mean over each row and what is made of it, run a few rows at a time: what one
// step leaves for the next is still in the cache, and need not have a place in memory.
#pragma once

#include <autodiff/evaluate/schedule.hpp>
#include <functional>
#include <span>
#include <vector>

namespace xgrad::detail {

/// Orders the steps so that those of a strip follow each other, and says which do.
std::vector<Unit> find_strips(std::vector<Step>& steps, std::span<const Slot> slots);

class Strip {
 public:
  /// Of `steps`. Arrays that only these make and read, as `stays` says of the latter, are given places among the rows of the
  /// strip.
  Strip(std::span<const Step> steps, std::span<Slot> slots, const std::function<bool(std::uint32_t slot)>& stays);

  /// `data` has the place of each slot that is not in the strip.
  void run(std::byte* const* data) const;

 private:
  /// An input or output of a member that lies in the strip: its first row, and how far the next is.
  struct Local {
    std::size_t index, place, row_bytes;
  };
  struct Member {
    const RangedProgram* program;
    std::size_t row_elements;
    std::vector<std::uint32_t> inputs, outputs;
    std::vector<Local> local_inputs, local_outputs;
    std::size_t partial = 0;  ///< where its sums over parts begin, in bytes
  };
  void run_part(std::byte* const* data, std::size_t part, std::byte* partial) const;

  std::vector<Member> members_;
  std::size_t rows_ = 0, part_rows_ = 0, strip_rows_ = 0, parts_ = 0, local_bytes_ = 0, partial_bytes_ = 0;
};

}  // namespace xgrad::detail
