// custom_root and fixed_point: derivatives of solutions against closed forms, differences, and derivatives of the solver's steps.
#include <gtest/gtest.h>

#include <autodiff/autodiff.hpp>
#include <tests/support/throws.hpp>
#include <tests/support/values.hpp>

using namespace xgrad;
using namespace xgrad::test;

namespace {

using Tensors = std::vector<Tensor>;

/// Newton's method on g, from `start`.
TensorFunction newton(ImplicitFunction g, Tensor start) {
  return [g, start](const Tensors& theta) {
    EXPECT_FALSE(grad_enabled());
    Tensor x = start;
    for (int step = 0; step < 30; ++step) {
      const Tensor j = jacobian([&](const Tensor& at) { return g(at, theta); }, x);
      x = (x - reshape(solve(reshape(j, {x.size(), x.size()}), reshape(g(x, theta), {x.size()})), x.shape())).detach().evaluate();
    }
    return x;
  };
}

Tensor square_minus(const Tensor& x, const Tensors& theta) { return x * x - theta[0]; }
TensorFunction root_of(const Tensor& start, RootOptions options = {}) { return custom_root(square_minus, newton(square_minus, start), options); }

/// Coupled equations of a matrix of unknowns: A x + x³ = b, and what A, b look like.
Tensor coupled(const Tensor& x, const Tensors& theta) { return matmul(theta[0], x) + power(x, 3) - theta[1]; }
const Tensor coupling{{3.0, 0.5, -0.2}, {0.1, 2.0, 0.7}, {-0.6, 0.3, 4.0}}, sides{{1.0, -0.5}, {0.3, 2.0}, {-1.5, 0.8}};
TensorFunction coupled_root(RootOptions options = {}) { return custom_root(coupled, newton(coupled, zeros({3, 2}, DType::float64)), options); }

class CustomRoot : public testing::TestWithParam<bool> {
 protected:
  RootOptions options{.matrix_free = GetParam()};
};
INSTANTIATE_TEST_SUITE_P(, CustomRoot, testing::Bool(), [](const auto& info) { return info.param ? "MatrixFree" : "Dense"; });

TEST_P(CustomRoot, HasTheDerivativesOfASquareRoot) {
  const auto root = root_of(Tensor(1.0), options);
  const auto f = [&](const Tensor& t) { return root({t}); };
  EXPECT_NEAR(f(Tensor(4.0)).item(), 2, 1e-14);
  EXPECT_NEAR(grad(f)(Tensor(4.0)).item(), 0.25, 1e-13);
  EXPECT_NEAR(grad(grad(f))(Tensor(4.0)).item(), -1.0 / 32, 1e-12);
  EXPECT_NEAR(grad(grad(grad(f)))(Tensor(4.0)).item(), 3.0 / 256, 1e-11);
}

TEST_P(CustomRoot, HasTheGradientsThatDifferencesShow) {
  const auto root = coupled_root(options);
  expect_near(coupled(root({coupling, sides}), {coupling, sides}), Values(6, 0), 1e-13);
  EXPECT_TRUE(gradcheck(root, {coupling, sides}));
  EXPECT_TRUE(gradgradcheck(root, {coupling, sides}));
}

TEST_P(CustomRoot, TakesPartInLargerFunctions) {
  const auto root = coupled_root(options);
  const auto whole = [&](const Tensors& in) { return sum(square(root({exp(in[0]) * coupling, in[0] * sides}))) * in[0]; };
  EXPECT_TRUE(gradcheck(whole, {Tensor(0.4)}));
  EXPECT_TRUE(gradgradcheck(whole, {Tensor(0.4)}));
  expect_near(hessian([&](const Tensor& b) { return sum(root({coupling, b})); }, sides).reshape({36}),
              values(hessian([&](const Tensor& b) { return sum(coupled_root()({coupling, b})); }, sides)), 1e-10);
}

TEST_P(CustomRoot, WorksInFloat32) {
  Tensor t = Tensor{4.0f, 9.0f}.set_requires_grad();
  const Tensor x = root_of(Tensor{1.0f, 1.0f}, options)({t});
  sum(x).backward();
  EXPECT_EQ(t.grad().dtype(), DType::float32);
  expect_near(t.grad(), {0.25, 1.0 / 6}, 1e-6);
}

TEST_P(CustomRoot, NamesItselfWhereTheJacobianIsSingular) {
  Tensor t = Tensor{4.0, 0.0}.set_requires_grad();  // at 0 the root has no derivative
  const auto root = custom_root(square_minus, [](const Tensors& theta) { return sqrt(theta[0]); }, options);
  const Tensor x = root({t});
  expect_near(x, {2, 0});
  EXPECT_TRUE(throws<std::domain_error>([&] { sum(x).backward(); }, {"custom_root", "singular"}));
}

TEST(Gmres, SolvesLargeSystems) {
  // A chain of 400 coupled unknowns, too stiff for a few products.
  const std::int64_t n = 400;
  const auto chain = [n](const Tensor& x, const Tensors& theta) {
    const Tensor around = pad(x, {{1, 1}});
    return 2.5 * x - around.slice(xt::range(0, n)) - around.slice(xt::range(2, n + 2)) + 0.1 * sin(x) - theta[0];
  };
  const Tensor b = Generator(5).normal({n}, 0, 1, DType::float64);
  const auto gradient = [&](RootOptions options) { return grad([&](const Tensor& t) { return sum(square(custom_root(chain, newton(chain, zeros({n}, DType::float64)), options)({t}))); })(b); };
  expect_near(gradient({.matrix_free = true, .restart = 20}), values(gradient({})), 1e-9);
  EXPECT_TRUE(throws<std::domain_error>([&] { gradient({.matrix_free = true, .max_products = 5}); }, {"custom_root", "GMRES", "(400,)", "5 products"}));
}

TEST(CustomRootUse, RecordsNothingOfTheSolver) {
  Tensor t = Tensor(2.0).set_requires_grad();
  const Tensor x = root_of(Tensor(1.0))({t});
  EXPECT_TRUE(x.requires_grad());
  EXPECT_NE(to_dot(x).find("custom_root"), std::string::npos);
  EXPECT_EQ(to_dot(x).find("solve"), std::string::npos);
  EXPECT_FALSE(no_grad([&] { return root_of(Tensor(1.0))({t}); }).requires_grad());
}

TEST(CustomRootUse, LetsIntegersAndConstantsPass) {
  const auto scaled = [](const Tensor& x, const Tensors& theta) { return x * theta[1].to(DType::float64) - theta[0] - theta[2]; };
  const auto root = custom_root(scaled, [](const Tensors& theta) { return (theta[0] + theta[2]) / theta[1]; });
  Tensor t = Tensor{1.0, 2.0}.set_requires_grad();
  sum(root({t, Tensor{2, 4}, ones({2}, DType::float64)})).backward();
  expect_near(t.grad(), {0.5, 0.25});
}

TEST(CustomRootUse, OfNothingIsNothing) {
  Tensor t = zeros({0}, DType::float64).set_requires_grad();
  const Tensor x = custom_root(square_minus, [](const Tensors& theta) { return theta[0]; })({t});
  sum(x).backward();
  EXPECT_FALSE(t.grad().defined() && t.grad().size() != 0);
}

TEST(CustomRootUse, ChecksWhatItIsGiven) {
  const auto as_it_is = [](const Tensors& theta) { return theta[0]; };
  const Tensor t{1.0, 2.0};
  EXPECT_TRUE(throws<std::invalid_argument>([&] { custom_root([](const Tensor& x, const Tensors&) { return sum(x); }, as_it_is)({t}); }, {"custom_root", "()", "(2,)"}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { custom_root(square_minus, as_it_is)({Tensor{1, 2}}); }, {"custom_root", "(2,)", "int64"}));
  Tensor hidden = Tensor(3.0).set_requires_grad();
  EXPECT_TRUE(throws<std::invalid_argument>([&] { custom_root([&](const Tensor& x, const Tensors& theta) { return hidden * x - theta[0]; }, as_it_is)({t}); }, {"custom_root", "not among"}));
  EXPECT_TRUE(throws<std::logic_error>([&] { custom_root(square_minus, [](const Tensors&) { return Tensor(); })({t}); }, {"custom_root", "undefined"}));
}

TEST(FixedPoint, HasTheDerivativeThatItsIterationConvergesTo) {
  const auto f = [](const Tensor& x, const Tensors& theta) { return cos(theta[0] * x); };
  const auto iterate = [&](const Tensors& theta) {
    Tensor x = ones_like(theta[0]);
    for (int step = 0; step < 200; ++step) x = f(x, theta);
    return x;
  };
  const Tensor theta{0.5, 0.9};
  const auto implicit = [&](const Tensor& t) { return sum(square(fixed_point(f, iterate)({t}))); };
  expect_near(grad(implicit)(theta), values(grad([&](const Tensor& t) { return sum(square(iterate({t}))); })(theta)), 1e-12);
  EXPECT_TRUE(gradgradcheck(fixed_point(f, iterate), {theta}));
}

}  // namespace
