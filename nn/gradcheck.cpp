#include <nn/detail/ownership.hpp>
#include <nn/gradcheck.hpp>

namespace xgrad::nn {
namespace {

using Check = GradcheckResult(const TensorFunction&, const std::vector<Tensor>&, const GradcheckOptions&);

GradcheckResult check_parameters(Check& check, Module& model, const std::function<Tensor()>& f, GradcheckOptions options) {
  std::vector<Tensor> parameters;
  xgrad::detail::check_callable("nn::gradcheck", f);
  const bool named = !options.names.empty();
  for (auto& [name, parameter] : model.named_parameters()) {
    parameters.push_back(parameter);
    if (!named) options.names.push_back(name);
  }
  return check(
      [&](const std::vector<Tensor>& replacements) {
        const detail::ParameterSwap swap(model, replacements);
        const Tensor output = f();
        if (output.defined() && output.requires_grad()) detail::check_owned("nn::gradcheck", output, replacements);
        return output;
      },
      parameters, options);
}

}  // namespace

GradcheckResult gradcheck(Module& model, const std::function<Tensor()>& f, const GradcheckOptions& options) {
  return check_parameters(xgrad::gradcheck, model, f, options);
}

GradcheckResult gradgradcheck(Module& model, const std::function<Tensor()>& f, const GradcheckOptions& options) {
  return check_parameters(xgrad::gradgradcheck, model, f, options);
}

}  // namespace xgrad::nn
