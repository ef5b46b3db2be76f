// What was made once for a structure, kept for the next recording that has it.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

namespace xgrad::detail {

/// Things by key; those used longest ago go first. Keys are compared whole, so that a collision of hashes costs time and
/// nothing else.
template <class V>
class StructureCache {
 public:
  std::shared_ptr<const V> find(std::uint64_t hash, const std::vector<std::uint64_t>& key) {
    const auto found = entries_.find(hash);
    if (found == entries_.end() || found->second.key != key) return {};
    found->second.last_use = ++clock_;
    return found->second.thing;
  }
  void insert(std::uint64_t hash, const std::vector<std::uint64_t>& key, std::shared_ptr<const V> thing) {
    if (key.size() > most_words / 4) return;
    words_ += key.size();
    while (words_ > most_words || entries_.size() >= most_entries) {
      auto oldest = entries_.begin();
      for (auto at = entries_.begin(); at != entries_.end(); ++at)
        if (at->second.last_use < oldest->second.last_use) oldest = at;
      words_ -= oldest->second.key.size();
      entries_.erase(oldest);
    }
    Entry& entry = entries_[hash];
    words_ -= entry.key.size();
    entry = {key, std::move(thing), ++clock_};
  }

 private:
  static constexpr std::size_t most_words = 1 << 22, most_entries = 256;
  struct Entry {
    std::vector<std::uint64_t> key;
    std::shared_ptr<const V> thing;
    std::uint64_t last_use = 0;
  };
  std::unordered_map<std::uint64_t, Entry> entries_;
  std::size_t words_ = 0;
  std::uint64_t clock_ = 0;
};

}  // namespace xgrad::detail
