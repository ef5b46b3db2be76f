#include <autodiff/ops/batching.hpp>
#include <autodiff/ops/check_values.hpp>
#include <autodiff/kernels/tiles.hpp>
#include <memory>

namespace xgrad::detail {
namespace {

/// Its input, which computing it checks.
struct CheckValues final : GeneralOp {
  CheckValues(std::string_view op, ValuesCheck check) : op(op), check(std::move(check)) {}
  std::string_view name() const override { return op; }
  void evaluate(std::span<const Array> inputs, const Array& output) const override {
    check(inputs[0]);
    copy_contiguous(inputs[0], output.data);
  }
  Tensor vjp(std::size_t, const Tensor& g, std::span<const Tensor>, const Tensor&) const override { return g; }
  Support cotangent_support(std::size_t, const Support& g, std::span<const Tensor>, const Tensor&) const override { return g; }
  Tensor vectorized(const Batched& batched) const override { return batched.by_leading_axes(); }
  std::string_view op;
  ValuesCheck check;
};

}  // namespace

Checked check_captured(std::string_view op, const Tensor& x, ValuesCheck check) {
  if (resolve(x.node())->evaluated) return {x, Capturing::note_check(x, std::move(check))};
  if (!Capturing::strict()) return {x, check_now(x, check)};
  Tensor checking = record(std::make_shared<const CheckValues>(op, std::move(check)), {&x, 1}, x.shape(), x.dtype());
  Capturing::note_checking(checking);
  return {std::move(checking), false};
}

}  // namespace xgrad::detail
