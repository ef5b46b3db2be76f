#include <gtest/gtest.h>

#include <autodiff/autodiff.hpp>
#include <functional>
#include <limits>

using namespace xgrad;

namespace {

std::vector<double> values(const Tensor& x) {
  const auto array = x.to(DType::float64).array<double>();
  return {array.begin(), array.end()};
}

using Values = std::vector<double>;

TEST(Create, FullHoldsItsValueEverywhere) {
  for (const DType dtype : {DType::int64, DType::float32, DType::float64}) {
    EXPECT_EQ(values(full({2, 3}, 7, dtype)), Values(6, 7));
    EXPECT_EQ(full({2, 3}, 7, dtype).dtype(), dtype);
    EXPECT_EQ(full({2, 3}, 7, dtype).shape(), (Shape{2, 3}));
  }
  EXPECT_EQ(values(full({2}, 0.5, DType::bool_)), Values(2, 1));
  EXPECT_EQ(values(full({2}, -1.9, DType::int64)), Values(2, -1));
  EXPECT_EQ(full({}, 2).item(), 2);
  EXPECT_EQ(full({0, 2}, 2).shape(), (Shape{0, 2}));
  EXPECT_EQ(values(zeros({3})), Values(3, 0));
  EXPECT_EQ(values(ones({3})), Values(3, 1));
  EXPECT_EQ(zeros({3}).dtype(), DType::float32);
}

TEST(Create, FullStoresItsValueOnce) {
  const std::size_t before = memory_statistics().in_use;
  const Tensor x = ones({1000, 1000, 1000}, DType::float64);
  EXPECT_LT(memory_statistics().in_use, before + 1000000);
  EXPECT_EQ(x.slice(999, 999, 999).item(), 1);
}

TEST(Create, FullIsALeafThatCanGatherGradients) {
  Tensor x = zeros({2, 2}).set_requires_grad();
  EXPECT_TRUE(x.is_leaf());
  sum(x * full({2, 2}, 3)).backward();
  EXPECT_EQ(values(x.grad()), Values(4, 3));
  x.assign(Tensor{{1.0, 2.0}, {3.0, 4.0}});
  EXPECT_EQ(values(x), (Values{1, 2, 3, 4}));
  EXPECT_EQ(values(zeros({2, 2})), Values(4, 0));
}

TEST(Create, LikeTakesShapeAndDtype) {
  const Tensor x = zeros({2, 3}, DType::int64);
  EXPECT_EQ(ones_like(x).shape(), x.shape());
  EXPECT_EQ(ones_like(x).dtype(), DType::int64);
  EXPECT_EQ(values(ones_like(x)), Values(6, 1));
  EXPECT_EQ(values(zeros_like(ones_like(x))), Values(6, 0));
  EXPECT_THROW(zeros_like(Tensor()), std::logic_error);
  EXPECT_THROW(ones_like(Tensor()), std::logic_error);
}

TEST(Create, ArangeStopsBeforeItsEnd) {
  EXPECT_EQ(values(arange(0, 4)), (Values{0, 1, 2, 3}));
  EXPECT_EQ(values(arange(1, 2, 0.25)), (Values{1, 1.25, 1.5, 1.75}));
  EXPECT_EQ(values(arange(5, 0, -2)), (Values{5, 3, 1}));
  EXPECT_EQ(values(arange(0, 2.5)), (Values{0, 1, 2}));
  EXPECT_EQ(arange(3, 3).shape(), Shape{0});
  EXPECT_EQ(arange(3, 0).shape(), Shape{0});
  EXPECT_EQ(arange(0, 3).dtype(), DType::float32);
  EXPECT_EQ(arange(0, 3, 1, DType::int64).dtype(), DType::int64);
  EXPECT_EQ(values(arange(-2, 2, 1, DType::int64)), (Values{-2, -1, 0, 1}));
}

TEST(Create, LinspaceHoldsBothEnds) {
  EXPECT_EQ(values(linspace(0, 1, 5)), (Values{0, 0.25, 0.5, 0.75, 1}));
  EXPECT_EQ(values(linspace(1, 0, 3)), (Values{1, 0.5, 0}));
  EXPECT_EQ(values(linspace(2, 9, 1)), (Values{2}));
  EXPECT_EQ(linspace(2, 9, 0).shape(), Shape{0});
  EXPECT_EQ(values(linspace(0, 5, 3, DType::int64)), (Values{0, 2, 5}));
  const Tensor x = linspace(0.1, 0.7, 1001, DType::float64);
  EXPECT_EQ(x.slice(0).item(), 0.1);
  EXPECT_EQ(x.slice(1000).item(), 0.7);
  for (std::int64_t i = 0; i < 1001; ++i)
    ASSERT_NEAR(x.slice(i).item(), 0.1 + 0.6 * static_cast<double>(i) / 1000, 1e-15);
}

TEST(Create, EyeHasOnesOnItsDiagonal) {
  EXPECT_EQ(values(eye(3)), (Values{1, 0, 0, 0, 1, 0, 0, 0, 1}));
  EXPECT_EQ(values(eye(2, DType::bool_)), (Values{1, 0, 0, 1}));
  EXPECT_EQ(eye(0).shape(), (Shape{0, 0}));
  EXPECT_EQ(eye(2, DType::float64).dtype(), DType::float64);
}

TEST(Create, BadArgumentsThrow) {
  constexpr double infinity = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  using Case = std::pair<std::string, std::function<void()>>;
  for (const auto& [message, f] : std::vector<Case>{{"zeros: ",
                                                     [] {
                                                       zeros({2, -1});
                                                     }},
                                                    {"ones: ", [] { ones({-1}); }},
                                                    {"full: ", [] { full({-1}, 1); }},
                                                    {"full: ",
                                                     [] {
                                                       full({std::int64_t{1} << 40, std::int64_t{1} << 40}, 1);
                                                     }},
                                                    {"full: ", [] { full({2}, nan, DType::int64); }},
                                                    {"full: ", [] { full({2}, 1e19, DType::int64); }},
                                                    {"arange: the step must not be 0", [] { arange(0, 1, 0); }},
                                                    {"arange: ", [] { arange(0, infinity); }},
                                                    {"arange: ", [] { arange(0, 1, nan); }},
                                                    {"arange: ", [] { arange(0, 1e300, 1e-300); }},
                                                    {"arange: ", [] { arange(0, 2, 1, DType::bool_); }},
                                                    {"arange: ", [] { arange(1e19, 2e19, 1e19, DType::int64); }},
                                                    {"linspace: ", [] { linspace(0, 1, -1); }},
                                                    {"linspace: ", [] { linspace(0, infinity, 3); }},
                                                    {"eye: ", [] { eye(-1); }}}) {
    try {
      f();
      ADD_FAILURE() << message << "nothing thrown";
    } catch (const std::invalid_argument& error) {
      EXPECT_EQ(std::string(error.what()).find(message), 0u) << error.what();
    }
  }
}

}  // namespace
