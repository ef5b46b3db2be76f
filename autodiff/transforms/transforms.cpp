#include <algorithm>
#include <autodiff/transforms/batch_recording.hpp>
#include <autodiff/transforms/recorded_function.hpp>
#include <autodiff/core/trace_state.hpp>
#include <autodiff/ops/create.hpp>
#include <autodiff/ops/rearrange.hpp>
#include <autodiff/ops/shape.hpp>
#include <autodiff/transforms/transforms.hpp>
#include <stdexcept>

namespace xgrad {
namespace {

using namespace detail;

void check_single(std::string_view op, const Tensor& output) {
  if (output.size() != 1)
    throw detail::located<std::invalid_argument>(std::string(op) + ": the function's result has shape " + to_string(output.shape()) +
                                ", not one element; reduce it, or take its jacobian");
}

/// A row for each of the elements from `first` on of something like `like`: 1 there, else 0.
Tensor units(const Tensor& like, std::int64_t first, std::int64_t count) {
  Shape shape{count};
  for (const std::int64_t extent : like.shape()) shape.push_back(extent);
  return make_leaf(shape, like.dtype(), [&](void* data) {
    dispatch(like.dtype(), [&]<class T>(T) {
      std::fill_n(static_cast<T*>(data), count * like.size(), T(0));
      for (std::int64_t row = 0; row < count; ++row) static_cast<T*>(data)[row * like.size() + first + row] = T(1);
    });
  });
}

/// The linear function `f` of each unit of something like `like`, stacked: many at once, as long as what lies in between stays small,
/// if it can be recorded for many, else one by one.
template <class F>
Tensor of_units(const Tensor& like, bool differentiable, const F& f) {
  const auto one = [&](std::int64_t at) { return expand_dims(f(reshape(units(like, at, 1), like.shape()), differentiable), 0); };
  if (like.size() == 1) return one(0);
  constexpr std::int64_t most_elements = 1 << 18;  // about a second-level cache
  const BatchRecording recording([&](const std::vector<Tensor>& unit) { return f(unit[0], true); }, {reshape(units(like, 0, 1), like.shape())});
  const std::int64_t count = like.size(), block = recording.read_values() ? 1 : std::clamp<std::int64_t>(most_elements / recording.largest(), 1, count);
  std::vector<Tensor> parts;
  for (std::int64_t first = 0; first < count; first += block) {
    const GradMode mode(grad_enabled() && differentiable);
    parts.push_back(block > 1 ? recording.apply({units(like, first, std::min(block, count - first))}) : one(first));
    if (!differentiable && !Tracing::active()) parts.back().evaluate();
  }
  return concatenate(parts);
}

Shape joined(const Shape& a, const Shape& b) {
  Shape shape = a;
  for (const std::int64_t extent : b) shape.push_back(extent);
  return shape;
}

/// The derivative along tangents as a function of them: the gradient of the pullback, which is linear in its cotangent.
class Pushforward {
 public:
  explicit Pushforward(const RecordedFunction& recording) : recording_(recording) {
    if (!recording.output.requires_grad()) return;
    GradMode tracking(true);
    cotangent_ = variable(zeros(recording.output.shape(), recording.output.dtype()));
    pulled_ = gradients(recording.output, recording.inputs, cotangent_, true, true);
  }
  Tensor operator()(const std::vector<Tensor>& tangents, bool create_graph, bool sparse = false) const {
    const Tensor& output = recording_.output;
    std::vector<Tensor> outputs, cotangents;
    for (std::size_t i = 0; i < pulled_.size(); ++i) {
      if (!pulled_[i].requires_grad()) continue;
      outputs.push_back(pulled_[i]);
      cotangents.push_back(tangents[i].to(pulled_[i].dtype()));
    }
    if (outputs.empty()) return zeros(output.shape(), output.dtype());
    const Tensor tangent =
        grad(outputs, {cotangent_}, {.cotangents = cotangents, .create_graph = create_graph, .retain_graph = true, .allow_unused = true, .sparse_cotangents = sparse})[0];
    return tangent.defined() ? tangent : zeros(output.shape(), output.dtype());
  }

 private:
  const RecordedFunction& recording_;
  Tensor cotangent_;
  std::vector<Tensor> pulled_;
};

}  // namespace

std::pair<Tensor, std::vector<Tensor>> detail::value_and_gradients(const TensorFunction& f, const std::vector<Tensor>& inputs) {
  const RecordedFunction recording = record_function("grad", f, inputs);
  check_single("grad", recording.output);
  std::vector<Tensor> result = gradients(recording.output, recording.inputs, {}, recording.differentiable, recording.shared);
  return {recording.value(), std::move(result)};
}

Pullback vjp(const TensorFunction& f, const std::vector<Tensor>& inputs) {
  RecordedFunction recording = record_function("vjp", f, inputs);
  const Tensor value = recording.value();
  return {value, [recording = std::move(recording)](const Tensor& cotangent) {
            check_like("vjp", "a cotangent", cotangent, recording.output);
            return gradients(recording.output, recording.inputs, cotangent, recording.differentiable || cotangent.requires_grad(), true);
          }};
}

std::pair<Tensor, Tensor> jvp(const TensorFunction& f, const std::vector<Tensor>& inputs, const std::vector<Tensor>& tangents) {
  if (inputs.size() != tangents.size())
    throw detail::located<std::invalid_argument>("jvp: " + std::to_string(tangents.size()) + " tangents for " + std::to_string(inputs.size()) + " arguments");
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    check_defined("jvp", inputs[i]);
    check_like("jvp", "a tangent", tangents[i], inputs[i]);
  }
  const RecordedFunction recording = record_function("jvp", f, inputs);
  const Tensor tangent = Pushforward(recording)(tangents, recording.differentiable);
  return {recording.value(), tangent};
}

Tensor jacobian(const UnaryFunction& f, const Tensor& x) {
  check_callable("jacobian", f);
  const RecordedFunction recording = record_function("jacobian", of_vector(f), {x});
  const Tensor& y = recording.output;
  const Shape shape = joined(y.shape(), x.shape());
  if (y.size() == 0 || x.size() == 0 || !y.requires_grad()) return zeros(shape, y.dtype());
  if (y.size() <= x.size()) {
    const auto row = [&](const Tensor& unit, bool create_graph) { return gradients(y, recording.inputs, unit, create_graph, true, true)[0]; };
    return reshape(of_units(y, recording.differentiable, row), shape);
  }
  const Pushforward push(recording);
  const Tensor columns = of_units(x, recording.differentiable, [&](const Tensor& unit, bool create_graph) { return push({unit}, create_graph, true); });
  return reshape(moveaxis(reshape(columns, {x.size(), y.size()}), 0, 1), shape);
}

Tensor hessian(const UnaryFunction& f, const Tensor& x) {
  check_callable("hessian", f);
  check_defined("hessian", x);
  return jacobian(
      [&f](const Tensor& t) {
        const RecordedFunction recording = record_function("hessian", of_vector(f), {t});
        check_single("hessian", recording.output);
        return gradients(recording.output, recording.inputs, {}, true, true)[0];
      },
      x);
}

Tensor hvp(const UnaryFunction& f, const Tensor& x, const Tensor& v) {
  check_callable("hvp", f);
  check_defined("hvp", x);
  check_like("hvp", "a direction", v, x);
  const RecordedFunction recording = record_function("hvp", of_vector(f), {x});
  check_single("hvp", recording.output);
  GradMode tracking(true);
  const Tensor slope = gradients(recording.output, recording.inputs, {}, true, true)[0];
  return gradients(slope, recording.inputs, v, recording.differentiable || v.requires_grad(), recording.shared)[0];
}

}  // namespace xgrad
