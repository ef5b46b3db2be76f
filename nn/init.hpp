// Initial values, by PyTorch's names. Each replaces the values of a leaf for every handle to it, whether or not it
// requires gradients, and throws std::invalid_argument, naming itself, for a tensor that is not floating,
// std::logic_error for one that is undefined or the result of an op.
#pragma once

#include <autodiff/ops/random.hpp>
#include <autodiff/core/tensor.hpp>
#include <string_view>

namespace xgrad::nn::init {

/// Uniform in [low, high). Throws std::invalid_argument unless low <= high.
void uniform_(Tensor tensor, double low = 0, double high = 1, Generator& generator = default_generator());
/// Gaussian. Throws std::invalid_argument for a negative deviation.
void normal_(Tensor tensor, double mean = 0, double standard_deviation = 1, Generator& generator = default_generator());
/// Gaussian of the mean and deviation given, restricted to [low, high].
/// Throws std::invalid_argument unless the deviation is positive and the interval holds 1 % of that Gaussian.
void trunc_normal_(Tensor tensor, double mean = 0, double standard_deviation = 1, double low = -2, double high = 2,
                   Generator& generator = default_generator());
void constant_(Tensor tensor, double value);
void zeros_(Tensor tensor);
void ones_(Tensor tensor);

/// Number of inputs and of outputs an element of a weight (out, in, …) connects: in · Π rest and out · Π rest.
struct Fans {
  double in, out;
};
/// Throws std::invalid_argument naming `function` for a shape of fewer than two axes.
Fans fans(std::string_view function, const Shape& shape);

enum class Nonlinearity { linear, sigmoid, tanh, relu, leaky_relu, selu };
/// The factor by which weights are to grow to make up for what the nonlinearity takes: linear, sigmoid 1, tanh 5/3,
/// relu √2, leaky_relu √(2 / (1 + slope²)), selu 3/4.
double calculate_gain(Nonlinearity nonlinearity, double negative_slope = 0.01);

/// Uniform in ±gain·√(6 / (fan_in + fan_out)) (Glorot, Bengio 2010). Throws std::invalid_argument below two axes.
void xavier_uniform_(Tensor tensor, double gain = 1, Generator& generator = default_generator());
/// Gaussian of deviation gain·√(2 / (fan_in + fan_out)) (Glorot, Bengio 2010).
void xavier_normal_(Tensor tensor, double gain = 1, Generator& generator = default_generator());

enum class FanMode { fan_in, fan_out };
/// Options of the Kaiming initialisers.
struct KaimingOptions {
  double negative_slope = 0;  ///< of the leaky ReLU that follows; PyTorch's `a`
  FanMode mode = FanMode::fan_in;
  Nonlinearity nonlinearity = Nonlinearity::leaky_relu;
};
/// Uniform in ±gain·√(3 / fan) (He et al. 2015). Throws std::invalid_argument below two axes.
void kaiming_uniform_(Tensor tensor, const KaimingOptions& options = {}, Generator& generator = default_generator());
/// Gaussian of deviation gain / √fan (He et al. 2015).
void kaiming_normal_(Tensor tensor, const KaimingOptions& options = {}, Generator& generator = default_generator());

}  // namespace xgrad::nn::init
