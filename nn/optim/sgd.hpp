#pragma once

#include <nn/optim/optimizer.hpp>

namespace xgrad::nn {

/// Options of `SGD`; PyTorch's defaults but for the learning rate, which that wants given.
struct SGDOptions {
  double learning_rate = 1e-3;
  double momentum = 0;
  double dampening = 0;
  double weight_decay = 0;
  bool nesterov = false;
};

/// Stochastic gradient descent, by PyTorch's rule: d = g + weight_decay · p; with momentum b = momentum · b +
/// (1 - dampening) · d (b = d at first) and d = b, or d + momentum · b for Nesterov's; p = p - learning_rate · d.
/// Momentum: Sutskever et al. 2013.
class SGD : public Optimizer {
 public:
  /// Throws std::invalid_argument as `Optimizer`, for a negative momentum or weight decay, and for Nesterov's momentum
  /// without momentum or with dampening.
  explicit SGD(std::vector<Tensor> parameters, const SGDOptions& options = {});

 protected:
  Update update(const Tensor& parameter, const Tensor& gradient, const State& state,
                std::span<const Tensor> coefficients) const override;

 private:
  SGDOptions options_;
};

}  // namespace xgrad::nn
