// What the sweep over the whole range (sweep_test.cpp) leaves: elements beside each other, second derivatives at edges, other orders.
#include <gtest/gtest.h>

#include <autodiff/autodiff.hpp>
#include <cmath>
#include <limits>
#include <sstream>
#include <tests/support/values.hpp>

using namespace xgrad;
using namespace xgrad::test;

namespace {

TEST(Range, ValuesDoNotDependOnTheirNeighbours) {
  using F = Tensor (*)(const Located&);
  for (const DType dtype : {DType::float32, DType::float64}) {
    const double huge = dtype == DType::float64 ? 709.6 : 88.6, tiny = dtype == DType::float64 ? 5e-324 : 1e-45;
    for (const F f : {F{exp}, F{exp2}, F{expm1}, F{log}, F{log2}, F{log10}, F{log1p}, F{sinh}, F{cosh}, F{tanh}, F{cbrt}, F{erf}, F{sigmoid}, F{softplus}}) {
      Values x(16, 0.3);
      const Values alone = values(f(leaf(x).to(dtype)));
      x[1] = huge, x[2] = tiny, x[6] = -huge, x[15] = tiny;
      const Values beside = values(f(leaf(x).to(dtype)));
      for (const std::size_t i : {0u, 3u, 4u, 7u, 14u}) EXPECT_EQ(beside[i], alone[i]) << i;
    }
  }
}

TEST(SecondDerivatives, OfXLogYAreSymmetricAtZero) {
  const auto second = [](double a, double b) {
    return values(hessian([](const Tensor& v) { return xlogy(v.slice(0), v.slice(1)); }, Tensor{a, b}));
  };
  EXPECT_EQ(second(0, 2), (Values{0, 0.5, 0.5, 0}));
  EXPECT_EQ(second(0, 0)[1], second(0, 0)[2]);
}

TEST(NaN, IsPrintedWithoutASign) {
  std::ostringstream text;
  text << Tensor{-std::numeric_limits<double>::quiet_NaN(), 1.0} << Tensor(-std::numeric_limits<float>::quiet_NaN());
  EXPECT_EQ(text.str().find("-nan"), std::string::npos) << text.str();
  EXPECT_NE(text.str().find("nan"), std::string::npos) << text.str();
}

TEST(Polygamma, FollowsTheRecurrenceLeftOfZero) {
  const auto polygamma_at = [](std::int64_t n, double x) { return polygamma(n, Tensor(x)).item(); };
  // The n-th at x is that at x + 1, less (-1)ⁿ n! / xⁿ⁺¹.
  for (const std::int64_t n : {3, 5})
    for (const double x : {-0.25, -1e-3, -1.7, -31.6, -32.6, -100.3}) {
      const double step = (n % 2 ? -1 : 1) * std::tgamma(static_cast<double>(n) + 1) * std::pow(x, -static_cast<double>(n) - 1);
      const double next = polygamma_at(n, x + 1), found = polygamma_at(n, x);
      EXPECT_NEAR(found, next - step, 1e-11 * (std::abs(next) + std::abs(step))) << n << ", " << x;
    }
}

}  // namespace
