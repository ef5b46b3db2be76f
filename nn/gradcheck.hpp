#pragma once

#include <autodiff/debug/gradcheck.hpp>
#include <functional>
#include <nn/module.hpp>

namespace xgrad::nn {

/// As `xgrad::gradcheck`, for the gradients of `f` with respect to the parameters of a model, in float64 whatever the
/// model's dtype: `nn::gradcheck(model, [&] { return nn::mse_loss(model(x), y); })`. A report names parameters as the model
/// does, `hidden.weight`; options for each input are in the order of `model.parameters()`. While `f` runs, the members of the
/// model are other tensors; afterwards they are as before. Throws std::logic_error where `f` reaches a leaf that requires gradients and
/// is no parameter of any module or optimiser: XGRAD_MODULE may leave it out.
GradcheckResult gradcheck(Module& model, const std::function<Tensor()>& f, const GradcheckOptions& options = {});
/// As `xgrad::gradgradcheck`, likewise.
GradcheckResult gradgradcheck(Module& model, const std::function<Tensor()>& f, const GradcheckOptions& options = {});

}  // namespace xgrad::nn
