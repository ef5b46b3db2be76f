#pragma once

#include <algorithm>
#include <autodiff/core/buffer.hpp>

namespace xgrad::detail {

/// Working memory for one kernel.
template <class T>
class Scratch {
 public:
  explicit Scratch(std::size_t n) : buffer_(Buffer::allocate(std::max<std::size_t>(n, 1) * sizeof(T))) {}
  T* data() const { return static_cast<T*>(buffer_->data()); }

 private:
  Ref<Buffer> buffer_;
};

}  // namespace xgrad::detail
