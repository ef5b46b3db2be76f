// How elementwise work walks over arrays: in tiles of contiguous elements small enough for the first-level cache,
// whatever the strides of the inputs.
#pragma once

#include <autodiff/tape.hpp>
#include <span>
#include <vector>

namespace xgrad::detail {

/// Elements of a tile.
constexpr std::size_t tile_size = 512;
/// Bytes enough for a tile of any dtype, when there are `size` elements in all; whole cache lines.
constexpr std::size_t bytes_of_tile(std::size_t size) { return ((size < tile_size ? size : tile_size) * 8 + 63) / 64 * 64 + 64; }

/// Walks over inputs broadcast to one shape. Each step shows the next elements, in row-major order, of every input: in
/// place where they lie together, else copied into a tile.
class TileWalk {
 public:
  /// Refers to the values of `inputs`, which broadcast to `shape`.
  TileWalk(std::span<const Array> inputs, const Shape& shape);

  /// To the next tile; false after the last.
  bool next();
  /// Position of the tile's first element.
  std::size_t first() const { return first_; }
  /// Elements of the tile, at most `tile_size`.
  std::size_t count() const { return count_; }
  /// Where the tile of each input starts.
  std::span<const void* const> pointers() const { return pointers_; }

 private:
  enum class Access : std::uint8_t { direct, direct_row, constant, gathered };
  struct Source {
    const std::byte* data = nullptr;
    std::size_t bytes = 0;
    std::byte* tile = nullptr;
    Access access = Access::direct;
    std::vector<std::int64_t> strides;
  };

  std::vector<std::int64_t> extents_;  ///< neighbouring axes merged where every input allows it
  std::vector<Source> sources_;
  std::vector<const void*> pointers_;
  Ref<Buffer> tiles_;
  std::size_t size_ = 0, row_ = 1, first_ = 0, count_ = 0;
  bool by_row_ = false;
};

}  // namespace xgrad::detail
