#pragma once

#include <cstddef>
#include <cstdint>

namespace xgrad::detail {

/// A sum that can be taken in the pass that computes its terms: `all` of them, or those along the last axes (`rows`) or
/// the first (`columns`). `length` is that of a row, or how many columns there are. What is summed in which order depends
/// on the shape alone: however a value is computed, its sum has the same bits.
struct FusedSum {
  enum class Kind : std::uint8_t { none, all, rows, columns };
  Kind kind = Kind::none;
  std::size_t length = 0;
  /// Extent of the last axis when it is long enough for blocks to start anew with it, and not all there is; else 0.
  std::size_t last_axis = 0;
};

}  // namespace xgrad::detail
