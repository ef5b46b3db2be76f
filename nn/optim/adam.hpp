#pragma once

#include <nn/optim/optimizer.hpp>

namespace xgrad::nn {

/// Options of `Adam`; PyTorch's defaults.
struct AdamOptions {
  double learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;  ///< added to the gradient as weight_decay · p
  bool amsgrad = false;
};

/// Adam (Kingma, Ba 2014), by PyTorch's rule: m = β₁m + (1-β₁)g, v = β₂v + (1-β₂)g²,
/// p = p - learning_rate / (1-β₁ᵗ) · m / (√v / √(1-β₂ᵗ) + ε); with amsgrad the largest v so far (Reddi et al. 2018).
class Adam : public Optimizer {
 public:
  /// Throws std::invalid_argument as `Optimizer`, for betas outside [0, 1), a negative epsilon or weight decay.
  explicit Adam(std::vector<Tensor> parameters, const AdamOptions& options = {});

 protected:
  std::vector<double> coefficients(std::int64_t step) const override;
  Update update(const Tensor& parameter, const Tensor& gradient, const State& state,
                std::span<const Tensor> coefficients) const override;

 private:
  AdamOptions options_;
};

/// Options of `AdamW`; PyTorch's defaults.
struct AdamWOptions {
  double learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 1e-2;  ///< p shrinks by learning_rate · weight_decay · p before each step
  bool amsgrad = false;
};

/// Adam with decoupled weight decay (Loshchilov, Hutter 2017), by PyTorch's rule.
class AdamW : public Optimizer {
 public:
  /// Throws as `Adam`.
  explicit AdamW(std::vector<Tensor> parameters, const AdamWOptions& options = {});

 protected:
  std::vector<double> coefficients(std::int64_t step) const override;
  Update update(const Tensor& parameter, const Tensor& gradient, const State& state,
                std::span<const Tensor> coefficients) const override;

 private:
  AdamWOptions options_;
};

}  // namespace xgrad::nn
