#pragma once

#include <autodiff/core/intrusive_ptr.hpp>
#include <cstddef>
#include <cstdint>

namespace xgrad::detail {

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

}  // namespace xgrad::detail
