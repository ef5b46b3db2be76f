// A network that solves the heat equation uₜ = α uₓₓ on a rod whose ends are kept at 0, from u(x, 0) = sin πx, without data: its
// loss is how far it is from obeying the equation (M. Raissi, P. Perdikaris, G. Karniadakis 2019). uₜ and uₓₓ are derivatives of
// the network, taken inside the loss, which is then differentiated by the weights. The form u = sin πx + t x (1 - x) N(x, t) meets
// the conditions whatever N is. The answer is known: exp(-α π² t) sin πx.
#include <cmath>
#include <cstdio>
#include <nn/nn.hpp>
#include <numbers>

using namespace xgrad;

constexpr double alpha = 0.1, pi = std::numbers::pi;

struct Rod : nn::Module {
  nn::Linear first{2, 32}, second{32, 32}, last{32, 1};
  XGRAD_MODULE(first, second, last)

  Tensor operator()(const Tensor& x, const Tensor& t) const {
    const Tensor n = last(tanh(second(tanh(first(concatenate({x, t}, 1))))));
    return sin(pi * x) + t * x * (1 - x) * n;
  }
};

int main() {
  manual_seed(1);
  Rod u;
  u.to(DType::float64);
  nn::Adam optimizer(u.parameters(), {.learning_rate = 3e-3});
  nn::CosineAnnealingLR schedule(optimizer, 1500);
  Generator generator(2);
  for (int step = 0; step <= 1500; ++step) {
    const Tensor x = generator.uniform({128, 1}, 0, 1, DType::float64), t = generator.uniform({128, 1}, 0, 1, DType::float64);
    const auto by_x = [&](const Tensor& at) { return sum(u(at, t)); };
    const Tensor u_t = grad([&](const Tensor& at) { return sum(u(x, at)); })(t);
    const Tensor u_xx = grad([&](const Tensor& at) { return sum(grad(by_x)(at)); })(x);
    const Tensor loss = mean(square(u_t - alpha * u_xx));
    optimizer.zero_grad();
    loss.backward();
    if (step % 300 == 0) std::printf("step %4d  residual %.2e\n", step, loss.item());
    optimizer.step();
    if (step < 1500) schedule.step();
  }

  const Tensor x = reshape(tile(linspace(0, 1, 51, DType::float64), {21}), {-1, 1});
  const Tensor t = reshape(repeat(linspace(0, 1, 21, DType::float64), 51, 0), {-1, 1});
  const Tensor exact = exp(-alpha * pi * pi * t) * sin(pi * x);
  const double error = no_grad([&] { return (norm(u(x, t) - exact) / norm(exact)).item(); });
  std::printf("relative L2 error %.2e\n", error);
  return error < 1e-2 ? 0 : 1;
}
