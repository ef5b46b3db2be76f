// Ops whose derivative is given with the call: custom functions, checkpoints, hooks.
#include <algorithm>
#include <autodiff/transforms/recorded_function.hpp>
#include <autodiff/transforms/shown_op.hpp>
#include <autodiff/ops/support.hpp>
#include <autodiff/transforms/transforms.hpp>
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
    const SupportScope* const scope = SupportScope::innermost();
    if (!scope->memo) scope->memo = std::make_shared<Pulled>(pulled(g, {inputs.begin() + 1, inputs.end()}, y));
    return std::static_pointer_cast<Pulled>(scope->memo)->cotangents[i - 1];
  }
  /// Asked right after `vjp`.
  Support cotangent_support(std::size_t i, const Support&, std::span<const Tensor>, const Tensor&) const override {
    const auto known = std::static_pointer_cast<Pulled>(SupportScope::innermost()->memo);
    return known->supports.empty() ? Support{} : known->supports[i - 1];
  }
  Tensor vectorized(const Batched&) const override { return {}; }  // `pull` is written for one

 private:
  Pulled pulled(const Tensor& g, const std::vector<Tensor>& arguments, const Tensor& y) const {
    Pulled result = pull_(g, arguments, y);
    const std::vector<Tensor>& cotangents = result.cotangents;
    if (cotangents.size() != arguments.size())
      throw detail::located<std::invalid_argument>(std::string(name_) + ": " + std::to_string(cotangents.size()) + " cotangents for " + std::to_string(arguments.size()) + " inputs");
    for (std::size_t k = 0; k < arguments.size(); ++k)
      if (cotangents[k].defined()) check_like(name_, "a cotangent", cotangents[k], arguments[k]);
    return result;
  }

  std::string_view name_;
  TensorFunction forward_;
  Pull pull_;
};

/// f of the inputs as constants, untracked. Throws for `op` where f depends on something else that requires gradients, which would be lost.
class Closed {
 public:
  Closed(std::string_view op, TensorFunction f) : op_(op), f_(std::move(f)), tracks_(grad_enabled()) {}
  Tensor operator()(const std::vector<Tensor>& inputs, std::uint64_t* structure = nullptr) const {
    std::vector<Tensor> own;
    for (const Tensor& input : inputs) own.push_back(input.detach());
    const RecordingWatch watch;
    Tensor output = f_(own);
    if (tracks_ && (watch.lost_gradients() || (output.defined() && output.requires_grad())))
      throw located<std::invalid_argument>(std::string(op_) + ": the function depends on a tensor that requires gradients and is not among its inputs, so that its "
                                           "gradient would be lost; pass it as an input, or use its detach()");
    if (structure) *structure = watch.structure();
    return output;
  }

 private:
  std::string_view op_;
  TensorFunction f_;
  bool tracks_;
};

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
  const auto forward = [closed = Closed("checkpoint", f), structure](const std::vector<Tensor>& arguments) { return closed(arguments, structure.get()); };
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
    return record_custom("custom_function", Closed("custom_function", forward), inputs, vjp);
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
