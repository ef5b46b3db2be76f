// What reductions run over: contiguous values seen as (outer, reduced, inner): inner is 1 when the reduced axes come last
// ("rows"), outer is 1 when they come first ("columns").
#pragma once

#include <autodiff/core/buffer.hpp>
#include <autodiff/kernels/reduction_loops.hpp>
#include <autodiff/core/tape.hpp>
#include <span>

namespace xgrad::detail {

/// The input of a reduction, contiguous as (outer, reduced, inner). A dense input is used where it lies, also when its
/// axes are permuted; others are copied, with the reduced axes last when they are not neighbours.
class ReductionInput {
 public:
  ReductionInput(const Array& x, std::span<const std::int64_t> axes);

  template <class T>
  const T* as() const {
    return static_cast<const T*>(data_);
  }
  const ReducedExtents& extents() const { return extents_; }

 private:
  const void* data_;
  Ref<Buffer> copy_;
  ReducedExtents extents_;
};

}  // namespace xgrad::detail
