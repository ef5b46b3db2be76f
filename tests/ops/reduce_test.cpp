// What the reductions do beside computing values: dtypes, nothing to reduce, errors, and gradients at edges.
#include <gtest/gtest.h>

#include <autodiff/autodiff.hpp>
#include <cmath>
#include <functional>
#include <limits>

using namespace xgrad;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

testing::AssertionResult near(const Tensor& actual, const std::vector<double>& expected, double tolerance) {
  const auto values = actual.to(DType::float64).array<double>();
  if (values.size() != expected.size())
    return testing::AssertionFailure() << values.size() << " values, not " << expected.size();
  for (std::size_t i = 0; i < expected.size(); ++i)
    if (values.flat(i) != expected[i] && !(std::abs(values.flat(i) - expected[i]) <= tolerance))
      return testing::AssertionFailure() << "element " << i << " is " << values.flat(i) << ", not " << expected[i];
  return testing::AssertionSuccess();
}

TEST(Reduce, SumsOfBoolAndInt64AreInt64) {
  const Tensor mask{{true, false, true}, {true, true, true}};
  EXPECT_EQ(sum(mask).dtype(), DType::int64);
  EXPECT_EQ(sum(mask).item<int>(), 5);
  EXPECT_TRUE(near(sum(mask, 0), {2, 1, 2}, 0));
  EXPECT_EQ(sum(full({300, 300}, 1, DType::bool_)).item<int>(), 90000);
  EXPECT_TRUE(near(sum(full({300, 70}, 1, DType::bool_) == true, 0), std::vector<double>(70, 300), 0));
  const Tensor numbers = arange(0, 1000, 1, DType::int64);
  EXPECT_EQ(sum(numbers).dtype(), DType::int64);
  EXPECT_EQ(sum(numbers).item<int>(), 499500);
}

TEST(Reduce, Int64SumsWrap) {
  const Tensor x{std::numeric_limits<std::int64_t>::max(), std::int64_t{1}};
  EXPECT_EQ(sum(x).item<std::int64_t>(), std::numeric_limits<std::int64_t>::min());
}

TEST(Reduce, MeansOfIntegersAreFloat64) {
  EXPECT_EQ(mean(Tensor{1, 2}).dtype(), DType::float64);
  EXPECT_EQ(mean(Tensor{1, 2}).item(), 1.5);
  EXPECT_EQ(mean(Tensor{true, false}).item(), 0.5);
  EXPECT_EQ(softmax(Tensor{1, 1}).dtype(), DType::float64);
  EXPECT_EQ(log_softmax(Tensor{1, 1}).dtype(), DType::float64);
  EXPECT_EQ(logsumexp(Tensor{1, 1}).dtype(), DType::float64);
}

TEST(Reduce, TheMeanOfEqualValuesIsThatValue) {
  for (const std::int64_t n : {3, 10, 49, 1000}) EXPECT_EQ(mean(ones({n}, DType::float64)).item(), 1) << n;
}

TEST(Reduce, ExtremesKeepTheDtype) {
  const std::int64_t large = std::numeric_limits<std::int64_t>::max();
  const Tensor x{{large, std::int64_t{-5}}, {large - 1, std::int64_t{7}}};
  EXPECT_EQ(max(x).dtype(), DType::int64);
  EXPECT_EQ(max(x).item<std::int64_t>(), large);
  EXPECT_EQ(max(x, 0).slice(1).item<std::int64_t>(), 7);
  EXPECT_EQ(min(x, 0).slice(0).item<std::int64_t>(), large - 1);
  EXPECT_EQ(argmax(x, 0).slice(0).item<int>(), 0);
  const Tensor mask{{true, false}, {false, false}};
  EXPECT_EQ(max(mask, 1).dtype(), DType::bool_);
  EXPECT_TRUE(near(max(mask, 1), {1, 0}, 0));
  EXPECT_TRUE(near(min(mask, 1), {0, 0}, 0));
  EXPECT_TRUE(near(argmax(mask, 1), {0, 0}, 0));
}

TEST(Reduce, OfNothing) {
  const Tensor nothing = zeros({0}), rows = zeros({3, 0});
  EXPECT_EQ(sum(nothing).item(), 0);
  EXPECT_TRUE(std::isnan(mean(nothing).item()));
  EXPECT_EQ(logsumexp(nothing).item(), -infinity);
  EXPECT_TRUE(near(sum(rows, 1), {0, 0, 0}, 0));
  EXPECT_TRUE(near(logsumexp(rows, 1), {-infinity, -infinity, -infinity}, 0));
  EXPECT_EQ(sum(rows, 0).shape(), Shape{0});
  EXPECT_EQ(max(rows, 0).shape(), Shape{0});
  EXPECT_EQ(argmax(rows, 0).shape(), Shape{0});
  EXPECT_EQ(softmax(rows).shape(), rows.shape());
}

TEST(Reduce, AScalarReducesToItself) {
  const Tensor x = 3.0;
  EXPECT_EQ(sum(x).item(), 3);
  EXPECT_EQ(mean(x).item(), 3);
  EXPECT_EQ(max(x).item(), 3);
  EXPECT_EQ(logsumexp(x).item(), 3);
  EXPECT_EQ(sum(x, {}, true).shape(), Shape{});
}

// What `f` throws as an `Error` says.
template <class Error>
std::string message_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing thrown";
}

TEST(Reduce, ExtremesOfNothingThrow) {
  const Tensor rows = zeros({3, 0});
  for (const auto& [name, f] : std::vector<std::pair<std::string, std::function<void()>>>{
           {"max", [&] { max(rows); }}, {"min", [&] { min(rows, 1); }}, {"argmax", [&] { argmax(rows, -1); }}}) {
    const std::string message = message_of<std::invalid_argument>(f);
    EXPECT_NE(message.find(name + ": "), std::string::npos) << message;
    EXPECT_NE(message.find("(3, 0)"), std::string::npos) << message;
  }
}

TEST(Reduce, AxesOutOfRangeOrGivenTwiceThrow) {
  const Tensor x = zeros({2, 3});
  using Case = std::pair<std::string, std::function<void()>>;
  for (const auto& [name, f] : std::vector<Case>{{"sum", [&] { sum(x, 2); }},
                                                 {"sum",
                                                  [&] {
                                                    sum(x, {0, 0});
                                                  }},
                                                 {"sum",
                                                  [&] {
                                                    sum(x, {1, -1});
                                                  }},
                                                 {"mean", [&] { mean(x, -3); }},
                                                 {"max", [&] { max(x, 5); }},
                                                 {"min",
                                                  [&] {
                                                    min(x, {0, 1, 2});
                                                  }},
                                                 {"logsumexp", [&] { logsumexp(x, 2); }},
                                                 {"argmax", [&] { argmax(x, 2); }},
                                                 {"softmax", [&] { softmax(x, -3); }},
                                                 {"softmax", [&] { softmax(Tensor(1.0)); }},
                                                 {"log_softmax", [&] { log_softmax(x, 2); }}})
    EXPECT_EQ(message_of<std::invalid_argument>(f).find(name + ": "), 0u) << message_of<std::invalid_argument>(f);
}

TEST(Reduce, AnUndefinedTensorThrows) {
  const Tensor undefined;
  for (const auto& f : std::vector<std::function<void()>>{[&] { sum(undefined); }, [&] { mean(undefined); },
                                                          [&] { max(undefined); }, [&] { min(undefined); },
                                                          [&] { logsumexp(undefined); }, [&] { argmax(undefined, 0); },
                                                          [&] { softmax(undefined); }, [&] { log_softmax(undefined); }})
    EXPECT_THROW(f(), std::logic_error);
}

Tensor variable(Tensor x) { return x.set_requires_grad(); }

TEST(Reduce, TiedExtremesShareTheCotangent) {
  const Tensor x = variable(Tensor{{1.0, 3.0, 3.0}, {2.0, 2.0, 2.0}});
  EXPECT_TRUE(near(grad(sum(max(x, 1) * Tensor{6.0, 9.0}), x), {0, 3, 3, 3, 3, 3}, 1e-15));
  EXPECT_TRUE(near(grad(min(x), x), {1, 0, 0, 0, 0, 0}, 1e-15));
}

TEST(Reduce, LogsumexpOfNothingButMinusInfinityHasGradientZero) {
  const Tensor x = variable(Tensor{{-infinity, -infinity}, {0.0, 0.0}, {-infinity, 1.0}});
  EXPECT_TRUE(near(grad(sum(logsumexp(x, 1)), x), {0, 0, 0.5, 0.5, 0, 1}, 1e-15));
}

TEST(Reduce, MaskedRowsLeaveNoTraceInGradients) {
  const Tensor x = variable(Tensor{{-infinity, -infinity}, {0.0, 0.0}});
  const Tensor valid{{false, false}, {true, false}};
  EXPECT_TRUE(near(grad(sum(where(valid, softmax(x), 0.0)), x), {0, 0, 0.25, -0.25}, 1e-15));
  EXPECT_TRUE(near(grad(sum(where(valid, log_softmax(x), 0.0)), x), {0, 0, 0.5, -0.5}, 1e-15));
}

}  // namespace
