// How elementwise work walks over arrays: in tiles of contiguous elements small enough for the first-level cache,
// whatever the strides of the inputs.
#pragma once

#include <autodiff/tape.hpp>
#include <span>

namespace xgrad::detail {

/// Elements of a tile.
constexpr std::size_t tile_size = 1024;

/// Runs `kernel` over `inputs`, broadcast to the shape of the contiguous `output`.
void run_tiles(TileKernel kernel, std::span<const Array> inputs, const Array& output);

}  // namespace xgrad::detail
