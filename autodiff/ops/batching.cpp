#include <autodiff/ops/batching.hpp>

namespace xgrad {

Tensor Op::vectorized(const detail::Batched&) const { return {}; }

Tensor ElementwiseOp::vectorized(const detail::Batched& batched) const {
  std::vector<Tensor> inputs;
  const std::size_t rank = batched.shape().size();
  for (std::size_t i = 0; i < batched.size(); ++i) inputs.push_back(batched.aligned(i, rank));
  return batched.record_self(inputs);
}

namespace detail {

Shape Batched::of_all(const Shape& shape) const {
  Shape result{count_};
  for (const std::int64_t extent : shape) result.push_back(extent);
  return result;
}

Tensor Batched::full(std::size_t i) const { return mapped_[i] ? inputs_[i] : broadcast_to(inputs_[i], of_all(inputs_[i].shape())); }

Tensor Batched::aligned(std::size_t i, std::size_t rank) const {
  const Tensor& x = inputs_[i];
  if (!mapped_[i] || x.dim() > rank) return x;
  Shape shape{count_};
  for (std::size_t missing = rank - (x.dim() - 1); missing > 0; --missing) shape.push_back(1);
  for (std::size_t axis = 1; axis < x.dim(); ++axis) shape.push_back(x.shape()[axis]);
  return reshape(x, shape);
}

std::vector<Tensor> Batched::all_full() const {
  std::vector<Tensor> result;
  for (std::size_t i = 0; i < inputs_.size(); ++i) result.push_back(full(i));
  return result;
}

Tensor Batched::one_by_one() const {
  std::vector<Tensor> results;
  for (std::int64_t at = 0; at < count_; ++at) {
    std::vector<Tensor> inputs;
    for (std::size_t i = 0; i < inputs_.size(); ++i) inputs.push_back(mapped_[i] ? inputs_[i].slice(at) : inputs_[i]);
    results.push_back(record(op_, inputs, shape_, dtype_));
  }
  return stack(results);
}

}  // namespace detail
}  // namespace xgrad
