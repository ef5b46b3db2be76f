#include <algorithm>
#include <autodiff/evaluate/schedule.hpp>
#include <limits>
#include <new>

namespace xgrad::detail {

std::size_t Arena::take(std::size_t bytes) {
  auto best = free_.end();
  for (auto at = free_.begin(); at != free_.end(); ++at)
    if (at->bytes >= bytes && (best == free_.end() || at->bytes < best->bytes)) best = at;
  if (best != free_.end()) {
    const std::size_t place = best->place;
    best->place += bytes;
    best->bytes -= bytes;
    if (best->bytes == 0) free_.erase(best);
    return place;
  }
  std::size_t place = end_;
  if (!free_.empty() && free_.back().place + free_.back().bytes == end_) {
    place = free_.back().place;
    free_.pop_back();
  }
  if (bytes > std::numeric_limits<std::ptrdiff_t>::max() - place) throw std::bad_alloc();
  end_ = place + bytes;
  return place;
}

void Arena::give(std::size_t place, std::size_t bytes) {
  auto at = std::find_if(free_.begin(), free_.end(), [place](const Range& range) { return range.place > place; });
  at = free_.insert(at, {place, bytes});
  if (at + 1 != free_.end() && at->place + at->bytes == (at + 1)->place) {
    at->bytes += (at + 1)->bytes;
    free_.erase(at + 1);
  }
  if (at != free_.begin() && (at - 1)->place + (at - 1)->bytes == at->place) {
    (at - 1)->bytes += at->bytes;
    free_.erase(at);
  }
}

std::size_t whole_lines(std::size_t bytes) {
  return (std::max<std::size_t>(bytes, 1) + Buffer::alignment - 1) / Buffer::alignment * Buffer::alignment;
}

}  // namespace xgrad::detail
