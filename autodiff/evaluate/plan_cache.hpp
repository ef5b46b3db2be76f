// What was made once for a structure, kept for the next recording that has it.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

namespace xgrad::detail {

/// Things by a hash, each with a size. Once their sizes add up to more than a bound, those used longest ago go first.
template <class T>
class LeastRecentlyUsed {
 public:
  explicit LeastRecentlyUsed(std::size_t bound) : bound_(bound) {}

  /// The thing with this hash that `fits` accepts, null if there is none. It counts as used.
  template <class Fits>
  T* find(std::uint64_t hash, const Fits& fits) {
    for (auto [at, end] = index_.equal_range(hash); at != end; ++at) {
      if (!fits(at->second->thing)) continue;
      entries_.splice(entries_.begin(), entries_, at->second);
      return &entries_.front().thing;
    }
    return nullptr;
  }
  T& insert(std::uint64_t hash, T thing, std::size_t size) {
    while (!entries_.empty() && size_ + size > bound_) remove_last();
    entries_.push_front({std::move(thing), hash, size});
    index_.emplace(hash, entries_.begin());
    size_ += size;
    return entries_.front().thing;
  }

 private:
  struct Entry {
    T thing;
    std::uint64_t hash;
    std::size_t size;
  };
  void remove_last() {
    const auto last = std::prev(entries_.end());
    auto at = index_.equal_range(last->hash).first;
    while (at->second != last) ++at;
    index_.erase(at);
    size_ -= last->size;
    entries_.pop_back();
  }

  const std::size_t bound_;
  std::size_t size_ = 0;
  std::list<Entry> entries_;  ///< the last used first
  std::unordered_multimap<std::uint64_t, typename std::list<Entry>::iterator> index_;
};

/// Things by key. Keys are compared whole, so that a collision of hashes costs time and nothing else.
template <class V>
class StructureCache {
 public:
  std::shared_ptr<const V> find(std::uint64_t hash, const std::vector<std::uint64_t>& key) {
    const Keyed* const found = entries_.find(hash, [&](const Keyed& entry) { return entry.first == key; });
    return found ? found->second : nullptr;
  }
  void insert(std::uint64_t hash, const std::vector<std::uint64_t>& key, std::shared_ptr<const V> thing) {
    if (key.size() <= most_words / 4) entries_.insert(hash, {key, std::move(thing)}, key.size());
  }

 private:
  using Keyed = std::pair<std::vector<std::uint64_t>, std::shared_ptr<const V>>;
  static constexpr std::size_t most_words = 1 << 22;  // what is kept takes a few times as much as its key
  LeastRecentlyUsed<Keyed> entries_{most_words};
};

}  // namespace xgrad::detail
