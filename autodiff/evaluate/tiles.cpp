#include <algorithm>
#include <autodiff/evaluate/evaluate.hpp>
#include <autodiff/evaluate/tiles.hpp>
#include <cstring>
#include <vector>

namespace xgrad::detail {
namespace {

constexpr std::size_t longest_rank = 64;

/// Extents of several arrays walked together, neighbouring axes merged where every array allows it, outermost first.
struct Walk {
  std::size_t rank = 0;
  std::int64_t extents[longest_rank];
};

/// Strides of `array` broadcast to `shape`, as long as `shape`.
void broadcast_strides(const Array& array, const Shape& shape, std::int64_t* strides) {
  const std::size_t missing = shape.size() - array.shape->size();
  for (std::size_t i = 0; i < shape.size(); ++i)
    strides[i] = i < missing || (*array.shape)[i - missing] == 1 ? 0 : (*array.strides)[i - missing];
}

/// Drops axes of extent 1 and merges axis i with i+1 where stride[i] == stride[i+1] · extent[i+1] for all arrays.
template <std::size_t N>
Walk merge_axes(const Shape& shape, std::size_t arrays, std::int64_t (*strides)[N]) {
  Walk walk;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    if (shape[axis] == 1) continue;
    bool merges = walk.rank > 0;
    for (std::size_t a = 0; a < arrays && merges; ++a)
      merges = strides[a][walk.rank - 1] == strides[a][axis] * shape[axis];
    if (merges) {
      walk.extents[walk.rank - 1] *= shape[axis];
      for (std::size_t a = 0; a < arrays; ++a) strides[a][walk.rank - 1] = strides[a][axis];
    } else {
      walk.extents[walk.rank] = shape[axis];
      for (std::size_t a = 0; a < arrays; ++a) strides[a][walk.rank] = strides[a][axis];
      ++walk.rank;
    }
  }
  return walk;
}

template <class T>
void copy_run(const T* source, std::int64_t stride, std::size_t n, T* target) {
  if (stride == 1) std::copy_n(source, n, target);
  else if (stride == 0) std::fill_n(target, n, *source);
  else
    for (std::size_t i = 0; i < n; ++i) target[i] = source[static_cast<std::int64_t>(i) * stride];
}

/// The elements first … first + n - 1, in row-major order of the walk, one after another to `target`.
template <class T>
void gather(const T* source, const std::int64_t* strides, const Walk& walk, std::size_t first, std::size_t n, T* target) {
  if (walk.rank == 0) {
    std::fill_n(target, n, *source);
    return;
  }
  std::int64_t index[longest_rank];
  std::size_t rest = first;
  std::int64_t offset = 0;
  for (std::size_t i = walk.rank; i-- > 0;) {
    const auto extent = static_cast<std::size_t>(walk.extents[i]);
    index[i] = static_cast<std::int64_t>(rest % extent);
    rest /= extent;
    offset += index[i] * strides[i];
  }
  const std::size_t last = walk.rank - 1;
  while (n > 0) {
    const std::size_t run = std::min(n, static_cast<std::size_t>(walk.extents[last] - index[last]));
    copy_run(source + offset, strides[last], run, target);
    target += run;
    n -= run;
    if (n == 0) return;
    offset -= index[last] * strides[last];
    index[last] = 0;
    for (std::size_t i = last; i-- > 0;) {
      offset += strides[i];
      if (++index[i] < walk.extents[i]) break;
      offset -= walk.extents[i] * strides[i];
      index[i] = 0;
    }
  }
}

template <class F>
void with_element(std::size_t bytes, F&& f) {
  if (bytes == 1) f(std::uint8_t{});
  else if (bytes == 4) f(std::uint32_t{});
  else f(std::uint64_t{});
}

constexpr std::size_t most_inputs = 4;

struct alignas(64) Tile {
  std::byte bytes[tile_size * 8];
};

/// One input of a walk: read in place where its elements lie together, else through a tile of its own.
struct Source {
  const std::byte* data = nullptr;
  std::size_t bytes = 0;
  bool direct = false;
  bool scalar = false;
};

}  // namespace

void run_tiles(TileKernel kernel, std::span<const Array> inputs, const Array& output) {
  const auto size = static_cast<std::size_t>(output.size);
  if (size == 0) return;

  const void* pointers[most_inputs];
  bool all_direct = true;
  for (std::size_t a = 0; a < inputs.size(); ++a) {
    pointers[a] = inputs[a].data;
    all_direct = all_direct && inputs[a].contiguous && inputs[a].size == output.size;
  }
  if (all_direct) {
    kernel(pointers, output.data, size);
    return;
  }

  std::int64_t strides[most_inputs][longest_rank];
  for (std::size_t a = 0; a < inputs.size(); ++a) broadcast_strides(inputs[a], *output.shape, strides[a]);
  const Walk walk = merge_axes(*output.shape, inputs.size(), strides);
  const std::size_t row = walk.rank == 0 ? 1 : static_cast<std::size_t>(walk.extents[walk.rank - 1]);

  Tile tiles[most_inputs];
  Source sources[most_inputs];
  // A long row is tiled by itself, so that what is contiguous along it is read in place.
  const bool by_row = row >= 128;
  for (std::size_t a = 0; a < inputs.size(); ++a) {
    Source& source = sources[a];
    source.data = static_cast<const std::byte*>(inputs[a].data);
    source.bytes = size_of(inputs[a].dtype);
    source.scalar = std::all_of(strides[a], strides[a] + walk.rank, [](std::int64_t stride) { return stride == 0; });
    source.direct = inputs[a].contiguous && inputs[a].size == output.size;
    if (source.scalar) {
      with_element(source.bytes, [&](auto type) {
        using T = decltype(type);
        std::fill_n(reinterpret_cast<T*>(tiles[a].bytes), std::min(size, tile_size), *reinterpret_cast<const T*>(source.data));
      });
      pointers[a] = tiles[a].bytes;
    }
  }

  std::byte* target = static_cast<std::byte*>(output.data);
  const std::size_t target_bytes = size_of(output.dtype);
  for (std::size_t first = 0; first < size;) {
    const std::size_t n = std::min(tile_size, by_row ? row - first % row : size - first);
    for (std::size_t a = 0; a < inputs.size(); ++a) {
      const Source& source = sources[a];
      if (source.scalar) continue;
      if (source.direct) {
        pointers[a] = source.data + first * source.bytes;
        continue;
      }
      if (by_row && strides[a][walk.rank - 1] == 1) {
        std::int64_t offset = static_cast<std::int64_t>(first % row);
        for (std::size_t i = walk.rank - 1, rest = first / row; i-- > 0; rest /= static_cast<std::size_t>(walk.extents[i]))
          offset += static_cast<std::int64_t>(rest % static_cast<std::size_t>(walk.extents[i])) * strides[a][i];
        pointers[a] = source.data + offset * static_cast<std::int64_t>(source.bytes);
        continue;
      }
      with_element(source.bytes, [&](auto type) {
        using T = decltype(type);
        gather(reinterpret_cast<const T*>(source.data), strides[a], walk, first, n, reinterpret_cast<T*>(tiles[a].bytes));
      });
      pointers[a] = tiles[a].bytes;
    }
    kernel(pointers, target + first * target_bytes, n);
    first += n;
  }
}

void copy_contiguous(const Array& source, void* target) {
  if (source.size == 0) return;
  std::int64_t strides[1][longest_rank];
  broadcast_strides(source, *source.shape, strides[0]);
  const Walk walk = merge_axes(*source.shape, 1, strides);
  with_element(size_of(source.dtype), [&](auto type) {
    using T = decltype(type);
    const T* from = static_cast<const T*>(source.data);
    T* to = static_cast<T*>(target);
    const auto size = static_cast<std::size_t>(source.size);
    const std::size_t last = walk.rank - 1;
    // A transposition: the last axis strides, another does not. Both are walked in blocks that stay in cache.
    std::size_t unit = walk.rank;
    if (walk.rank >= 2 && strides[0][last] != 1 && strides[0][last] != 0)
      for (std::size_t i = 0; i < last; ++i)
        if (strides[0][i] == 1) unit = i;
    if (unit >= last) {
      gather(from, strides[0], walk, 0, size, to);
      return;
    }
    constexpr std::int64_t block = 32;
    const std::int64_t rows = walk.extents[unit], columns = walk.extents[last], step = strides[0][last];
    std::int64_t row_step = 1;  // of the target, along axis `unit`
    for (std::size_t i = unit + 1; i <= last; ++i) row_step *= walk.extents[i];
    std::int64_t index[longest_rank] = {};
    const auto planes = static_cast<std::int64_t>(size) / (rows * columns);
    for (std::int64_t plane = 0; plane < planes; ++plane) {
      std::int64_t source_offset = 0, target_offset = 0, target_step = columns;
      for (std::size_t i = last; i-- > 0;) {
        if (i != unit) {
          source_offset += index[i] * strides[0][i];
          target_offset += index[i] * target_step;
        }
        target_step *= walk.extents[i];
      }
      for (std::int64_t r = 0; r < rows; r += block)
        for (std::int64_t c = 0; c < columns; c += block)
          for (std::int64_t i = r; i < std::min(r + block, rows); ++i)
            for (std::int64_t j = c; j < std::min(c + block, columns); ++j)
              to[target_offset + i * row_step + j] = from[source_offset + i + j * step];
      for (std::size_t i = last; i-- > 0;) {
        if (i == unit) continue;
        if (++index[i] < walk.extents[i]) break;
        index[i] = 0;
      }
    }
  });
}

}  // namespace xgrad::detail
