// How elementwise work walks over arrays: in tiles of contiguous elements small enough for the first-level cache,
// whatever the strides of the inputs.
#pragma once

#include <algorithm>
#include <autodiff/core/tape.hpp>
#include <span>
#include <vector>

namespace xgrad::detail {

/// Elements of a tile that inputs are copied into.
constexpr std::size_t tile_size = 512;

/// How inputs broadcast to one shape are walked over: what is known before their values are.
class TilePlan {
 public:
  TilePlan() = default;
  /// Of `inputs`, whose data does not matter yet and which broadcast to `shape`. A tile of equal elements holds
  /// `constant_elements` and does not advance; no tile is longer than `longest`, nor crosses a multiple of `split`, if that is
  /// not 0. Tiles shorter than that hold a multiple of `whole` elements, if it is not 0.
  TilePlan(std::span<const Array> inputs, const Shape& shape, std::size_t constant_elements, std::size_t longest,
           std::size_t split = 0, std::size_t whole = 0);

  /// From now on tiles of equal elements hold no more than so many.
  void shorten_constants(std::size_t elements) { constant_elements_ = std::min(constant_elements_, elements); }

  std::size_t size() const { return size_; }
  std::size_t inputs() const { return sources_.size(); }
  /// Bytes of working memory a walk needs; whole cache lines.
  std::size_t scratch_bytes() const { return scratch_bytes_; }
  /// Whether all elements fit into one tile, whose pointers `place` sets: as a walk over it would.
  bool is_one_tile() const { return one_tile_; }
  void place(std::span<const std::byte* const> data, std::byte* scratch, const std::byte** pointers) const;
  /// Whether the pointer of an input advances with the elements of a tile.
  bool advances(std::size_t input) const { return sources_[input].access != Access::constant && sources_[input].access != Access::row_constant; }

 private:
  friend class TileWalk;
  struct Source;
  void repeat(const Source& source, const std::byte* element, std::byte* scratch) const;
  void copy(const Source& source, const std::byte* data, std::size_t first, std::size_t count, std::byte* scratch) const;

  enum class Access : std::uint8_t { direct, direct_row, constant, row_constant, gathered };
  struct Source {
    std::size_t bytes = 0;         ///< of an element
    std::size_t tile = 0;          ///< where in the working memory
    Access access = Access::direct;
    std::vector<std::int64_t> strides;
  };

  std::vector<std::int64_t> extents_;  ///< neighbouring axes merged where every input allows it
  std::vector<Source> sources_;
  std::size_t split_ = 0, size_ = 0, row_ = 1, longest_ = tile_size, constant_elements_ = tile_size, scratch_bytes_ = 0;
  bool by_row_ = false, one_tile_ = false;
};

/// Walks over inputs broadcast to one shape. Each step shows the next elements, in row-major order, of every input: in
/// place where they lie together, else copied into a tile.
class TileWalk {
 public:
  /// From element `begin` on. `pointers` will show where each input's tile lies.
  TileWalk(const TilePlan& plan, std::byte* scratch, const std::byte** pointers, std::size_t begin);

  /// Goes on as far as `end`, over inputs that lie at `data`; what is the same for all elements, as it was at first.
  void go_on(std::span<const std::byte* const> data, std::size_t end);
  /// To the next tile; false after the last.
  bool next();
  /// Position of the tile's first element.
  std::size_t first() const { return first_; }
  /// Elements of the tile.
  std::size_t count() const { return count_; }

 private:
  std::int64_t row_offset(const TilePlan::Source& source) const;
  void advance();

  const TilePlan& plan_;
  std::span<const std::byte* const> data_;
  std::byte* scratch_;
  const std::byte** pointers_;
  std::size_t end_ = 0, first_, count_ = 0;
  std::size_t row_ = 0, in_row_ = 0, row_at_ = ~std::size_t{0};  ///< where by rows; the last is the row that tiles hold
  std::size_t to_split_ = 0;                                     ///< elements up to the next multiple of the split
  bool begins_ = true;
};

/// A contiguous copy of `source` into `target`, which has as many elements and the same dtype.
void copy_contiguous(const Array& source, void* target);

/// `source` into the elements of `target` that `strides` reach; neither is empty and they do not overlap.
void copy_strided(const Array& source, void* target, const Strides& strides);

}  // namespace xgrad::detail
