#include <autodiff/ops/random_engine.hpp>
#include <autodiff/ops/create.hpp>
#include <autodiff/core/tape.hpp>
#include <cmath>
#include <nn/init.hpp>
#include <stdexcept>

namespace xgrad::nn::init {
namespace {

void check(std::string_view name, const Tensor& tensor) {
  xgrad::detail::check_defined(name, tensor);
  if (!is_floating(tensor.dtype()))
    throw std::invalid_argument(std::string(name) + ": the tensor of shape " + to_string(tensor.shape()) + " is " +
                                std::string(name_of(tensor.dtype())) + "; initial values need float32 or float64");
  if (!tensor.is_leaf())
    throw std::logic_error(std::string(name) + ": the tensor of shape " + to_string(tensor.shape()) +
                           " is the result of an op; only leaves are initialised");
}

void fill_uniform(Tensor& tensor, double bound, Generator& generator) {
  tensor.assign(generator.uniform(tensor.shape(), -bound, bound, tensor.dtype()));
}

void fill_normal(Tensor& tensor, double standard_deviation, Generator& generator) {
  tensor.assign(generator.normal(tensor.shape(), 0, standard_deviation, tensor.dtype()));
}

/// gain·√(2 / (fan_in + fan_out)).
double xavier_deviation(std::string_view name, const Tensor& tensor, double gain) {
  check(name, tensor);
  const Fans both = fans(name, tensor.shape());
  return gain * std::sqrt(2 / (both.in + both.out));
}

/// gain / √fan.
double kaiming_deviation(std::string_view name, const Tensor& tensor, const KaimingOptions& options) {
  check(name, tensor);
  const Fans both = fans(name, tensor.shape());
  return calculate_gain(options.nonlinearity, options.negative_slope) /
         std::sqrt(options.mode == FanMode::fan_in ? both.in : both.out);
}

double normal_distribution_function(double x) { return std::erfc(-x / std::sqrt(2.0)) / 2; }

}  // namespace

void uniform_(Tensor tensor, double low, double high, Generator& generator) {
  check("uniform_", tensor);
  if (!(low <= high))
    throw std::invalid_argument("uniform_: no values from " + std::to_string(low) + " to " + std::to_string(high));
  tensor.assign(generator.uniform(tensor.shape(), low, high, tensor.dtype()));
}

void normal_(Tensor tensor, double mean, double standard_deviation, Generator& generator) {
  check("normal_", tensor);
  if (!(standard_deviation >= 0))
    throw std::invalid_argument("normal_: the standard deviation must not be negative, got " +
                                std::to_string(standard_deviation));
  tensor.assign(generator.normal(tensor.shape(), mean, standard_deviation, tensor.dtype()));
}

void trunc_normal_(Tensor tensor, double mean, double standard_deviation, double low, double high,
                   Generator& generator) {
  check("trunc_normal_", tensor);
  if (!(standard_deviation > 0))
    throw std::invalid_argument("trunc_normal_: the standard deviation must be positive, got " +
                                std::to_string(standard_deviation));
  const double share = normal_distribution_function((high - mean) / standard_deviation) -
                       normal_distribution_function((low - mean) / standard_deviation);
  if (!(share >= 0.01))
    throw std::invalid_argument("trunc_normal_: hardly any values of mean " + std::to_string(mean) + " and deviation " +
                                std::to_string(standard_deviation) + " lie from " + std::to_string(low) + " to " +
                                std::to_string(high));
  // Drawn again until inside.
  std::normal_distribution<double> gaussian(mean, standard_deviation);
  std::vector<double> values(static_cast<std::size_t>(tensor.size()));
  for (double& value : values) do
      value = gaussian(generator.engine());
    while (value < low || value > high);
  tensor.assign(xgrad::detail::make_leaf_copy(tensor.shape(), DType::float64, values.data()));
}

void constant_(Tensor tensor, double value) {
  check("constant_", tensor);
  tensor.assign(full(tensor.shape(), value, tensor.dtype()));
}

void zeros_(Tensor tensor) {
  check("zeros_", tensor);
  tensor.assign(zeros(tensor.shape(), tensor.dtype()));
}

void ones_(Tensor tensor) {
  check("ones_", tensor);
  tensor.assign(ones(tensor.shape(), tensor.dtype()));
}

Fans fans(std::string_view function, const Shape& shape) {
  if (shape.size() < 2)
    throw std::invalid_argument(std::string(function) + ": a tensor of shape " + to_string(shape) +
                                " has no fan in and fan out; it needs two axes or more");
  double rest = 1;
  for (std::size_t i = 2; i < shape.size(); ++i) rest *= static_cast<double>(shape[i]);
  return {static_cast<double>(shape[1]) * rest, static_cast<double>(shape[0]) * rest};
}

double calculate_gain(Nonlinearity nonlinearity, double negative_slope) {
  switch (nonlinearity) {
    case Nonlinearity::tanh: return 5.0 / 3;
    case Nonlinearity::relu: return std::sqrt(2.0);
    case Nonlinearity::leaky_relu: return std::sqrt(2 / (1 + negative_slope * negative_slope));
    case Nonlinearity::selu: return 0.75;
    default: return 1;
  }
}

void xavier_uniform_(Tensor tensor, double gain, Generator& generator) {
  const double deviation = xavier_deviation("xavier_uniform_", tensor, gain);
  if (tensor.size() > 0) fill_uniform(tensor, std::sqrt(3.0) * deviation, generator);
}

void xavier_normal_(Tensor tensor, double gain, Generator& generator) {
  const double deviation = xavier_deviation("xavier_normal_", tensor, gain);
  if (tensor.size() > 0) fill_normal(tensor, deviation, generator);
}

void kaiming_uniform_(Tensor tensor, const KaimingOptions& options, Generator& generator) {
  const double deviation = kaiming_deviation("kaiming_uniform_", tensor, options);
  if (tensor.size() > 0) fill_uniform(tensor, std::sqrt(3.0) * deviation, generator);
}

void kaiming_normal_(Tensor tensor, const KaimingOptions& options, Generator& generator) {
  const double deviation = kaiming_deviation("kaiming_normal_", tensor, options);
  if (tensor.size() > 0) fill_normal(tensor, deviation, generator);
}

}  // namespace xgrad::nn::init
