// A user's program on the engine alone.
#include <autodiff/autodiff.hpp>
#include <iostream>

int main() {
  using namespace xgrad;
  Tensor x = xt::xarray<double>{{1, 2}, {3, 4}};
  x.set_requires_grad();
  const Tensor loss = sum(square(x) + matmul(x, x));
  loss.backward();
  // d/dx Σ (x² + x·x) = 2x + (row sums of x, by column) + (column sums of x, by row)
  const xt::xarray<double> expected{{2 + 3 + 4, 4 + 7 + 4}, {6 + 3 + 6, 8 + 7 + 6}};
  const xt::xarray<double> gradient = x.grad().array<double>();
  std::cout << loss << '\n' << x.grad() << '\n';
  return gradient == expected ? 0 : 1;
}
