#include <autodiff/ops/batching.hpp>
#include <autodiff/core/evaluator.hpp>
#include <autodiff/kernels/tiles.hpp>
#include <autodiff/ops/shape.hpp>
#include <autodiff/ops/support.hpp>
#include <autodiff/core/tape.hpp>
#include <stdexcept>

namespace xgrad {
namespace {

using detail::Array;

struct Concatenate final : GeneralOp {
  Concatenate(std::size_t axis, std::vector<std::int64_t> starts) : axis(axis), starts(std::move(starts)) {}
  bool operator==(const Concatenate& other) const { return axis == other.axis && starts == other.starts; }
  std::string_view name() const override { return "concatenate"; }
  void evaluate(std::span<const Array> inputs, const Array& output) const override {
    std::byte* target = static_cast<std::byte*>(output.data);
    const auto step = (*output.strides)[axis] * static_cast<std::int64_t>(size_of(output.dtype));
    for (const Array& input : inputs) {
      if (input.size > 0) detail::copy_strided(input, target, *output.strides);
      target += (*input.shape)[axis] * step;
    }
  }
  Tensor vjp(std::size_t i, const Tensor& g, std::span<const Tensor> inputs, const Tensor&) const override {
    std::vector<Slice> slices(axis, Slice(xt::all()));
    slices.emplace_back(xt::range(starts[i], starts[i] + inputs[i].shape()[axis]));
    return g.slice(slices);
  }
  detail::Support cotangent_support(std::size_t i, const detail::Support& g, std::span<const Tensor> inputs, const Tensor& y) const override {
    return g.is_restricted() ? detail::Support{vjp(i, detail::full_mask(g, y.shape()), inputs, y)} : g;
  }
  Tensor vectorized(const detail::Batched& batched) const override { return batched.by<Concatenate>(axis + 1, starts); }

  std::size_t axis;
  std::vector<std::int64_t> starts;  ///< where each input begins along the axis
};

}  // namespace

Tensor concatenate(const std::vector<Tensor>& tensors, std::int64_t axis, std::source_location where) {
  const detail::CallSite site(where);
  if (tensors.empty()) throw detail::located<std::invalid_argument>("concatenate: no tensors given");
  DType dtype = DType::bool_;
  for (const Tensor& tensor : tensors) {
    detail::check_defined("concatenate", tensor);
    if (tensor.dim() == 0) throw detail::located<std::invalid_argument>("concatenate: a scalar, of shape (), has no axis; use stack");
    dtype = promote(dtype, tensor.dtype());
  }
  const auto along = static_cast<std::size_t>(normalize_axis("concatenate", axis, tensors.front().shape()));
  Shape shape = tensors.front().shape();
  shape[along] = 0;
  std::vector<Tensor> inputs;
  std::vector<std::int64_t> starts;
  for (const Tensor& tensor : tensors) {
    Shape other = tensor.shape();
    if (other.size() == shape.size()) other[along] = shape[along];
    if (other != shape)
      throw detail::located<std::invalid_argument>("concatenate: shapes " + to_string(tensors.front().shape()) + " and " +
                                  to_string(tensor.shape()) + " differ beside axis " + std::to_string(along));
    starts.push_back(shape[along]);
    shape[along] = add_sizes("concatenate", shape[along], tensor.shape()[along]);
    inputs.push_back(tensor.to(dtype));
  }
  return detail::record_moved(detail::interned<Concatenate>(along, std::move(starts)), inputs, std::move(shape), dtype);
}

Tensor stack(const std::vector<Tensor>& tensors, std::int64_t axis, std::source_location where) {
  const detail::CallSite site(where);
  if (tensors.empty()) throw detail::located<std::invalid_argument>("stack: no tensors given");
  std::vector<Tensor> expanded;
  for (const Tensor& tensor : tensors) {
    detail::check_defined("stack", tensor);
    if (tensor.shape() != tensors.front().shape())
      throw detail::located<std::invalid_argument>("stack: shapes " + to_string(tensors.front().shape()) + " and " + to_string(tensor.shape()) +
                                  " differ");
    expanded.push_back(expand_dims(tensor, Axes(normalize_axis("stack", axis, tensor.dim() + 1))));
  }
  return concatenate(expanded, normalize_axis("stack", axis, tensors.front().dim() + 1));
}

}  // namespace xgrad
