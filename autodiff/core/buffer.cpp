#include <algorithm>
#include <atomic>
#include <autodiff/core/buffer.hpp>
#include <autodiff/core/runtime.hpp>
#include <bit>
#include <cstdlib>
#include <mutex>
#include <new>
#include <thread>
#include <vector>

namespace xgrad {
namespace detail {
namespace {

// AddressSanitizer sees through a pool no better than through a leak, so under it every buffer is the system's.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool pooling = false;
#else
constexpr bool pooling = true;
#endif

constexpr std::size_t least_cache_limit = std::size_t{1} << 30;
constexpr std::size_t smallest = 64;
constexpr std::size_t classes = 4 * 64;

/// Capacities grow by quarters of a power of two, so that at most a fifth is wasted.
std::size_t class_of(std::size_t bytes) {
  if (bytes <= smallest) return 0;
  const auto power = static_cast<std::size_t>(std::bit_width(bytes - 1)) - 1;  // 2^power < bytes <= 2^(power + 1)
  const std::size_t quarter = (bytes - 1 - (std::size_t{1} << power)) >> (power - 2);
  return (power - 6) * 4 + quarter + 1;
}
std::size_t capacity_of(std::size_t size_class) {
  if (size_class == 0) return smallest;
  const std::size_t power = (size_class - 1) / 4 + 6, quarter = (size_class - 1) % 4 + 1;
  return (std::size_t{1} << power) + (quarter << (power - 2));
}

/// Held for some ten instructions, which is less than what a std::mutex costs by itself.
class SpinLock {
 public:
  void lock() noexcept {
    while (taken_.test_and_set(std::memory_order_acquire)) std::this_thread::yield();
  }
  void unlock() noexcept { taken_.clear(std::memory_order_release); }

 private:
  std::atomic_flag taken_;
};

struct Pool {
  SpinLock mutex;
  std::vector<Buffer*> free[classes];
  MemoryStatistics statistics;
  std::size_t most_in_use = 0;  ///< since the pool was last emptied
  std::optional<std::size_t> limit;

  void take(std::size_t capacity) {
    statistics.in_use += capacity;
    statistics.peak_in_use = std::max(statistics.peak_in_use, statistics.in_use);
    most_in_use = std::max(most_in_use, statistics.in_use);
  }
  std::size_t cache_limit() const { return limit.value_or(std::max(least_cache_limit, most_in_use)); }
  void give_back() {
    for (auto& buffers : free) {
      for (Buffer* buffer : buffers) std::free(buffer);
      buffers.clear();
      buffers.shrink_to_fit();
    }
    statistics.cached = 0;
    most_in_use = statistics.in_use;
  }
};

/// Never destroyed: tensors in static storage may outlive anything that is.
Pool& pool() {
  static Pool& instance = *new Pool;
  return instance;
}

}  // namespace

Ref<Buffer> Buffer::allocate(std::size_t bytes) {
  const std::size_t size_class = class_of(bytes), capacity = capacity_of(size_class);
  Pool& shared = pool();
  {
    const std::lock_guard lock(shared.mutex);
    MemoryStatistics& statistics = shared.statistics;
    auto& free = shared.free[size_class];
    if (!free.empty()) {
      Buffer* buffer = free.back();
      free.pop_back();
      statistics.cached -= capacity;
      shared.take(capacity);
      return Ref<Buffer>(buffer);
    }
  }
  const std::size_t total = (alignment + capacity + slack + alignment - 1) / alignment * alignment;
  void* memory = std::aligned_alloc(alignment, total);
  if (!memory) {
    release_cached_memory();
    memory = std::aligned_alloc(alignment, total);
    if (!memory) throw std::bad_alloc();
  }
  {
    const std::lock_guard lock(shared.mutex);
    ++shared.statistics.system_allocations;
    shared.take(capacity);
  }
  return Ref<Buffer>(new (memory) Buffer(capacity));
}

void Buffer::dispose(Buffer* buffer) noexcept {
  const std::size_t capacity = buffer->capacity();
  Pool& shared = pool();
  {
    const std::lock_guard lock(shared.mutex);
    shared.statistics.in_use -= capacity;
    if (pooling && shared.statistics.cached + capacity <= shared.cache_limit()) {
      try {
        shared.free[class_of(capacity)].push_back(buffer);
        shared.statistics.cached += capacity;
        return;
      } catch (const std::bad_alloc&) {  // no room to remember it: give it back
      }
    }
  }
  buffer->~Buffer();
  std::free(buffer);
}

}  // namespace detail

MemoryStatistics memory_statistics() {
  detail::Pool& shared = detail::pool();
  const std::lock_guard lock(shared.mutex);
  return shared.statistics;
}

void reset_peak_memory_statistics() {
  detail::Pool& shared = detail::pool();
  const std::lock_guard lock(shared.mutex);
  shared.statistics.peak_in_use = shared.statistics.in_use;
}

void release_cached_memory() {
  detail::Pool& shared = detail::pool();
  const std::lock_guard lock(shared.mutex);
  shared.give_back();
}

void set_cached_memory_limit(std::optional<std::size_t> bytes) {
  detail::Pool& shared = detail::pool();
  const std::lock_guard lock(shared.mutex);
  shared.limit = bytes;
  if (shared.statistics.cached > shared.cache_limit()) shared.give_back();
}

}  // namespace xgrad
