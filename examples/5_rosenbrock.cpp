// Newton's method on Rosenbrock's valley, f(x) = Σ 100 (xᵢ₊₁ - xᵢ²)² + (1 - xᵢ)²: the gradient and the Hessian come from the
// expression, and each step solves H d = -g. Gradient descent takes thousands of steps where this takes some twenty.
#include <autodiff/autodiff.hpp>
#include <cstdio>

using namespace xgrad;

Tensor rosenbrock(const Tensor& x) {
  const std::int64_t n = x.size();
  const Tensor here = x.slice(xt::range(0, n - 1)), next = x.slice(xt::range(1, n));
  return sum(100 * square(next - square(here)) + square(1 - here));
}

int main() {
  Tensor x{-1.2, 1.0};
  const auto gradient = grad(rosenbrock);
  double value = rosenbrock(x).item();
  for (int step = 1; step <= 100; ++step) {
    const Tensor g = gradient(x);
    const double slope = norm(g).item();
    std::printf("%3d  f = %-12.6g  |gradient| = %.3g\n", step, value, slope);
    if (slope < 1e-10) {
      const double distance = norm(x - 1).item();
      std::printf("minimum at distance %.2g of (1, …, 1)\n", distance);
      return distance < 1e-10 ? 0 : 1;
    }
    // Where the valley bends the other way the Hessian has negative values: their sign is turned, so that a step goes down.
    const auto [w, v] = eigh(hessian(rosenbrock, x));
    const Tensor direction = -matmul(v, matmul(transpose(v), g) / maximum(abs(w), 1e-8));
    double length = 1;
    Tensor next = x + direction;
    while (rosenbrock(next).item() > value && length > 1e-10) next = x + (length /= 2) * direction;
    x = next.evaluate();
    value = rosenbrock(x).item();
  }
  std::puts("no minimum found");
  return 1;
}
