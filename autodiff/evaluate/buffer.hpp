#pragma once

#include <autodiff/detail/ref.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace xgrad {

namespace detail {

/// Aligned memory for values. The last holder gives it back to a pool, since fresh pages cost more than the work on them.
class Buffer : public Counted {
 public:
  static constexpr std::size_t alignment = 64;
  /// Bytes behind the capacity that may be read, and written if the buffer may: those of the longest vector.
  static constexpr std::size_t slack = 64;

  /// At least `bytes`, uninitialised.
  static Ref<Buffer> allocate(std::size_t bytes);
  static void dispose(Buffer* buffer) noexcept;

  /// Starts at a cache line.
  void* data() noexcept { return reinterpret_cast<std::byte*>(this) + alignment; }
  std::size_t capacity() const noexcept { return capacity_; }

 private:
  explicit Buffer(std::size_t capacity) : capacity_(capacity) {}
  std::size_t capacity_;
};
static_assert(sizeof(Buffer) <= Buffer::alignment);

}  // namespace detail

/// What tensors hold in memory, and what was asked of the system, since the program began.
struct MemoryStatistics {
  std::size_t in_use = 0;            ///< bytes held by values
  std::size_t peak_in_use = 0;       ///< the most `in_use` has been, since that was reset
  std::size_t cached = 0;            ///< bytes the pool keeps for the next value
  std::size_t system_allocations = 0;///< times memory was asked of the system
};
MemoryStatistics memory_statistics();
/// From now on `peak_in_use` counts anew.
void reset_peak_memory_statistics();

/// Gives the pool's memory back to the system, and has the pool forget how much was in use at once.
void release_cached_memory();
/// How many bytes the pool may keep for the next value. Without a limit, the default, it keeps 1 GiB, or as much as has been in use at
/// once, if that is more: a step that works on more than it may keep asks the system for the rest each time, which is dear.
void set_cached_memory_limit(std::optional<std::size_t> bytes);

}  // namespace xgrad
