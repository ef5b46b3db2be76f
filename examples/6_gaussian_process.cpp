// A Gaussian process fitted by gradient: length scale, amplitude and noise of the kernel
//   k(a, b) = amplitude² · exp(-(a - b)² / (2 length²)) + noise² δ
// maximise the marginal likelihood (C. Rasmussen, C. Williams, "Gaussian Processes for Machine Learning", eq. 2.30), whose gradient
// goes through a Cholesky factor. Then it predicts what it has not seen.
#include <cmath>
#include <cstdio>
#include <nn/nn.hpp>
#include <numbers>

using namespace xgrad;

struct Kernel : nn::Module {
  Tensor log_length = nn::parameter(Tensor(0.0)), log_amplitude = nn::parameter(Tensor(0.0)), log_noise = nn::parameter(Tensor(0.0));
  XGRAD_MODULE(log_length, log_amplitude, log_noise)

  Tensor operator()(const Tensor& a, const Tensor& b) const {
    const Tensor distance = (expand_dims(a, 1) - expand_dims(b, 0)) / exp(log_length);
    return exp(2 * log_amplitude - 0.5 * square(distance));
  }
  Tensor noisy(const Tensor& a) const { return (*this)(a, a) + exp(2 * log_noise) * eye(a.size(), a.dtype()); }
};

int main() {
  constexpr std::int64_t n = 60;
  constexpr double true_noise = 0.1;
  Generator generator(7);
  const Tensor x = generator.uniform({n}, 0, 6, DType::float64), truth = sin(2 * x) + 0.5 * x;
  const Tensor y = (truth + true_noise * generator.normal({n}, 0, 1, DType::float64)).evaluate();
  const Tensor centred = y - mean(y);

  Kernel kernel;
  nn::Adam optimizer(kernel.parameters(), {.learning_rate = 0.05});
  const auto negative_likelihood = [&] {
    const Tensor factor = cholesky(kernel.noisy(x));
    const Tensor whitened = triangular_solve(factor, expand_dims(centred, -1));
    return 0.5 * sum(square(whitened)) + sum(log(diagonal(factor))) + 0.5 * n * std::log(2 * std::numbers::pi);
  };
  for (int step = 0; step <= 200; ++step) {
    optimizer.zero_grad();
    const Tensor loss = negative_likelihood();
    loss.backward();
    if (step % 50 == 0) std::printf("step %3d  -ln p(y) = %8.3f\n", step, loss.item());
    optimizer.step();
  }
  const double noise = std::exp(kernel.log_noise.item());
  std::printf("length %.2f, amplitude %.2f, noise %.3f (true %.1f)\n", std::exp(kernel.log_length.item()), std::exp(kernel.log_amplitude.item()), noise, true_noise);

  const Tensor at = linspace(0.5, 5.5, 50, DType::float64);
  const Tensor predicted = no_grad([&] { return matmul(kernel(at, x), solve(kernel.noisy(x), centred)) + mean(y); });
  const double error = std::sqrt(mean(square(predicted - (sin(2 * at) + 0.5 * at))).item());
  std::printf("root mean square error of the predicted mean: %.3f\n", error);
  return error < 0.1 && std::abs(std::log(noise / true_noise)) < 0.5 ? 0 : 1;
}
