// Gradients as values: grad(), and derivatives of higher order.
#include <gtest/gtest.h>

#include <autodiff/autodiff.hpp>
#include <cmath>
#include <tests/support/values.hpp>

using namespace xgrad;
using namespace xgrad::test;
using namespace xt::placeholders;

namespace {

TEST(Grad, TouchesNoLeaf) {
  Tensor x = leaf({1, 2}), w = leaf({3, 4});
  const Tensor y = sum(x * w);
  EXPECT_EQ(values(grad(y, x)), (Values{3, 4}));
  EXPECT_FALSE(x.grad().defined());
  EXPECT_FALSE(w.grad().defined());
}

TEST(Grad, OfResultsOfOps) {
  Tensor x = leaf({1, 2});
  const Tensor h = x * x, k = h * 3, y = sum(k * h);
  const auto gradients = grad({y}, {h, k, x}, {.retain_graph = true});
  EXPECT_EQ(values(gradients[0]), (Values{6, 24}));
  EXPECT_EQ(values(gradients[1]), (Values{1, 4}));
  EXPECT_EQ(values(gradients[2]), (Values{12, 96}));
  EXPECT_EQ(values(grad(y, h)), (Values{6, 24}));
}

TEST(Grad, OfTheSameInputTwice) {
  Tensor x = scalar(3);
  const auto gradients = grad({x * x}, {x, x});
  EXPECT_EQ(gradients[0].item(), 6);
  EXPECT_EQ(gradients[1].item(), 6);
}

TEST(Grad, OfSeveralOutputsWithCotangents) {
  Tensor x = leaf({1, 2});
  const Tensor a = x * x, b = x * 10;
  EXPECT_EQ(values(grad({a, b}, {x}, {.cotangents = {Tensor{1.0, 2.0}, Tensor{1.0, 1.0}}})[0]), (Values{12, 18}));
}

TEST(Grad, OfAnInputNoOutputDependsOn) {
  Tensor x = leaf({1, 2}), unused = ones({2, 3}).set_requires_grad();
  const Tensor y = sum(x);
  EXPECT_EQ(message_of<std::invalid_argument>([&] {
              grad({y}, {x, unused});
            }),
            "grad: no output depends on input 1 of shape (2, 3); set allow_unused to get an undefined gradient for it");
  const auto gradients = grad({y}, {x, unused}, {.allow_unused = true});
  EXPECT_TRUE(gradients[0].defined());
  EXPECT_FALSE(gradients[1].defined());
}

TEST(Grad, FreesTheRecordingUnlessToldOtherwise) {
  Tensor x = scalar(3);
  const Tensor y = x * x;
  EXPECT_EQ(grad(y, x, {.retain_graph = true}).item(), 6);
  EXPECT_EQ(grad(y, x, {.create_graph = true}).item(), 6);
  EXPECT_EQ(grad(y, x).item(), 6);
  EXPECT_THROW(grad(y, x), std::logic_error);
}

TEST(Grad, ResultsRequireGradientsOnlyWithCreateGraph) {
  Tensor x = scalar(3);
  EXPECT_FALSE(grad(x * x, x).requires_grad());
  EXPECT_TRUE(grad(x * x, x, {.create_graph = true}).requires_grad());
}

TEST(Grad, CreateGraphRecordsUnderNoGradToo) {
  Tensor x = scalar(3);
  const Tensor y = x * x * x;
  const Tensor g = no_grad([&] { return grad(y, x, {.create_graph = true}); });
  EXPECT_EQ(grad(g, x).item(), 18);
  EXPECT_TRUE(grad_enabled());
}

// ---- higher orders ----

TEST(HigherOrder, ThirdDerivativeOfAPowerAndOfATanh) {
  Tensor x = scalar(2);
  const Tensor y = power(x, 5.0);
  const Tensor d1 = grad(y, x, {.create_graph = true}), d2 = grad(d1, x, {.create_graph = true}),
               d3 = grad(d2, x, {.create_graph = true});
  EXPECT_NEAR(d1.item(), 80, 1e-12);
  EXPECT_NEAR(d2.item(), 160, 1e-12);
  EXPECT_NEAR(d3.item(), 240, 1e-12);

  Tensor t = scalar(0.3);
  Tensor f = tanh(t);
  for (int i = 0; i < 3; ++i) f = grad(f, t, {.create_graph = true});
  const double u = std::tanh(0.3), s = 1 - u * u;
  EXPECT_NEAR(f.item(), s * (6 * u * u - 2), 1e-13);
}

TEST(HigherOrder, DerivativesOfSineComeRoundAfterFour) {
  Tensor x = scalar(0.7), f = sin(x);
  const double expected[] = {std::cos(0.7), -std::sin(0.7), -std::cos(0.7), std::sin(0.7)};
  for (int i = 0; i < 8; ++i) {
    f = grad(f, x, {.create_graph = true});
    EXPECT_NEAR(f.item(), expected[i % 4], 1e-14) << "derivative " << i + 1;
  }
}

/// Rosenbrock's function of n variables.
Tensor rosenbrock(const Tensor& x) {
  const Tensor a = x.slice(xt::range(_, -1)), b = x.slice(xt::range(1, _));
  return sum(100 * square(b - square(a)) + square(1 - a));
}

xt::xarray<double> rosenbrock_hessian(const Values& x) {
  const std::size_t n = x.size();
  xt::xarray<double> h = xt::zeros<double>({n, n});
  for (std::size_t i = 0; i + 1 < n; ++i) {
    h(i, i) += 1200 * x[i] * x[i] - 400 * x[i + 1] + 2;
    h(i + 1, i + 1) += 200;
    h(i, i + 1) = h(i + 1, i) = -400 * x[i];
  }
  return h;
}

TEST(HigherOrder, HessianRowByRow) {
  const Values point{-1.2, 1, 0.5, 0.8};
  Tensor x = leaf(point);
  const Tensor g = grad(rosenbrock(x), x, {.create_graph = true});
  std::vector<Tensor> rows;
  for (int i = 0; i < 4; ++i) rows.push_back(grad(g.slice(i), x, {.retain_graph = true}));
  expect_near(stack(rows), values(Tensor(rosenbrock_hessian(point))));
}

TEST(HigherOrder, HessianTimesAVector) {
  const Values point{-1.2, 1, 0.5, 0.8};
  Tensor x = leaf(point);
  const Tensor v{1.0, -2.0, 0.5, 3.0};
  const Tensor g = grad(rosenbrock(x), x, {.create_graph = true});
  const Values expected = values(matmul(Tensor(rosenbrock_hessian(point)), v));
  expect_near(grad(g, x, {.cotangents = {v}, .retain_graph = true}), expected);
  expect_near(grad(sum(g * v), x), expected);
}

TEST(HigherOrder, GradientOfAGradientPenalty) {
  // |∇ₓ Σ w·x³|² = Σ 9w²x⁴; its gradient in w is 18wx⁴.
  Tensor x = leaf({1, 2}), w = leaf({3, 5});
  const Tensor g = grad(sum(w * x * x * x), x, {.create_graph = true});
  sum(square(g)).backward();
  expect_near(w.grad(), {18 * 3, 18 * 5 * 16});
  expect_near(x.grad(), {36 * 9, 36 * 25 * 8});
}

TEST(HigherOrder, RecordedGradientsHoldNoCycle) {
  Tensor x = ones({100000}).set_requires_grad();
  std::size_t before = 0;
  for (int i = 0; i < 5; ++i) {
    if (i == 2) before = memory_statistics().in_use;  // the engine keeps a few numbers that come again
    const Tensor g = grad(sum(exp(x) * tanh(x)), x, {.create_graph = true});
    const Tensor h = grad(sum(g), x, {.create_graph = true});
    h.evaluate();
  }
  EXPECT_EQ(memory_statistics().in_use, before);
}

}  // namespace
