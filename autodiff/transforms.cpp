#include <algorithm>
#include <autodiff/detail/recorded_function.hpp>
#include <autodiff/ops/create.hpp>
#include <autodiff/ops/shape.hpp>
#include <autodiff/transforms.hpp>
#include <stdexcept>

namespace xgrad {
namespace {

using namespace detail;

void check_single(std::string_view op, const Tensor& output) {
  if (output.size() != 1)
    throw std::invalid_argument(std::string(op) + ": the function's result has shape " + to_string(output.shape()) +
                                ", not one element; reduce it, or take its jacobian");
}

/// 1 at `i`, else 0.
Tensor unit(const Tensor& like, std::int64_t i) {
  return detail::make_leaf(like.shape(), like.dtype(), [&](void* data) {
    dispatch(like.dtype(), [&]<class T>(T) {
      std::fill_n(static_cast<T*>(data), like.size(), T(0));
      static_cast<T*>(data)[i] = T(1);
    });
  });
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
    cotangent_ = zeros(recording.output.shape(), recording.output.dtype()).set_requires_grad();
    pulled_ = gradients(recording.output, recording.inputs, cotangent_, true, true);
  }
  Tensor operator()(const std::vector<Tensor>& tangents, bool retain) const {
    const Tensor& output = recording_.output;
    std::vector<Tensor> outputs, cotangents;
    for (std::size_t i = 0; i < pulled_.size(); ++i) {
      if (!pulled_[i].requires_grad()) continue;
      outputs.push_back(pulled_[i]);
      cotangents.push_back(tangents[i].to(pulled_[i].dtype()));
    }
    if (outputs.empty()) return zeros(output.shape(), output.dtype());
    const Tensor tangent =
        grad(outputs, {cotangent_}, {.cotangents = cotangents, .create_graph = recording_.differentiable, .retain_graph = retain, .allow_unused = true})[0];
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
    throw std::invalid_argument("jvp: " + std::to_string(tangents.size()) + " tangents for " + std::to_string(inputs.size()) + " arguments");
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    check_defined("jvp", inputs[i]);
    check_like("jvp", "a tangent", tangents[i], inputs[i]);
  }
  const RecordedFunction recording = record_function("jvp", f, inputs);
  const Tensor tangent = Pushforward(recording)(tangents, true);
  return {recording.value(), tangent};
}

Tensor jacobian(const UnaryFunction& f, const Tensor& x) {
  const RecordedFunction recording = record_function("jacobian", of_vector(f), {x});
  const Tensor& y = recording.output;
  const Shape shape = joined(y.shape(), x.shape());
  if (y.size() == 0 || x.size() == 0 || !y.requires_grad()) return zeros(shape, y.dtype());
  std::vector<Tensor> parts;
  if (y.size() <= x.size()) {
    for (std::int64_t i = 0; i < y.size(); ++i)
      parts.push_back(gradients(y, recording.inputs, unit(y, i), recording.differentiable, recording.shared || i + 1 < y.size())[0]);
    return reshape(stack(parts), shape);
  }
  const Pushforward push(recording);
  for (std::int64_t j = 0; j < x.size(); ++j) parts.push_back(push({unit(x, j)}, true));
  return reshape(stack(parts, -1), shape);
}

Tensor hessian(const UnaryFunction& f, const Tensor& x) {
  return jacobian(
      [&f](const Tensor& t) {
        const RecordedFunction recording = record_function("hessian", of_vector(f), {t});
        check_single("hessian", recording.output);
        return gradients(recording.output, recording.inputs, {}, true, true)[0];
      },
      x);
}

Tensor hvp(const UnaryFunction& f, const Tensor& x, const Tensor& v) {
  check_defined("hvp", x);
  check_like("hvp", "a direction", v, x);
  const RecordedFunction recording = record_function("hvp", of_vector(f), {x});
  check_single("hvp", recording.output);
  GradMode tracking(true);
  const Tensor slope = gradients(recording.output, recording.inputs, {}, true, true)[0];
  return gradients(slope, recording.inputs, v, recording.differentiable || v.requires_grad(), recording.shared)[0];
}

UnaryFunction vectorize(UnaryFunction f, std::int64_t axis) {
  return [f = std::move(f), axis](const Tensor& x) {
    check_defined("vectorize", x);
    const std::int64_t at = normalize_axis("vectorize", axis, x.shape());
    if (x.shape(at) == 0) throw std::invalid_argument("vectorize: axis " + std::to_string(at) + " of shape " + to_string(x.shape()) + " is empty");
    std::vector<Slice> slices(x.dim(), Slice(xt::all()));
    std::vector<Tensor> results;
    for (std::int64_t i = 0; i < x.shape(at); ++i) {
      slices[static_cast<std::size_t>(at)] = Slice(i);
      results.push_back(f(x.slice(slices)));
    }
    return stack(results);
  };
}

}  // namespace xgrad
