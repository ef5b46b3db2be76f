// Values of an array row by row, for ops that do not step through strides themselves.
#pragma once

#include <autodiff/kernels/tiles.hpp>
#include <autodiff/core/tape.hpp>

namespace xgrad::detail {

/// The array's own values where they lie so, else a copy.
template <class T>
class Contiguous {
 public:
  explicit Contiguous(const Array& x) : data_(static_cast<const T*>(x.data)) {
    if (x.contiguous || x.size == 0) return;
    copy_ = Buffer::allocate(static_cast<std::size_t>(x.size) * size_of(x.dtype));
    copy_contiguous(x, copy_->data());
    data_ = static_cast<const T*>(copy_->data());
  }
  const T* data() const { return data_; }

 private:
  const T* data_;
  Ref<Buffer> copy_;
};

}  // namespace xgrad::detail
