#include <gtest/gtest.h>

#include <autodiff/autodiff.hpp>
#include <functional>
#include <limits>
#include <nn/nn.hpp>
#include <string>
#include <thread>
#include <tests/support/throws.hpp>
#include <tests/support/values.hpp>

using namespace xgrad;
using namespace xgrad::test;

namespace {

/// A line of this file, as messages name it.
std::string here(int line) { return "anomaly_test.cpp:" + std::to_string(line); }

std::string message_of_anomaly(const std::function<void()>& f) {
  try {
    f();
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "nothing thrown";
}

/// NaN, by an op that no function of the library records.
struct NotANumber final : GeneralOp {
  std::string_view name() const override { return "test_nan"; }
  void evaluate(std::span<const detail::Array>, const detail::Array& output) const override {
    std::fill_n(output.as<double>(), output.size, std::numeric_limits<double>::quiet_NaN());
  }
  Tensor vjp(std::size_t, const Tensor&, std::span<const Tensor>, const Tensor&) const override { return {}; }
};

TEST(Anomaly, NamesTheOpThatMakesTheFirstOne) {
  const Tensor x{1.0, -1.0, 2.0};
  EXPECT_NO_THROW(log(x).evaluate());
  const AnomalyMode watching;
  const Scope scope("the entropy");
  EXPECT_TRUE(throws<std::runtime_error>([&] { log(x); }, {"'log'", "NaN at element 1 of shape (3,)", "the entropy", "anomaly_test.cpp"}));
  EXPECT_TRUE(throws<std::runtime_error>([&] { 1 / (x - 1); }, {"'divide'", "inf at element 0"}));
  EXPECT_NO_THROW(log(abs(x)));
}

TEST(Anomaly, NamesTheLineOfAConvolutionOrATransform) {
  const Tensor large = full({1, 1, 3}, 1e308, DType::float64), place = zeros({1, 1, 3}, DType::int64);
  const AnomalyMode watching;
  EXPECT_NE(message_of_anomaly([&] { conv1d(large, large); }).find(here(__LINE__)), std::string::npos);
  EXPECT_NE(message_of_anomaly([&] { rfft(large); }).find(here(__LINE__)), std::string::npos);
  EXPECT_NE(message_of_anomaly([&] { scatter_add(large, place, large); }).find(here(__LINE__)), std::string::npos);
}

TEST(Anomaly, NamesTheLineOfWhatMovesValues) {
  // What they give is added up, forward or backward, and overflows there.
  struct Case {
    int line;
    std::function<Tensor(const Tensor&)> f;
  };
  const Tensor twice = Tensor{0, 0};
  const std::vector<Case> backward{
      {__LINE__, [&](const Tensor& x) { return take(x, twice); }},
      {__LINE__, [&](const Tensor& x) { return take_along_axis(x, twice); }},
      {__LINE__, [&](const Tensor& x) { return repeat(x, 2, 0); }},
      {__LINE__, [&](const Tensor& x) { return tile(x, {2}); }},
      {__LINE__, [&](const Tensor& x) { return broadcast_to(x, {2, 3}); }},
      {__LINE__, [&](const Tensor& x) { return pad(x, {{2, 0}}, PadMode::edge); }},
      {__LINE__, [&](const Tensor& x) { return x.to(DType::float64); }},
  };
  const std::vector<Case> forward{
      {__LINE__, [&](const Tensor& x) { return trace(diag(x)); }},
      {__LINE__, [&](const Tensor& x) { return einsum("i,j->", {x, x}); }},
      {__LINE__, [&](const Tensor& x) { return x.at(twice).add(x.slice(xt::range(0, 2))); }},
      {__LINE__, [&](const Tensor& x) { return (1e300 * zeros({1}, DType::float64) + 1e300).to(x.dtype()); }},
  };
  const AnomalyMode watching;
  for (const Case& test : backward) {
    Tensor x = Tensor{1.0f, 2.0f, 3.0f}.set_requires_grad();
    const Tensor y = test.f(x);
    const std::string message = message_of_anomaly([&] { y.backward(full(y.shape(), y.dtype() == DType::float64 ? 1e300 : 3e38, y.dtype())); });
    EXPECT_NE(message.find(here(test.line)), std::string::npos) << test.line << ' ' << message;
  }
  for (const Case& test : forward) {
    const std::string message = message_of_anomaly([&] { test.f(full({3}, 3e38)); });
    EXPECT_NE(message.find(here(test.line)), std::string::npos) << test.line << ' ' << message;
  }
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

// ---- the place in the source ----

TEST(AnomalyPlace, IsThatOfTheCall) {
  const Tensor zero{0.0, 0.0}, one{1.0, 1.0};
  const AnomalyMode watching;
  const int line = __LINE__;
  EXPECT_TRUE(throws<std::runtime_error>([&] { log(zero); }, {"'log' gives -inf at element 0", "; recorded at ", here(line + 1)}));
  EXPECT_TRUE(throws<std::runtime_error>([&] { divide(one, zero); }, {"'divide'", here(line + 2)}));
  EXPECT_TRUE(throws<std::runtime_error>([&] { one / zero; }, {"'divide'", here(line + 3)}));
  EXPECT_TRUE(throws<std::runtime_error>([&] { 1 / zero; }, {"'divide'", here(line + 4)}));
  EXPECT_TRUE(throws<std::runtime_error>([&] { one / 0; }, {"'divide'", here(line + 5)}));
  EXPECT_TRUE(throws<std::runtime_error>([&] { power(zero, -1.5); }, {"'power'", here(line + 6)}));
  EXPECT_TRUE(throws<std::runtime_error>([&] { matmul(1e200 * one, 1e200 * one); }, {"'matmul'", here(line + 7)}));
  EXPECT_TRUE(throws<std::runtime_error>([&] { (1e308 * one).sum(); }, {"'sum'", here(line + 8)}));
  EXPECT_TRUE(throws<std::runtime_error>([&] { log({1.0, 0.0}); }, {"'log'", here(line + 9)}));
  EXPECT_TRUE(throws<std::runtime_error>([&] { xgrad::log(0.0); }, {"'log'", here(line + 10)}));
  EXPECT_TRUE(throws<std::runtime_error>([&] { xgrad::log(xt::xarray<double>{0.0}); }, {"'log'", here(line + 11)}));
}

TEST(AnomalyPlace, IsThatOfTheCallAmongSeveralInOneExpression) {
  const Tensor zero{0.0, 0.0}, one{1.0, 1.0};
  const AnomalyMode watching;
  const int line = __LINE__;
  const std::string inner = message_of_anomaly([&] {
    add(exp(one),
        exp(log(
            zero * 2)));
  });
  EXPECT_NE(inner.find(here(line + 3)), inner.npos) << inner;
  const std::string outer = message_of_anomaly([&] {
    divide(exp(
               one),
           sin(zero));
  });
  EXPECT_NE(outer.find("'divide'"), outer.npos);
  EXPECT_NE(outer.find(here(line + 8)), outer.npos) << outer;
  const std::string operators = message_of_anomaly([&] {
    const Tensor result = exp(
        one) * 2 /
        zero;
  });
  EXPECT_NE(operators.find("'divide'"), operators.npos);
  EXPECT_TRUE(operators.find(here(line + 17)) != operators.npos || operators.find(here(line + 16)) != operators.npos) << operators;
}

TEST(AnomalyPlace, IsWithinTheFunctionThatIsCalledAmidAnExpression) {
  const Tensor zero{0.0, 0.0};
  const int line = __LINE__ + 1;
  const auto entropy = [](const Tensor& x) { return x * log(x); };
  const AnomalyMode watching;
  const std::string message = message_of_anomaly([&] { sum(entropy(zero * 1.0)); });
  EXPECT_NE(message.find(here(line)), message.npos) << message;
  EXPECT_EQ(message.find(here(line + 2)), message.npos) << message;
}

TEST(AnomalyPlace, IsTheUsersWhenTheLibraryComposesOps) {
  const Tensor zero{0.0, 0.0};
  const AnomalyMode watching;
  const int line = __LINE__ + 1;
  const std::string message = message_of_anomaly([&] { rsqrt(zero); });
  EXPECT_NE(message.find("; recorded at "), message.npos) << message;
  EXPECT_NE(message.find(here(line)), message.npos) << message;
  EXPECT_EQ(message.find("autodiff/ops/"), message.npos) << message;
}

TEST(AnomalyPlace, OfALossIsThatInTheLossAndThatOfItsCall) {
  const Tensor huge = 1e200 * ones({2}, DType::float64), zero = zeros({2}, DType::float64);
  const AnomalyMode watching;
  const int line = __LINE__ + 1;
  const std::string message = message_of_anomaly([&] { nn::mse_loss(huge, zero); });
  const std::size_t inside = message.find("nn/losses.cpp:"), call = message.find(", called at ");
  EXPECT_NE(inside, message.npos) << message;
  EXPECT_LT(inside, call);
  EXPECT_LT(call, message.find(here(line))) << message;
}

TEST(AnomalyPlace, IsNamedForAGradient) {
  Tensor x = Tensor{4.0, 0.0}.set_requires_grad();
  const AnomalyMode watching;
  const int line = __LINE__ + 1;
  const Tensor root = sqrt(x);
  const Tensor loss = sum(root * 2);
  EXPECT_TRUE(throws<std::runtime_error>([&] { loss.backward(); }, {"gradient of 'sqrt'", "inf at element 1", "; recorded at ", here(line)}));
}

TEST(AnomalyPlace, IsNotThatOfAnEarlierCall) {
  const Tensor one{1.0};
  const AnomalyMode watching;
  exp(one);
  const Tensor two = one + 1;
  const std::string message =
      message_of_anomaly([&] { detail::record(detail::shared_op<NotANumber>(), {&two, 1}, two.shape(), two.dtype()); });
  EXPECT_NE(message.find("'test_nan' gives NaN"), message.npos) << message;
  EXPECT_EQ(message.find("recorded"), message.npos) << message;
}

TEST(AnomalyPlace, GoesAlongWithScopes) {
  const AnomalyMode watching;
  const int line = __LINE__ + 1;
  const Scope scope("the entropy");
  EXPECT_TRUE(throws<std::runtime_error>([&] { log(Tensor{0.0}); }, {"; recorded at ", here(line + 1) + ", in the entropy (", here(line) + ")"}));
}

TEST(AnomalyPlace, LeavesFunctionsCallableAsBefore) {
  const std::function<Tensor(const Tensor&)> f = xgrad::exp;
  EXPECT_EQ(f(Tensor{0.0}).item(), 1);
  EXPECT_EQ(xgrad::exp(0.0).item(), 1);
  EXPECT_EQ(values(xgrad::abs({-1.0, 2.0})), (Values{1, 2}));
  EXPECT_EQ(values(2 * Tensor{1.0, 2.0} + 1), (Values{3, 5}));
  EXPECT_EQ(grad([](const Tensor& x) { return xgrad::exp(x); })(Tensor(0.0)).item(), 1);
}

TEST(AnomalyMode, IsOfTheThread) {
  const AnomalyMode watching;
  std::string elsewhere = "nothing thrown";
  std::thread([&] { elsewhere = message_of_anomaly([] { log(Tensor{-1.0}).evaluate(); }); }).join();
  EXPECT_EQ(elsewhere, "nothing thrown");
  std::thread([&] {
    const AnomalyMode there;
    elsewhere = message_of_anomaly([] { log(Tensor{-1.0}); });
  }).join();
  EXPECT_NE(elsewhere.find("'log' gives NaN"), elsewhere.npos) << elsewhere;
}

}  // namespace
