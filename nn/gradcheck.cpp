#include <nn/gradcheck.hpp>

namespace xgrad::nn {

GradcheckResult gradcheck(Module& model, const std::function<Tensor()>& f, const GradcheckOptions& options) {
  return xgrad::gradcheck(
      [&](const std::vector<Tensor>& parameters) {
        const detail::ParameterSwap swap(model, parameters);
        return f();
      },
      model.parameters(), options);
}

}  // namespace xgrad::nn
