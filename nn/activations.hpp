// Activations, as functions and as modules for Sequential. All are elementwise but softmax and log_softmax, finite with
// finite gradients at any finite input, and differentiable to any order.
#pragma once

#include <autodiff/ops/elementwise.hpp>
#include <autodiff/ops/reduce.hpp>
#include <autodiff/ops/special.hpp>
#include <nn/module.hpp>

namespace xgrad::nn {

using xgrad::log_softmax;
using xgrad::relu;
using xgrad::sigmoid;
using xgrad::softmax;
using xgrad::softplus;
using xgrad::tanh;

/// Options of `leaky_relu`.
struct LeakyReLUOptions {
  double negative_slope = 0.01;
};
/// x for x > 0, else negative_slope · x (Maas, Hannun, Ng 2013). Slope at 0: negative_slope.
/// Throws std::invalid_argument unless `x` is floating.
Tensor leaky_relu(const Located& x, const LeakyReLUOptions& options = {});

/// Options of `elu`.
struct ELUOptions {
  double alpha = 1;
};
/// x for x > 0, else α(eˣ - 1) (Clevert, Unterthiner, Hochreiter 2015). Slope at 0: α.
/// Throws std::invalid_argument unless `x` is floating.
Tensor elu(const Located& x, const ELUOptions& options = {});

enum class GeluApproximation { none, tanh };
/// Options of `gelu`.
struct GELUOptions {
  GeluApproximation approximate = GeluApproximation::none;
};
/// x · Φ(x) with the standard normal distribution function Φ, or, approximately,
/// x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³))) (Hendrycks, Gimpel 2016).
/// Throws std::invalid_argument unless `x` is floating.
Tensor gelu(const Located& x, const GELUOptions& options = {});

/// x · σ(x) (Elfwing, Uchibe, Doya 2017). Throws std::invalid_argument unless `x` is floating.
Tensor silu(const Located& x);

/// Options of `softplus`.
struct SoftplusOptions {
  double beta = 1;
  double threshold = 20;
};
/// ln(1 + e^βx) / β, and x itself where βx > threshold, as PyTorch's.
/// Throws std::invalid_argument unless `x` is floating and beta is positive.
Tensor softplus(const Located& x, const SoftplusOptions& options);

struct ReLU : Module {
  Tensor operator()(const Tensor& x) const { return relu(x); }
};
struct Sigmoid : Module {
  Tensor operator()(const Tensor& x) const { return sigmoid(x); }
};
struct Tanh : Module {
  Tensor operator()(const Tensor& x) const { return tanh(x); }
};
struct SiLU : Module {
  Tensor operator()(const Tensor& x) const { return silu(x); }
};
struct LeakyReLU : Module {
  explicit LeakyReLU(const LeakyReLUOptions& options = {}) : options(options) {}
  Tensor operator()(const Tensor& x) const { return leaky_relu(x, options); }
  LeakyReLUOptions options;
};
struct ELU : Module {
  explicit ELU(const ELUOptions& options = {}) : options(options) {}
  Tensor operator()(const Tensor& x) const { return elu(x, options); }
  ELUOptions options;
};
struct GELU : Module {
  explicit GELU(const GELUOptions& options = {}) : options(options) {}
  Tensor operator()(const Tensor& x) const { return gelu(x, options); }
  GELUOptions options;
};
struct Softplus : Module {
  explicit Softplus(const SoftplusOptions& options = {}) : options(options) {}
  Tensor operator()(const Tensor& x) const { return softplus(x, options); }
  SoftplusOptions options;
};
struct Softmax : Module {
  explicit Softmax(std::int64_t axis = -1) : axis(axis) {}
  Tensor operator()(const Tensor& x) const { return softmax(x, axis); }
  std::int64_t axis;
};
struct LogSoftmax : Module {
  explicit LogSoftmax(std::int64_t axis = -1) : axis(axis) {}
  Tensor operator()(const Tensor& x) const { return log_softmax(x, axis); }
  std::int64_t axis;
};

}  // namespace xgrad::nn
