#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

namespace xgrad::detail {

/// Base of objects that `Ref` counts. A derived class `T` is destroyed by `T::dispose(T*)`.
class Counted {
 public:
  Counted() = default;
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

  void acquire() const noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
  /// As `acquire`, of a new object that no other thread can know.
  void acquire_first() const noexcept { references_.store(1, std::memory_order_relaxed); }
  /// True when the last reference has gone.
  bool release() const noexcept {
    // Nobody can join a sole holder, so that the most frequent death needs no locked instruction.
    if (references_.load(std::memory_order_acquire) == 1) {
      references_.store(0, std::memory_order_relaxed);
      return true;
    }
    return references_.fetch_sub(1, std::memory_order_acq_rel) == 1;
  }
  std::uint32_t references() const noexcept { return references_.load(std::memory_order_acquire); }

 private:
  mutable std::atomic<std::uint32_t> references_{0};
};

/// Intrusive shared pointer: one word, no separate control block.
template <class T>
class Ref {
 public:
  Ref() = default;
  explicit Ref(T* object) noexcept : object_(object) {
    if (object_) object_->acquire();
  }
  /// Takes over a reference that is counted already.
  static Ref adopt(T* object) noexcept {
    Ref ref;
    ref.object_ = object;
    return ref;
  }
  Ref(const Ref& other) noexcept : Ref(other.object_) {}
  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Ref& operator=(const Ref& other) noexcept {
    Ref copy(other);
    std::swap(object_, copy.object_);
    return *this;
  }
  Ref& operator=(Ref&& other) noexcept {
    Ref moved(std::move(other));
    std::swap(object_, moved.object_);
    return *this;
  }
  ~Ref() {
    if (object_) reset();
  }

  void reset() noexcept {
    if (T* object = std::exchange(object_, nullptr); object && object->release()) T::dispose(object);
  }
  /// The object, whose reference the caller takes over.
  T* leave() noexcept { return std::exchange(object_, nullptr); }
  T* get() const noexcept { return object_; }
  T* operator->() const noexcept { return object_; }
  T& operator*() const noexcept { return *object_; }
  explicit operator bool() const noexcept { return object_ != nullptr; }
  bool operator==(const Ref&) const = default;

 private:
  T* object_ = nullptr;
};

}  // namespace xgrad::detail
