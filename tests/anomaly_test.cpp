#include <gtest/gtest.h>

#include <autodiff/autodiff.hpp>
#include <limits>
#include <tests/support/throws.hpp>
#include <tests/support/values.hpp>

using namespace xgrad;
using namespace xgrad::test;

namespace {

TEST(Anomaly, NamesTheOpThatMakesTheFirstOne) {
  const Tensor x{1.0, -1.0, 2.0};
  EXPECT_NO_THROW(log(x).evaluate());
  const AnomalyMode watching;
  const Scope scope("the entropy");
  EXPECT_TRUE(throws<std::runtime_error>([&] { log(x); }, {"'log'", "NaN at element 1 of shape (3,)", "the entropy", "anomaly_test.cpp"}));
  EXPECT_TRUE(throws<std::runtime_error>([&] { 1 / (x - 1); }, {"'divide'", "inf at element 0"}));
  EXPECT_NO_THROW(log(abs(x)));
}

TEST(Anomaly, DoesNotBlameWhoGetsOne) {
  const Tensor x{1.0, std::numeric_limits<double>::quiet_NaN()};
  const AnomalyMode watching;
  EXPECT_NO_THROW(exp(x) + 1);
}

TEST(Anomaly, NamesTheOpWhoseGradientMakesOne) {
  Tensor x = Tensor{4.0, 0.0}.set_requires_grad();
  const AnomalyMode watching;
  const Tensor loss = [&] {
    const Scope scope("the roots");
    return sum(sqrt(x));
  }();
  EXPECT_TRUE(throws<std::runtime_error>([&] { loss.backward(); }, {"gradient of 'sqrt'", "inf at element 1", "the roots"}));
}

TEST(Anomaly, KnowsThatZeroAbsorbs) {
  Tensor x = Tensor{4.0, 0.0}.set_requires_grad();
  {
    const AnomalyMode watching;
    sum(where(x > 0, sqrt(x), 0)).backward();
  }
  EXPECT_EQ(values(x.grad()), (Values{0.25, 0}));
  EXPECT_NO_THROW(log(Tensor{-1.0}));
}

}  // namespace
