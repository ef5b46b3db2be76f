#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <type_traits>
#include <utility>

namespace xgrad::detail {

/// A vector of numbers that keeps the first few on the spot: shapes and strides are copied all the time, and up to four
/// axes cost no more than their bytes.
template <class T, std::uint32_t few = 4>
class SmallVector {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  using value_type = T;
  using size_type = std::size_t;
  using difference_type = std::ptrdiff_t;
  using reference = T&;
  using const_reference = const T&;
  using pointer = T*;
  using const_pointer = const T*;
  using iterator = T*;
  using const_iterator = const T*;
  using reverse_iterator = std::reverse_iterator<iterator>;
  using const_reverse_iterator = std::reverse_iterator<const_iterator>;

  SmallVector() noexcept {}
  explicit SmallVector(std::size_t size, T value = T()) {
    allocate(size);
    std::fill_n(data(), size, value);
  }
  SmallVector(std::initializer_list<T> values) : SmallVector(values.begin(), values.end()) {}
  template <std::forward_iterator It>
  SmallVector(It first, It last) {
    allocate(static_cast<std::size_t>(std::distance(first, last)));
    std::copy(first, last, data());
  }
  SmallVector(const SmallVector& other) : size_(other.size_), storage_(other.storage_) {
    if (size_ > few) [[unlikely]] copy_many(other);
  }
  SmallVector(SmallVector&& other) noexcept : size_(std::exchange(other.size_, 0)), storage_(other.storage_) {}
  SmallVector& operator=(const SmallVector& other) {
    if ((size_ > few) | (other.size_ > few)) [[unlikely]] return *this = SmallVector(other);
    size_ = other.size_;
    storage_ = other.storage_;
    return *this;
  }
  SmallVector& operator=(SmallVector&& other) noexcept {
    std::swap(size_, other.size_);
    std::swap(storage_, other.storage_);
    return *this;
  }
  ~SmallVector() {
    if (size_ > few) [[unlikely]] delete[] storage_.many;
  }

  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  T* data() noexcept { return size_ > few ? storage_.many : storage_.few_; }
  const T* data() const noexcept { return size_ > few ? storage_.many : storage_.few_; }
  T* begin() noexcept { return data(); }
  T* end() noexcept { return data() + size_; }
  const T* begin() const noexcept { return data(); }
  const T* end() const noexcept { return data() + size_; }
  const T* cbegin() const noexcept { return data(); }
  const T* cend() const noexcept { return data() + size_; }
  reverse_iterator rbegin() noexcept { return reverse_iterator(end()); }
  reverse_iterator rend() noexcept { return reverse_iterator(begin()); }
  const_reverse_iterator rbegin() const noexcept { return const_reverse_iterator(end()); }
  const_reverse_iterator rend() const noexcept { return const_reverse_iterator(begin()); }

  T& operator[](std::size_t i) noexcept { return data()[i]; }
  const T& operator[](std::size_t i) const noexcept { return data()[i]; }
  T& front() noexcept { return data()[0]; }
  const T& front() const noexcept { return data()[0]; }
  T& back() noexcept { return data()[size_ - 1]; }
  const T& back() const noexcept { return data()[size_ - 1]; }

  void push_back(T value) {
    resize(size_ + std::size_t{1});
    back() = value;
  }
  T* insert(const T* before, T value) {
    const std::ptrdiff_t at = before - data();
    push_back(value);
    std::rotate(begin() + at, end() - 1, end());
    return begin() + at;
  }
  T* erase(const T* place) {
    const std::ptrdiff_t at = place - data();
    std::copy(begin() + at + 1, end(), begin() + at);
    pop_back();
    return begin() + at;
  }
  void pop_back() { resize(size_ - std::size_t{1}); }
  void clear() noexcept { *this = SmallVector(); }
  void resize(std::size_t size, T value = T()) {
    if (size <= few && size_ <= few) [[likely]] {
      for (std::size_t i = size_; i < size; ++i) storage_.few_[i] = value;
      size_ = static_cast<std::uint32_t>(size);
      return;
    }
    regrow(size, value);
  }
  template <std::forward_iterator It>
  void assign(It first, It last) {
    *this = SmallVector(first, last);
  }

  friend bool operator==(const SmallVector& a, const SmallVector& b) noexcept {
    return a.size_ == b.size_ && std::equal(a.begin(), a.end(), b.begin());
  }
  friend auto operator<=>(const SmallVector& a, const SmallVector& b) noexcept {
    return std::lexicographical_compare_three_way(a.begin(), a.end(), b.begin(), b.end());
  }

 private:
  void allocate(std::size_t size) {
    if (size > few) storage_.many = new T[size];
    size_ = static_cast<std::uint32_t>(size);
  }
  void copy_many(const SmallVector& other) {
    size_ = 0;  // owns nothing until there is memory
    allocate(other.size_);
    std::copy_n(other.storage_.many, size_, storage_.many);
  }

  [[gnu::noinline]] void regrow(std::size_t size, T value) {
    T here[few];
    T* target = size > few ? new T[size] : here;
    const std::size_t kept = std::min<std::size_t>(size, size_);
    std::copy_n(data(), kept, target);
    std::fill_n(target + kept, size - kept, value);
    if (size_ > few) delete[] storage_.many;
    if (size > few) storage_.many = target;
    else std::copy_n(target, size, storage_.few_);
    size_ = static_cast<std::uint32_t>(size);
  }

  std::uint32_t size_ = 0;
  union Storage {
    T few_[few] = {};
    T* many;
  } storage_;
};

}  // namespace xgrad::detail
