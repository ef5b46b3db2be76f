#include <algorithm>
#include <autodiff/detail/shown_op.hpp>
#include <autodiff/evaluate/capture.hpp>
#include <autodiff/ops/create.hpp>
#include <autodiff/ops/shape.hpp>
#include <autodiff/tape.hpp>
#include <autodiff/transforms.hpp>
#include <stdexcept>

namespace xgrad {
namespace {

using detail::check_defined;

/// Shows its first input as it is.
struct Identity : ViewOp {
  std::string_view name() const override { return "identity"; }
  bool view(const Shape&, const detail::Value& input, const Shape&, detail::Value& output) const override {
    output = input;
    return true;
  }
  Tensor vjp(std::size_t i, const Tensor& g, std::span<const Tensor>, const Tensor&) const override { return i == 0 ? g : Tensor(); }
};

Tensor identity(const Tensor& x) { return detail::record(detail::shared_op<Identity>(), {&x, 1}, x.shape(), x.dtype()); }

/// A function about to be differentiated: its arguments as nodes of their own, so that one given twice counts twice.
struct Recording {
  std::vector<Tensor> inputs;
  Tensor output;
  bool differentiable = false;  ///< whether derivatives of the derivatives may be asked for
};

/// Whether the recording reaches a tensor that requires gradients beside `inputs`.
bool reaches_others(const Tensor& output, const std::vector<Tensor>& inputs) {
  if (!output.requires_grad()) return false;
  detail::Node* root = detail::resolve(output.node());
  detail::Capture capture;
  capture.collect_recording({&root, 1});
  const auto is_input = [&](const detail::Node* node) {
    return std::any_of(inputs.begin(), inputs.end(), [node](const Tensor& input) { return detail::resolve(input.node()) == node; });
  };
  return std::any_of(capture.values.begin(), capture.values.end(), [&](const detail::Node* node) { return node->requires_grad && !is_input(node); });
}

Recording record_function(std::string_view op, const TensorFunction& f, const std::vector<Tensor>& arguments) {
  Recording recording;
  const bool outside = grad_enabled();
  GradMode tracking(true);
  bool tracked = false;
  for (const Tensor& argument : arguments) {
    check_defined(op, argument);
    if (!is_floating(argument.dtype()))
      throw std::invalid_argument(std::string(op) + ": the argument of shape " + to_string(argument.shape()) + " is " +
                                  std::string(name_of(argument.dtype())) + "; only float32 and float64 have derivatives");
    tracked = tracked || argument.requires_grad();
    recording.inputs.push_back(argument.requires_grad() ? identity(argument) : argument.detach().set_requires_grad());
  }
  recording.output = f(recording.inputs);
  check_defined(op, recording.output);
  if (!is_floating(recording.output.dtype()))
    throw std::invalid_argument(std::string(op) + ": the function's result of shape " + to_string(recording.output.shape()) + " is " +
                                std::string(name_of(recording.output.dtype())) + "; only float32 and float64 have derivatives");
  recording.differentiable = outside && (tracked || reaches_others(recording.output, recording.inputs));
  return recording;
}

/// With zeros for gradients that do not exist.
std::vector<Tensor> gradients(const Tensor& output, const std::vector<Tensor>& inputs, const Tensor& cotangent, bool create_graph, bool retain) {
  std::vector<Tensor> result(inputs.size());
  if (output.requires_grad()) {
    GradOptions options{.create_graph = create_graph, .retain_graph = retain, .allow_unused = true};
    if (cotangent.defined()) options.cotangents = {cotangent};
    result = grad({output}, inputs, options);
  }
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (!result[i].defined()) result[i] = zeros(inputs[i].shape(), inputs[i].dtype());
  return result;
}

/// The value, cut off from arguments that required no gradient.
Tensor value_of(const Recording& recording) { return recording.differentiable ? recording.output : recording.output.detach(); }

void check_single(std::string_view op, const Tensor& output) {
  if (output.size() != 1)
    throw std::invalid_argument(std::string(op) + ": the function's result has shape " + to_string(output.shape()) +
                                ", not one element; reduce it, or take its jacobian");
}

void check_like(std::string_view op, std::string_view what, const Tensor& x, const Tensor& like) {
  check_defined(op, x);
  if (x.shape() != like.shape())
    throw std::invalid_argument(std::string(op) + ": " + std::string(what) + " of shape " + to_string(x.shape()) + " for shape " + to_string(like.shape()));
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
  explicit Pushforward(const Recording& recording) : recording_(recording) {
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
  const Recording& recording_;
  Tensor cotangent_;
  std::vector<Tensor> pulled_;
};

/// Shows a value that was computed untracked, its first input; cotangents of the others come from `pull`, asked once for all.
class Custom final : public Identity, public detail::ShownOp {
 public:
  using Pull = std::function<std::vector<Tensor>(const Tensor& g, const std::vector<Tensor>& inputs, const Tensor& output)>;
  Custom(std::string_view name, TensorFunction forward, Pull pull) : name_(name), forward_(std::move(forward)), pull_(std::move(pull)) {}
  std::string_view name() const override { return name_; }
  Tensor compute(const std::vector<Tensor>& inputs) const override {
    return no_grad([&] { return forward_(inputs); });
  }

  Tensor vjp(std::size_t i, const Tensor& g, std::span<const Tensor> inputs, const Tensor& y) const override {
    if (i == 0) return {};
    if (!asked_.is(g)) {
      const std::vector<Tensor> arguments(inputs.begin() + 1, inputs.end());
      pulled_ = pull_(g, arguments, y);
      if (pulled_.size() != arguments.size())
        throw std::invalid_argument(std::string(name_) + ": " + std::to_string(pulled_.size()) + " cotangents for " + std::to_string(arguments.size()) + " inputs");
      for (std::size_t k = 0; k < arguments.size(); ++k)
        if (pulled_[k].defined()) check_like(name_, "a cotangent", pulled_[k], arguments[k]);
      asked_ = g;
      left_ = static_cast<std::size_t>(std::count_if(arguments.begin(), arguments.end(), [](const Tensor& x) { return x.requires_grad(); }));
    }
    const Tensor result = pulled_[i - 1];
    if (--left_ == 0) {  // asked for all of them
      asked_ = {};
      pulled_.clear();
    }
    return result;
  }

 private:
  std::string_view name_;
  TensorFunction forward_;
  Pull pull_;
  // Between the questions for one input and the next. A recording belongs to one thread at a time.
  mutable Tensor asked_;
  mutable std::vector<Tensor> pulled_;
  mutable std::size_t left_ = 0;
};

Tensor record_custom(std::string_view name, const TensorFunction& forward, const std::vector<Tensor>& inputs, Custom::Pull pull) {
  for (const Tensor& input : inputs) check_defined(name, input);
  const Tensor value = no_grad([&] { return forward(inputs); });
  check_defined(name, value);
  std::vector<Tensor> all{value};
  all.insert(all.end(), inputs.begin(), inputs.end());
  return detail::record(std::make_shared<const Custom>(name, forward, std::move(pull)), all, value.shape(), value.dtype());
}

}  // namespace

std::pair<Tensor, std::vector<Tensor>> detail::value_and_gradients(const TensorFunction& f, const std::vector<Tensor>& inputs) {
  const Recording recording = record_function("grad", f, inputs);
  check_single("grad", recording.output);
  std::vector<Tensor> result = gradients(recording.output, recording.inputs, {}, recording.differentiable, false);
  return {value_of(recording), std::move(result)};
}

Pullback vjp(const TensorFunction& f, const std::vector<Tensor>& inputs) {
  Recording recording = record_function("vjp", f, inputs);
  const Tensor value = value_of(recording);
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
  const Recording recording = record_function("jvp", f, inputs);
  const Tensor tangent = Pushforward(recording)(tangents, true);
  return {value_of(recording), tangent};
}

Tensor jacobian(const UnaryFunction& f, const Tensor& x) {
  const Recording recording = record_function("jacobian", detail::of_vector(f), {x});
  const Tensor& y = recording.output;
  const Shape shape = joined(y.shape(), x.shape());
  if (y.size() == 0 || x.size() == 0 || !y.requires_grad()) return zeros(shape, y.dtype());
  std::vector<Tensor> parts;
  if (y.size() <= x.size()) {
    for (std::int64_t i = 0; i < y.size(); ++i)
      parts.push_back(gradients(y, recording.inputs, unit(y, i), recording.differentiable, i + 1 < y.size())[0]);
    return reshape(stack(parts), shape);
  }
  const Pushforward push(recording);
  for (std::int64_t j = 0; j < x.size(); ++j) parts.push_back(push({unit(x, j)}, true));
  return reshape(stack(parts, -1), shape);
}

Tensor hessian(const UnaryFunction& f, const Tensor& x) {
  return jacobian(
      [&f](const Tensor& t) {
        const Recording recording = record_function("hessian", detail::of_vector(f), {t});
        check_single("hessian", recording.output);
        return gradients(recording.output, recording.inputs, {}, true, true)[0];
      },
      x);
}

Tensor hvp(const UnaryFunction& f, const Tensor& x, const Tensor& v) {
  check_defined("hvp", x);
  check_like("hvp", "a direction", v, x);
  const Recording recording = record_function("hvp", detail::of_vector(f), {x});
  check_single("hvp", recording.output);
  GradMode tracking(true);
  const Tensor slope = gradients(recording.output, recording.inputs, {}, true, true)[0];
  return gradients(slope, recording.inputs, v, recording.differentiable || v.requires_grad(), false)[0];
}

Tensor checkpoint(const TensorFunction& f, const std::vector<Tensor>& inputs) {
  return record_custom("checkpoint", f, inputs, [f](const Tensor& g, const std::vector<Tensor>& arguments, const Tensor&) {
    const bool again = grad_enabled();  // the gradient is recorded itself
    GradMode tracking(true);
    std::vector<Tensor> own, tracked;
    for (const Tensor& argument : arguments) {
      own.push_back(!argument.requires_grad() ? argument : again ? identity(argument) : argument.detach().set_requires_grad());
      if (argument.requires_grad()) tracked.push_back(own.back());
    }
    const Tensor output = f(own);
    if (reaches_others(output, own) && !again)
      throw std::invalid_argument("checkpoint: the function depends on a tensor that requires gradients and is not among its inputs; pass it as one");
    const std::vector<Tensor> pulled = gradients(output, tracked, g, again, true);
    std::vector<Tensor> result(arguments.size());
    for (std::size_t i = 0, next = 0; i < arguments.size(); ++i)
      if (arguments[i].requires_grad()) result[i] = pulled[next++];
    return result;
  });
}

TensorFunction custom_function(TensorFunction forward, VjpFunction vjp) {
  return [forward = std::move(forward), vjp = std::move(vjp)](const std::vector<Tensor>& inputs) {
    return record_custom("custom_function", forward, inputs, vjp);
  };
}

Tensor with_hook(const Tensor& x, UnaryFunction hook) {
  const auto show = [](const std::vector<Tensor>& shown) { return shown[0].detach(); };
  return record_custom("with_hook", show, {x}, [hook = std::move(hook)](const Tensor& g, const std::vector<Tensor>&, const Tensor&) {
    return std::vector<Tensor>{hook(g)};
  });
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
