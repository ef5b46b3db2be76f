#pragma once

#include <bit>
#include <cstdint>
#include <utility>
#include <vector>

namespace xgrad::detail {

/// Numbers pointers in the order they come. Made to be used again and again: clearing it costs nothing.
class PointerMap {
 public:
  void clear() {
    size_ = 0;
    if (++epoch_ != 0) return;
    table_.clear();
    epoch_ = 1;
  }
  std::uint32_t size() const { return size_; }

  /// The number of `pointer`, and whether it is new.
  std::pair<std::uint32_t, bool> add(const void* pointer) {
    if (table_.size() < 2 * (std::size_t{size_} + 1)) grow();
    Entry& entry = find(pointer);
    if (entry.epoch == epoch_) return {entry.index, false};
    entry = {pointer, size_, epoch_};
    return {size_++, true};
  }

 private:
  struct Entry {
    const void* pointer = nullptr;
    std::uint32_t index = 0, epoch = 0;
  };

  /// Where `pointer` stands, or would.
  Entry& find(const void* pointer) {
    std::size_t at = (reinterpret_cast<std::uintptr_t>(pointer) * 0x9E3779B97F4A7C15u) >> (64 - std::countr_zero(table_.size()));
    while (table_[at].epoch == epoch_ && table_[at].pointer != pointer) at = (at + 1) & (table_.size() - 1);
    return table_[at];
  }
  void grow() {
    std::vector<Entry> before(table_.empty() ? 64 : 4 * table_.size());
    before.swap(table_);
    for (const Entry& entry : before)
      if (entry.epoch == epoch_) find(entry.pointer) = entry;
  }

  std::vector<Entry> table_;
  std::uint32_t size_ = 0, epoch_ = 1;
};

}  // namespace xgrad::detail
