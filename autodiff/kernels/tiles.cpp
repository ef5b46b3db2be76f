#include <algorithm>
#include <autodiff/kernels/tiles.hpp>
#include <cstring>
#include <vector>

namespace xgrad::detail {
namespace {

using Extents = std::vector<std::int64_t>;

/// Strides of `array` broadcast to `shape`, as long as `shape`.
void broadcast_strides(const Array& array, const Shape& shape, std::int64_t* strides) {
  const std::size_t missing = shape.size() - array.shape->size();
  for (std::size_t i = 0; i < shape.size(); ++i)
    strides[i] = i < missing || (*array.shape)[i - missing] == 1 ? 0 : (*array.strides)[i - missing];
}

/// Drops axes of extent 1 and merges axis i with i+1 where stride[i] == stride[i+1] · extent[i+1] for all arrays.
/// Returns how many axes are left.
std::size_t merge_axes(const Shape& shape, std::span<std::int64_t* const> strides, std::int64_t* extents) {
  std::size_t rank = 0;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    if (shape[axis] == 1) continue;
    const bool merges = rank > 0 && std::all_of(strides.begin(), strides.end(), [&](const std::int64_t* steps) {
      return steps[rank - 1] == steps[axis] * shape[axis];
    });
    if (!merges) ++rank;
    extents[rank - 1] = merges ? extents[rank - 1] * shape[axis] : shape[axis];
    for (std::int64_t* steps : strides) steps[rank - 1] = steps[axis];
  }
  return rank;
}

template <class T>
void copy_run(const T* source, std::int64_t stride, std::size_t n, T* target) {
  if (stride == 1) std::copy_n(source, n, target);
  else if (stride == 0) std::fill_n(target, n, *source);
  else
    for (std::size_t i = 0; i < n; ++i) target[i] = source[static_cast<std::int64_t>(i) * stride];
}

/// The elements first … first + n - 1, in row-major order of `extents`, one after another to `target`.
template <class T>
void gather(const T* source, const std::int64_t* strides, const Extents& extents, std::size_t first, std::size_t n, T* target) {
  if (extents.empty()) {
    std::fill_n(target, n, *source);
    return;
  }
  xt::svector<std::int64_t, 8> index(extents.size());
  std::size_t rest = first;
  std::int64_t offset = 0;
  for (std::size_t i = extents.size(); i-- > 0;) {
    const auto extent = static_cast<std::size_t>(extents[i]);
    index[i] = static_cast<std::int64_t>(rest % extent);
    rest /= extent;
    offset += index[i] * strides[i];
  }
  const std::size_t last = extents.size() - 1;
  while (n > 0) {
    const std::size_t run = std::min(n, static_cast<std::size_t>(extents[last] - index[last]));
    copy_run(source + offset, strides[last], run, target);
    target += run;
    n -= run;
    if (n == 0) return;
    offset -= index[last] * strides[last];
    index[last] = 0;
    for (std::size_t i = last; i-- > 0;) {
      offset += strides[i];
      if (++index[i] < extents[i]) break;
      offset -= extents[i] * strides[i];
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

}  // namespace

TilePlan::TilePlan(std::span<const Array> inputs, const Shape& shape, std::size_t constant_elements, std::size_t longest,
                   std::size_t split, std::size_t whole)
    : split_(split), constant_elements_(constant_elements) {
  const std::size_t rank = shape.size(), count = inputs.size();
  std::vector<std::int64_t> flat(count * rank);
  std::vector<std::int64_t*> strides(count);
  for (std::size_t a = 0; a < count; ++a) {
    strides[a] = flat.data() + a * rank;
    broadcast_strides(inputs[a], shape, strides[a]);
  }
  extents_.resize(rank);
  extents_.resize(merge_axes(shape, strides, extents_.data()));
  size_ = static_cast<std::size_t>(xgrad::size_of(shape));
  row_ = extents_.empty() ? 1 : static_cast<std::size_t>(extents_.back());
  // A long row is tiled by itself, so that what is contiguous along it is read in place.
  by_row_ = row_ >= 128;
  if (whole != 0 && row_ % whole != 0 && row_ < size_ && (split_ == 0 || row_ % split_ != 0)) by_row_ = false;

  sources_.resize(count);
  bool gathers = false;
  for (std::size_t a = 0; a < count; ++a) {
    Source& source = sources_[a];
    source.bytes = size_of(inputs[a].dtype);
    source.strides.assign(strides[a], strides[a] + extents_.size());
    const bool constant =
        std::all_of(source.strides.begin(), source.strides.end(), [](std::int64_t stride) { return stride == 0; });
    source.access = constant                                                                     ? Access::constant
                    : inputs[a].contiguous && inputs[a].size == static_cast<std::int64_t>(size_) ? Access::direct
                    : by_row_ && source.strides.back() == 1                                      ? Access::direct_row
                    : by_row_ && source.strides.back() == 0                                      ? Access::row_constant
                                                                                                 : Access::gathered;
    const std::size_t elements =
        source.access == Access::gathered ? std::min(tile_size, size_) : advances(a) ? 0 : constant_elements;
    source.tile = scratch_bytes_;
    scratch_bytes_ += (elements * source.bytes + Buffer::alignment - 1) / Buffer::alignment * Buffer::alignment;
    gathers = gathers || source.access == Access::gathered;
  }
  longest_ = gathers ? tile_size : longest;
  one_tile_ = size_ > 0 && size_ <= longest_ && std::all_of(sources_.begin(), sources_.end(), [](const Source& source) {
                return source.access != Access::direct_row && source.access != Access::row_constant;
              });
}

/// Fills the tile of a source that is the same along it.
void TilePlan::repeat(const Source& source, const std::byte* element, std::byte* scratch) const {
  with_element(source.bytes, [&](auto type) {
    using T = decltype(type);
    std::fill_n(reinterpret_cast<T*>(scratch + source.tile), constant_elements_, *reinterpret_cast<const T*>(element));
  });
}

/// Fills the tile of a source whose elements do not lie together.
void TilePlan::copy(const Source& source, const std::byte* data, std::size_t first, std::size_t count, std::byte* scratch) const {
  with_element(source.bytes, [&](auto type) {
    using T = decltype(type);
    gather(reinterpret_cast<const T*>(data), source.strides.data(), extents_, first, count, reinterpret_cast<T*>(scratch + source.tile));
  });
}

void TilePlan::place(std::span<const std::byte* const> data, std::byte* scratch, const std::byte** pointers) const {
  for (std::size_t a = 0; a < sources_.size(); ++a) {
    const Source& source = sources_[a];
    pointers[a] = source.access == Access::direct ? data[a] : scratch + source.tile;
    if (source.access == Access::constant) repeat(source, data[a], scratch);
    else if (source.access == Access::gathered) copy(source, data[a], 0, size_, scratch);
  }
}

TileWalk::TileWalk(const TilePlan& plan, std::byte* scratch, const std::byte** pointers, std::size_t begin)
    : plan_(plan), scratch_(scratch), pointers_(pointers), first_(begin) {
  if (plan.by_row_) {
    row_ = begin / plan.row_;
    in_row_ = begin % plan.row_;
  }
  if (plan.split_ != 0) to_split_ = plan.split_ - begin % plan.split_;
}

void TileWalk::go_on(std::span<const std::byte* const> data, std::size_t end) {
  data_ = data;
  end_ = end;
  if (!begins_ || first_ + count_ >= end) return;
  begins_ = false;
  for (std::size_t a = 0; a < plan_.sources_.size(); ++a) {
    const TilePlan::Source& source = plan_.sources_[a];
    if (source.access == TilePlan::Access::direct || source.access == TilePlan::Access::direct_row) continue;
    pointers_[a] = scratch_ + source.tile;
    if (source.access == TilePlan::Access::constant) plan_.repeat(source, data[a], scratch_);
  }
}

std::int64_t TileWalk::row_offset(const TilePlan::Source& source) const {
  if (plan_.extents_.size() == 2) return static_cast<std::int64_t>(row_) * source.strides[0];
  std::int64_t offset = 0;
  std::size_t rest = row_;
  for (std::size_t i = plan_.extents_.size() - 1; i-- > 0;) {
    const auto extent = static_cast<std::size_t>(plan_.extents_[i]);
    offset += static_cast<std::int64_t>(rest % extent) * source.strides[i];
    rest /= extent;
  }
  return offset;
}

/// Past the tile.
void TileWalk::advance() {
  first_ += count_;
  if (plan_.by_row_ && (in_row_ += count_) == plan_.row_) {
    in_row_ = 0;
    ++row_;
  }
  if (plan_.split_ != 0 && (to_split_ -= count_) == 0) to_split_ = plan_.split_;
  count_ = 0;
}

bool TileWalk::next() {
  using Access = TilePlan::Access;
  if (count_ > 0) advance();
  if (first_ >= end_) return false;
  count_ = std::min(plan_.longest_, end_ - first_);
  if (plan_.by_row_) count_ = std::min(count_, plan_.row_ - in_row_);
  if (plan_.split_ != 0) count_ = std::min(count_, to_split_);
  for (std::size_t a = 0; a < plan_.sources_.size(); ++a) {
    const TilePlan::Source& source = plan_.sources_[a];
    const auto bytes = static_cast<std::int64_t>(source.bytes);
    if (source.access == Access::direct) {
      pointers_[a] = data_[a] + first_ * source.bytes;
    } else if (source.access == Access::direct_row) {
      pointers_[a] = data_[a] + (row_offset(source) + static_cast<std::int64_t>(in_row_)) * bytes;
    } else if (source.access == Access::row_constant && row_ != row_at_) {
      plan_.repeat(source, data_[a] + row_offset(source) * bytes, scratch_);
    } else if (source.access == Access::gathered) {
      plan_.copy(source, data_[a], first_, count_, scratch_);
    }
  }
  row_at_ = row_;
  return true;
}

void copy_contiguous(const Array& source, void* target) {
  if (source.size == 0) return;
  Extents strides(source.shape->size()), extents(source.shape->size());
  std::copy(source.strides->begin(), source.strides->end(), strides.begin());
  std::int64_t* const steps = strides.data();
  extents.resize(merge_axes(*source.shape, std::span(&steps, 1), extents.data()));
  with_element(size_of(source.dtype), [&](auto type) {
    using T = decltype(type);
    const T* from = static_cast<const T*>(source.data);
    T* to = static_cast<T*>(target);
    // A transposition: the last axis strides, another does not. Both are walked in blocks that stay in cache.
    const std::size_t rank = extents.size(), last = rank - 1;
    std::size_t unit = rank;
    if (rank >= 2 && steps[last] != 1 && steps[last] != 0)
      for (std::size_t i = 0; i < last; ++i)
        if (steps[i] == 1) unit = i;
    if (unit == rank) {
      gather(from, steps, extents, 0, static_cast<std::size_t>(source.size), to);
      return;
    }
    constexpr std::int64_t block = 32;
    const std::int64_t rows = extents[unit], columns = extents[last], step = steps[last];
    std::int64_t row_step = 1;  // of the target, along axis `unit`
    for (std::size_t i = unit + 1; i < rank; ++i) row_step *= extents[i];
    Extents index(rank);
    for (std::int64_t planes = source.size / (rows * columns); planes > 0; --planes) {
      std::int64_t source_offset = 0, target_offset = 0, target_step = columns;
      for (std::size_t i = last; i-- > 0;) {
        source_offset += index[i] * steps[i];
        target_offset += index[i] * target_step;
        target_step *= extents[i];
      }
      for (std::int64_t r = 0; r < rows; r += block)
        for (std::int64_t c = 0; c < columns; c += block)
          for (std::int64_t i = r; i < std::min(r + block, rows); ++i)
            for (std::int64_t j = c; j < std::min(c + block, columns); ++j)
              to[target_offset + i * row_step + j] = from[source_offset + i + j * step];
      for (std::size_t i = last; i-- > 0;) {
        if (i == unit) continue;
        if (++index[i] < extents[i]) break;
        index[i] = 0;
      }
    }
  });
}

void copy_strided(const Array& source, void* target, const Strides& strides) {
  const std::size_t rank = source.shape->size();
  Extents from(rank), to(rank), extents(rank);
  std::copy(source.strides->begin(), source.strides->end(), from.begin());
  std::copy(strides.begin(), strides.end(), to.begin());
  std::int64_t* const steps[] = {from.data(), to.data()};
  extents.resize(merge_axes(*source.shape, steps, extents.data()));
  if (extents.empty()) extents = {1}, from = {1}, to = {1};
  const std::size_t last = extents.size() - 1;
  Extents index(extents.size());
  with_element(size_of(source.dtype), [&](auto type) {
    using T = decltype(type);
    const T* x = static_cast<const T*>(source.data);
    T* y = static_cast<T*>(target);
    for (std::int64_t rows = source.size / extents[last]; rows > 0; --rows) {
      if (to[last] == 1) copy_run(x, from[last], static_cast<std::size_t>(extents[last]), y);
      else
        for (std::int64_t i = 0; i < extents[last]; ++i) y[i * to[last]] = x[i * from[last]];
      for (std::size_t i = last; i-- > 0;) {
        x += from[i];
        y += to[i];
        if (++index[i] < extents[i]) break;
        x -= extents[i] * from[i];
        y -= extents[i] * to[i];
        index[i] = 0;
      }
    }
  });
}

}  // namespace xgrad::detail
