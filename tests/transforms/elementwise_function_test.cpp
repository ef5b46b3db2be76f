#include <gtest/gtest.h>

#include <autodiff/autodiff.hpp>
#include <cmath>
#include <tests/support/throws.hpp>
#include <tests/support/function.hpp>
#include <tests/support/values.hpp>

using namespace xgrad;
using namespace xgrad::test;

namespace {

constexpr auto damped = [](auto x, auto y) {
  using std::exp, std::sin;
  return sin(3 * x) * exp(-x * y) + y / (1 + x * x);
};

TEST(Elementwise, HasTheValuesAndDerivativesOfTheExpression) {
  const auto f = [](const std::vector<Tensor>& in) { return elementwise(damped, in[0], in[1]); };
  const auto same = [](const std::vector<Tensor>& in) { return sin(3 * in[0]) * exp(-in[0] * in[1]) + in[1] / (1 + square(in[0])); };
  const std::vector<Tensor> inputs{Generator(1).uniform({3, 4}, -1, 1, DType::float64), Generator(2).uniform({4}, -1, 1, DType::float64)};
  expect_near(f(inputs), values(same(inputs)));
  EXPECT_TRUE(gradcheck(f, inputs));
  EXPECT_TRUE(gradgradcheck(f, inputs));
  const auto total = [](const auto& g) { return [g](const std::vector<Tensor>& in) { return sum(g(in)); }; };
  const auto ours = grad(total(f))(inputs), theirs = grad(total(same))(inputs);
  for (std::size_t i = 0; i < 2; ++i) expect_near(ours[i], values(theirs[i]));
}

TEST(Elementwise, KnowsTheFunctionsOfCmath) {
  const Tensor x = Generator(3).uniform({50}, 0.2, 0.8, DType::float64);
  const auto check = [&](auto g, const test::FunctionOf<>& reference) {
    const auto f = [g](const std::vector<Tensor>& in) { return elementwise(g, in[0]); };
    expect_near(f({x}), values(reference(x)));
    EXPECT_TRUE(gradcheck(f, {x}));
    EXPECT_TRUE(gradgradcheck(f, {x}));
  };
  using namespace std;
  check([](auto v) { return exp(v); }, xgrad::exp);
  check([](auto v) { return expm1(v); }, xgrad::expm1);
  check([](auto v) { return log(v); }, xgrad::log);
  check([](auto v) { return log1p(v); }, xgrad::log1p);
  check([](auto v) { return sqrt(v); }, xgrad::sqrt);
  check([](auto v) { return cbrt(v); }, xgrad::cbrt);
  check([](auto v) { return sin(v); }, xgrad::sin);
  check([](auto v) { return cos(v); }, xgrad::cos);
  check([](auto v) { return tan(v); }, xgrad::tan);
  check([](auto v) { return asin(v); }, xgrad::arcsin);
  check([](auto v) { return acos(v); }, xgrad::arccos);
  check([](auto v) { return atan(v); }, xgrad::arctan);
  check([](auto v) { return sinh(v); }, xgrad::sinh);
  check([](auto v) { return cosh(v); }, xgrad::cosh);
  check([](auto v) { return tanh(v); }, xgrad::tanh);
  check([](auto v) { return erf(v); }, xgrad::erf);
  check([](auto v) { return abs(v); }, xgrad::abs);
  check([](auto v) { return pow(v, 2.5); }, [](const Tensor& t) { return power(t, 2.5); });
  check([](auto v) { return pow(v, v); }, [](const Tensor& t) { return power(t, t); });
  check([](auto v) { return pow(2, v); }, [](const Tensor& t) { return exp2(t); });
}

TEST(Elementwise, BranchesAndCaptures) {
  const double slope = 0.1;
  const auto leaky = [slope](auto v) { return v > 0 ? v : slope * v; };
  Tensor x = Tensor{-2.0, 3.0}.set_requires_grad();
  sum(elementwise(leaky, x)).backward();
  expect_near(x.grad(), {0.1, 1});
  EXPECT_EQ(elementwise(leaky, ones({2})).dtype(), DType::float32);
  EXPECT_EQ(elementwise(leaky, Tensor{1, 2}).dtype(), DType::float64);
  EXPECT_EQ(elementwise(damped, ones({0, 3}), ones({3})).shape(), (Shape{0, 3}));
  EXPECT_TRUE(throws<std::invalid_argument>([] { elementwise(damped, ones({2}), ones({3})); }, {"elementwise", "(2,)", "(3,)"}));
}

TEST(Elementwise, GoesAsFarAsItWasAskedTo) {
  const auto cube = [](auto v) { return v * v * v; };
  const auto third = [](auto f) { return grad(grad(grad(f)))(Tensor(2.0)); };
  EXPECT_EQ(third([&](const Tensor& x) { return elementwise<3>(cube, x); }).item(), 6);
  EXPECT_TRUE(throws<std::logic_error>([&] { third([&](const Tensor& x) { return elementwise(cube, x); }); }, {"elementwise", "order"}));
}

}  // namespace
