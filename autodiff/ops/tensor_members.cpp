// The members of Tensor that record ops.
#include <autodiff/core/trace_state.hpp>
#include <autodiff/ops/apply.hpp>
#include <autodiff/ops/batching.hpp>
#include <autodiff/ops/elementwise_ops.hpp>
#include <autodiff/ops/reduce.hpp>
#include <autodiff/ops/shape.hpp>

namespace xgrad {
namespace detail {
namespace {

struct Detach : ViewOp {
  std::string_view name() const override { return "detach"; }
  bool view(const Shape&, const Value& input, const Shape&, Value& output) const override {
    output = input;
    return true;
  }
  Tensor vjp(std::size_t, const Tensor&, std::span<const Tensor>, const Tensor&) const override { return {}; }
  Tensor vectorized(const Batched& batched) const override { return batched.by_leading_axes(); }
};

}  // namespace
}  // namespace detail

Tensor Tensor::to(DType dtype, std::source_location where) const {
  detail::check_defined("to", *this);
  if (dtype == this->dtype()) return *this;
  const detail::CallSite site(where);
  const auto cast = [&](const std::shared_ptr<const Op>& op) { return detail::record(op, std::span(this, 1), shape(), dtype); };
  switch (dtype) {
    case DType::bool_: return cast(detail::shared_op<detail::Cast<DType::bool_>>());
    case DType::int64: return cast(detail::shared_op<detail::Cast<DType::int64>>());
    case DType::float32: return cast(detail::shared_op<detail::Cast<DType::float32>>());
    default: return cast(detail::shared_op<detail::Cast<DType::float64>>());
  }
}

Tensor Tensor::detach() const {
  detail::check_defined("detach", *this);
  detail::Node& node = *detail::resolve(this->node());
  if (node.evaluated && !detail::Tracing::active()) return detail::make_leaf(node.shape, node.dtype, node.value);
  NoGrad guard;
  return detail::record(detail::shared_op<detail::Detach>(), std::span(this, 1), node.shape, node.dtype);
}

Tensor Tensor::reshape(const Shape& shape, std::source_location where) const { return xgrad::reshape(Located(*this, where), shape); }
Tensor Tensor::transpose(std::source_location where) const { return xgrad::transpose(Located(*this, where)); }

Tensor Tensor::sum(const Axes& axes, bool keepdims, std::source_location where) const {
  return xgrad::sum(Located(*this, where), axes, keepdims);
}
Tensor Tensor::mean(const Axes& axes, bool keepdims, std::source_location where) const {
  return xgrad::mean(Located(*this, where), axes, keepdims);
}

}  // namespace xgrad
