// Ops whose derivative is given with the call: custom functions, checkpoints, hooks.
#include <algorithm>
#include <autodiff/detail/recorded_function.hpp>
#include <autodiff/detail/shown_op.hpp>
#include <autodiff/ops/support.hpp>
#include <autodiff/transforms.hpp>
#include <stdexcept>

namespace xgrad {
namespace {

using namespace detail;

/// Shows a value that was computed untracked, its first input; cotangents of the others come from `pull`, asked once for all.
class Custom final : public Identity, public ShownOp {
 public:
  Custom(std::string_view name, TensorFunction forward, Pull pull) : name_(name), forward_(std::move(forward)), pull_(std::move(pull)) {}
  std::string_view name() const override { return name_; }
  Tensor compute(const std::vector<Tensor>& inputs) const override {
    return no_grad([&] { return forward_(inputs); });
  }

  Tensor vjp(std::size_t i, const Tensor& g, std::span<const Tensor> inputs, const Tensor& y) const override {
    if (i == 0) return {};
    if (!asked_.is(g) || of_ != y.node()) {
      const std::vector<Tensor> arguments(inputs.begin() + 1, inputs.end());
      Pulled pulled = pull_(g, arguments, y);
      pulled_ = std::move(pulled.cotangents);
      supports_ = std::move(pulled.supports);
      if (pulled_.size() != arguments.size())
        throw detail::located<std::invalid_argument>(std::string(name_) + ": " + std::to_string(pulled_.size()) + " cotangents for " + std::to_string(arguments.size()) + " inputs");
      for (std::size_t k = 0; k < arguments.size(); ++k)
        if (pulled_[k].defined()) check_like(name_, "a cotangent", pulled_[k], arguments[k]);
      asked_ = g;
      of_ = y.node();
      left_ = static_cast<std::size_t>(std::count_if(arguments.begin(), arguments.end(), [](const Tensor& x) { return x.requires_grad(); }));
    }
    const Tensor result = pulled_[i - 1];
    support_ = supports_.empty() ? Support{} : supports_[i - 1];
    if (--left_ == 0) {  // asked for all of them
      asked_ = {};
      pulled_.clear();
      supports_.clear();
    }
    return result;
  }
  /// Asked right after `vjp`.
  Support cotangent_support(std::size_t, const Support&, std::span<const Tensor>, const Tensor&) const override { return std::exchange(support_, {}); }
  Tensor vectorized(const Batched&) const override { return {}; }  // `pull` is written for one

 private:
  std::string_view name_;
  TensorFunction forward_;
  Pull pull_;
  // Between the questions for one input and the next. A recording belongs to one thread at a time.
  mutable Tensor asked_;
  mutable const Node* of_ = nullptr;
  mutable std::vector<Tensor> pulled_;
  mutable std::vector<Support> supports_;
  mutable Support support_;
  mutable std::size_t left_ = 0;
};

[[noreturn]] void throw_captured() {
  throw detail::located<std::invalid_argument>("checkpoint: the function depends on a tensor that requires gradients and is not among its inputs; pass it as one");
}

}  // namespace

Tensor detail::record_custom(std::string_view name, const TensorFunction& forward, const std::vector<Tensor>& inputs, Pull pull) {
  for (const Tensor& input : inputs) check_defined(name, input);
  const Tensor value = no_grad([&] { return forward(inputs); });
  check_defined(name, value);
  std::vector<Tensor> all{value};
  all.insert(all.end(), inputs.begin(), inputs.end());
  return record(std::make_shared<const Custom>(name, forward, std::move(pull)), all, value.shape(), value.dtype());
}

Tensor checkpoint(const TensorFunction& f, const std::vector<Tensor>& inputs) {
  check_callable("checkpoint", f);
  const auto structure = std::make_shared<std::uint64_t>(0);
  const bool tracks = grad_enabled();
  const auto forward = [f, structure, tracks](const std::vector<Tensor>& arguments) {
    std::vector<Tensor> own;
    for (const Tensor& argument : arguments) own.push_back(argument.detach());
    const RecordingWatch watch;
    Tensor output = f(own);
    if (tracks && watch.lost_gradients()) throw_captured();
    *structure = watch.structure();
    return output;
  };
  return record_custom("checkpoint", forward, inputs, [f, structure](const Tensor& g, const std::vector<Tensor>& arguments, const Tensor&) {
    const bool again = grad_enabled();  // the gradient is recorded itself
    GradMode tracking(true);
    std::vector<Tensor> own, tracked;
    for (const Tensor& argument : arguments) {
      own.push_back(!argument.requires_grad() ? argument : again ? identity(argument) : variable(argument));
      if (argument.requires_grad()) tracked.push_back(own.back());
    }
    const RecordingWatch watch;
    const Tensor output = f(own);
    if (watch.structure() != *structure)
      throw located<std::logic_error>("checkpoint: called again for the gradient, the function recorded other ops, shapes or numbers than the first time; "
                                      "what it captures by reference must not change until then");
    Pulled pulled = pull_gradients(output, tracked, g, again), result{std::vector<Tensor>(arguments.size()), std::vector<Support>(arguments.size())};
    for (std::size_t i = 0, next = 0; i < arguments.size(); ++i) {
      if (!arguments[i].requires_grad()) continue;
      result.cotangents[i] = std::move(pulled.cotangents[next]);
      result.supports[i] = std::move(pulled.supports[next++]);
    }
    return result;
  });
}

TensorFunction custom_function(TensorFunction forward, VjpFunction vjp) {
  check_callable("custom_function", forward);
  check_callable("custom_function", vjp);
  return [forward = std::move(forward), vjp = std::move(vjp)](const std::vector<Tensor>& inputs) {
    return record_custom("custom_function", forward, inputs, vjp);
  };
}

Tensor with_hook(const Tensor& x, UnaryFunction hook) {
  check_callable("with_hook", hook);
  const auto show = [](const std::vector<Tensor>& shown) { return shown[0].detach(); };
  return record_custom("with_hook", show, {x}, [hook = std::move(hook)](const Tensor& g, const std::vector<Tensor>&, const Tensor&) {
    Tensor result = hook(g);
    if (!result.defined())
      throw detail::located<std::invalid_argument>("with_hook: the hook returned an undefined tensor, which would drop the gradient; return the cotangent, or zeros like it");
    return Pulled({std::move(result)}, {SupportScope::current()});
  });
}

}  // namespace xgrad
