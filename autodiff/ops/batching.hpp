// One op applied to a whole batch: what `Op::vectorized` gets, and how rules are commonly written.
#pragma once

#include <autodiff/ops/shape.hpp>
#include <autodiff/core/tape.hpp>
#include <span>
#include <utility>
#include <vector>

namespace xgrad::detail {

/// An op that was recorded for one element of a batch, about to be recorded for all. Inputs that differ from element to element, the
/// mapped ones, have an axis more than it was recorded with, in front; so will the result.
class Batched {
 public:
  Batched(std::shared_ptr<const Op> op, std::vector<Tensor> inputs, std::vector<bool> mapped, std::int64_t count, Shape shape, DType dtype)
      : op_(std::move(op)), inputs_(std::move(inputs)), mapped_(std::move(mapped)), count_(count), shape_(std::move(shape)), dtype_(dtype) {}

  std::size_t size() const { return inputs_.size(); }
  const std::shared_ptr<const Op>& op() const { return op_; }
  std::int64_t count() const { return count_; }
  /// The shape of an element's result.
  const Shape& shape() const { return shape_; }
  DType dtype() const { return dtype_; }
  bool mapped(std::size_t i) const { return mapped_[i]; }
  /// As it is: with the axis of the batch if it is mapped.
  const Tensor& input(std::size_t i) const { return inputs_[i]; }
  /// With the axis of the batch, along which it is repeated if it is not mapped.
  Tensor full(std::size_t i) const;
  /// Such that it broadcasts against results: a mapped one with axes of 1 behind that of the batch, up to `rank` axes beside it.
  Tensor aligned(std::size_t i, std::size_t rank) const;
  /// `shape` of an element for all.
  Shape of_all(const Shape& shape) const;
  Shape of_all() const { return of_all(shape_); }

  /// The op itself on inputs of the whole batch.
  Tensor record_self(std::span<const Tensor> inputs) const { return record_self(inputs, of_all()); }
  Tensor record_self(std::span<const Tensor> inputs, Shape shape) const { return record(op_, inputs, std::move(shape), dtype_); }
  /// For ops that take leading axes for batches: itself on all inputs, repeated where they are not mapped.
  Tensor by_leading_axes() const { return record_self(all_full()); }
  /// The op `O` with other parameters, such as axes that moved, on all inputs, repeated where they are not mapped.
  template <class O, class... Parameters>
  Tensor by(Parameters&&... parameters) const {
    return record(interned<O>(std::forward<Parameters>(parameters)...), all_full(), of_all(), dtype_);
  }
  /// Element by element, stacked: what any op can do.
  Tensor one_by_one() const;

 private:
  std::vector<Tensor> all_full() const;

  std::shared_ptr<const Op> op_;
  std::vector<Tensor> inputs_;
  std::vector<bool> mapped_;
  std::int64_t count_;
  Shape shape_;
  DType dtype_;
};

/// Axes of an element as those of a batch.
inline AxisList behind_batch(AxisList axes) {
  for (std::int64_t& axis : axes) ++axis;
  return axes;
}

}  // namespace xgrad::detail
