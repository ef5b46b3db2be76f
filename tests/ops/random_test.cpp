#include <gtest/gtest.h>

#include <algorithm>
#include <autodiff/autodiff.hpp>
#include <autodiff/ops/random_engine.hpp>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <thread>

using namespace xgrad;

namespace {

template <Element T>
std::vector<T> values(const Tensor& x) {
  return {x.data<T>(), x.data<T>() + x.size()};
}

template <class T>
class RandomFloating : public testing::Test {
 protected:
  static constexpr DType dtype = dtype_of<T>;
};
using Floating = testing::Types<float, double>;
TYPED_TEST_SUITE(RandomFloating, Floating);

TYPED_TEST(RandomFloating, UniformStaysWithinItsBounds) {
  const double tiny = std::numeric_limits<TypeParam>::epsilon();
  for (const auto& [low, high] : std::vector<std::pair<double, double>>{
           {0, 1}, {-3, 5}, {0.1, 0.3}, {1, 1 + 2 * tiny}, {16777216, 16777220}, {-1e30, 1e30}}) {
    Generator generator(1);
    for (const TypeParam value : values<TypeParam>(generator.uniform({20000}, low, high, this->dtype))) {
      ASSERT_GE(value, low) << "in [" << low << ", " << high << ")";
      ASSERT_LT(value, high) << "in [" << low << ", " << high << ")";
    }
  }
}

TYPED_TEST(RandomFloating, UniformOfAnEmptyIntervalIsItsBound) {
  for (const TypeParam value : values<TypeParam>(Generator(1).uniform({10}, 0.5, 0.5, this->dtype)))
    EXPECT_EQ(value, 0.5);
}

// Bounds are five standard errors.
TYPED_TEST(RandomFloating, UniformHasItsMoments) {
  constexpr double n = 200000;
  const Tensor x = Generator(2).uniform({static_cast<std::int64_t>(n)}, -1, 3, this->dtype).to(DType::float64);
  const double mean_value = mean(x).item();
  EXPECT_NEAR(mean_value, 1, 5 * std::sqrt(16.0 / 12 / n));
  EXPECT_NEAR(mean(square(x - mean_value)).item(), 16.0 / 12, 5 * std::sqrt(1.0 / 5 - 1.0 / 9) * 4 / std::sqrt(n));
}

TYPED_TEST(RandomFloating, NormalHasItsMoments) {
  constexpr double n = 200001;
  const Tensor x = Generator(3).normal({static_cast<std::int64_t>(n)}, 2, 0.5, this->dtype).to(DType::float64);
  const Tensor z = (x - 2) / 0.5;
  EXPECT_NEAR(mean(z).item(), 0, 5 / std::sqrt(n));
  EXPECT_NEAR(mean(square(z)).item(), 1, 5 * std::sqrt(2 / n));
  EXPECT_NEAR(mean(z * z * z).item(), 0, 5 * std::sqrt(15 / n));
  EXPECT_NEAR(mean(square(square(z))).item(), 3, 5 * std::sqrt(96 / n));
  EXPECT_NEAR(mean((abs(z) < 1).to(DType::float64)).item(), std::erf(std::sqrt(0.5)), 5 * 0.5 / std::sqrt(n));
}

TYPED_TEST(RandomFloating, NeighboursOfANormalAreUncorrelated) {
  constexpr std::int64_t n = 200000;
  const Tensor x = Generator(4).normal({n}, 0, 1, this->dtype).to(DType::float64);
  for (const std::int64_t lag : {1, 2, 3})
    EXPECT_NEAR(mean(x.slice(xt::range(std::int64_t{0}, n - lag)) * x.slice(xt::range(lag, n))).item(), 0,
                5 / std::sqrt(n))
        << lag;
}

TYPED_TEST(RandomFloating, NormalWithoutDeviationIsItsMean) {
  for (const TypeParam value : values<TypeParam>(Generator(1).normal({5}, 2, 0, this->dtype))) EXPECT_EQ(value, 2);
}

TYPED_TEST(RandomFloating, DtypesDifferByRoundingOnly) {
  const auto as_double = values<double>(Generator(5).normal({101}, 0, 1, DType::float64));
  const auto as_given = values<TypeParam>(Generator(5).normal({101}, 0, 1, this->dtype));
  for (std::size_t i = 0; i < as_double.size(); ++i) EXPECT_EQ(as_given[i], static_cast<TypeParam>(as_double[i]));
}

TEST(Random, ShapesAndDtypesAreAsAsked) {
  Generator generator(1);
  EXPECT_EQ(generator.uniform({2, 3}).shape(), (Shape{2, 3}));
  EXPECT_EQ(generator.uniform({2, 3}).dtype(), DType::float32);
  EXPECT_EQ(generator.normal({}).shape(), Shape{});
  EXPECT_EQ(generator.normal({0, 4}, 0, 1, DType::float64).shape(), (Shape{0, 4}));
  EXPECT_EQ(generator.integers({4}, 0, 2).dtype(), DType::int64);
  EXPECT_EQ(generator.permutation(0).shape(), Shape{0});
  EXPECT_EQ(generator.permutation(7).dtype(), DType::int64);
  EXPECT_TRUE(generator.uniform({2}).is_leaf());
}

TEST(Random, TheSameSeedGivesTheSameValues) {
  const auto draw = [](std::uint64_t seed) {
    Generator generator(seed);
    std::vector<double> all;
    for (const Tensor& x : {generator.uniform({33}), generator.normal({33}), generator.integers({33}, -50, 50),
                            generator.permutation(33)}) {
      const auto part = values<double>(x.to(DType::float64));
      all.insert(all.end(), part.begin(), part.end());
    }
    return all;
  };
  EXPECT_EQ(draw(7), draw(7));
  EXPECT_NE(draw(7), draw(8));
}

// Fixed by the engine, which the standard defines to the bit: other libraries and machines give these too.
TEST(Random, ASeedMeansTheseValuesEverywhere) {
  EXPECT_EQ(values<double>(Generator(5489).uniform({2}, 0, 1, DType::float64)),
            (std::vector<double>{static_cast<double>(14514284786278117030ull >> 11) * 0x1p-53,
                                 static_cast<double>(4620546740167642908ull >> 11) * 0x1p-53}));
  EXPECT_EQ(values<std::int64_t>(Generator(5489).integers({2}, 0, 1000)), (std::vector<std::int64_t>{30, 908}));
}

TEST(Random, DrawsAdvanceTheGenerator) {
  Generator generator(1);
  EXPECT_NE(values<float>(generator.uniform({8})), values<float>(generator.uniform({8})));
}

TEST(Random, IntegersCoverTheirRangeEvenly) {
  constexpr std::int64_t n = 70000;
  std::vector<double> counts(7, 0);
  for (const std::int64_t value : values<std::int64_t>(Generator(6).integers({n}, -3, 4))) {
    ASSERT_GE(value, -3);
    ASSERT_LT(value, 4);
    ++counts[static_cast<std::size_t>(value + 3)];
  }
  for (const double count : counts) EXPECT_NEAR(count, n / 7.0, 5 * std::sqrt(n / 7.0));
}

TEST(Random, IntegersOfTheWidestRange) {
  constexpr auto lowest = std::numeric_limits<std::int64_t>::min(), highest = std::numeric_limits<std::int64_t>::max();
  const auto drawn = values<std::int64_t>(Generator(7).integers({1000}, lowest, highest));
  EXPECT_LT(*std::min_element(drawn.begin(), drawn.end()), lowest / 2);
  EXPECT_GT(*std::max_element(drawn.begin(), drawn.end()), highest / 2);
  for (const std::int64_t value : values<std::int64_t>(Generator(7).integers({10}, highest - 1, highest)))
    EXPECT_EQ(value, highest - 1);
}

TEST(Random, APermutationHoldsEveryIndexOnce) {
  for (const std::int64_t n : {0, 1, 2, 10, 1000}) {
    auto order = values<std::int64_t>(Generator(8).permutation(n));
    std::sort(order.begin(), order.end());
    for (std::int64_t i = 0; i < n; ++i) ASSERT_EQ(order[static_cast<std::size_t>(i)], i);
  }
}

TEST(Random, PermutationsAreEquallyLikely) {
  constexpr int draws = 60000;
  Generator generator(9);
  std::map<std::vector<std::int64_t>, int> counts;
  for (int i = 0; i < draws; ++i) ++counts[values<std::int64_t>(generator.permutation(3))];
  EXPECT_EQ(counts.size(), 6u);
  for (const auto& [order, count] : counts) EXPECT_NEAR(count, draws / 6.0, 5 * std::sqrt(draws / 6.0));
}

TEST(Random, TheDefaultGeneratorIsSeededWithZeroInEveryThread) {
  const auto expected = values<float>(Generator(0).uniform({4}));
  std::vector<float> drawn;
  std::thread([&] { drawn = values<float>(default_generator().uniform({4})); }).join();
  EXPECT_EQ(drawn, expected);
}

TEST(Random, ManualSeedSeedsTheDefaultGenerator) {
  manual_seed(3);
  EXPECT_EQ(values<float>(default_generator().uniform({4})), values<float>(Generator(3).uniform({4})));
}

TEST(Random, AGeneratorMovedFromThrowsUntilItIsAssignedTo) {
  Generator first(3), second = std::move(first);
  EXPECT_THROW(first.uniform({2}), std::logic_error);
  EXPECT_THROW(first.normal({2}), std::logic_error);
  EXPECT_THROW(first.integers({2}, 0, 5), std::logic_error);
  EXPECT_THROW(first.permutation(2), std::logic_error);
  EXPECT_THROW(Generator(first).uniform({2}), std::logic_error);
  first = second;
  EXPECT_EQ(values<float>(first.uniform({3})), values<float>(second.uniform({3})));
  second = std::move(first);
  second = first;
  EXPECT_THROW(second.engine(), std::logic_error);
}

TEST(Random, BadArgumentsThrowAndDrawNothing) {
  constexpr double infinity = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  Generator generator(1);
  using Case = std::pair<std::string, std::function<void()>>;
  for (const auto& [name, f] : std::vector<Case>{{"uniform", [&] { generator.uniform({2}, 1, 0); }},
                                                 {"uniform", [&] { generator.uniform({2}, 0, infinity); }},
                                                 {"uniform", [&] { generator.uniform({2}, nan, 1); }},
                                                 {"uniform", [&] { generator.uniform({2}, 0, 1e300); }},
                                                 {"uniform", [&] { generator.uniform({2}, 0, 1, DType::int64); }},
                                                 {"uniform", [&] { generator.uniform({-1}); }},
                                                 {"normal", [&] { generator.normal({2}, 0, -1); }},
                                                 {"normal", [&] { generator.normal({2}, 0, nan); }},
                                                 {"normal", [&] { generator.normal({2}, infinity, 1); }},
                                                 {"normal", [&] { generator.normal({2}, 0, 1, DType::bool_); }},
                                                 {"normal", [&] { generator.normal({-1}); }},
                                                 {"integers", [&] { generator.integers({2}, 5, 5); }},
                                                 {"integers", [&] { generator.integers({2}, 5, 4); }},
                                                 {"integers",
                                                  [&] {
                                                    generator.integers({2, -3}, 0, 4);
                                                  }},
                                                 {"permutation", [&] { generator.permutation(-1); }}}) {
    try {
      f();
      ADD_FAILURE() << name << " threw nothing";
    } catch (const std::invalid_argument& error) {
      EXPECT_EQ(std::string(error.what()).find(name + ": "), 0u) << error.what();
    }
  }
  EXPECT_TRUE(generator.engine() == Generator(1).engine());
}

}  // namespace
