// Values of the reductions against references computed plainly in float64: every set of axes, many extents around the
// widths and blocks of the kernels, and every layout an input can have.
#include <gtest/gtest.h>

#include <algorithm>
#include <autodiff/autodiff.hpp>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

using namespace xgrad;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double nan_value = std::numeric_limits<double>::quiet_NaN();

std::vector<double> doubles(const Tensor& x) {
  const auto values = x.to(DType::float64).array<double>();
  return {values.begin(), values.end()};
}

// The values of `x` that each element of the result takes together, in order, and where each value went.
struct Groups {
  Shape shape, kept_shape;
  std::vector<std::vector<double>> values;
  std::vector<std::size_t> of;
};

Groups groups(const Tensor& x, const std::vector<std::int64_t>& axes) {
  Groups result;
  result.kept_shape = x.shape();
  for (const auto axis : axes) result.kept_shape[static_cast<std::size_t>(axis)] = 1;
  for (std::size_t i = 0; i < x.dim(); ++i)
    if (std::find(axes.begin(), axes.end(), static_cast<std::int64_t>(i)) == axes.end()) result.shape.push_back(x.shape()[i]);
  result.values.resize(static_cast<std::size_t>(size_of(result.kept_shape)));
  const std::vector<double> values = doubles(x);
  std::vector<std::int64_t> index(x.dim(), 0);
  for (const double value : values) {
    std::size_t group = 0;
    for (std::size_t i = 0; i < index.size(); ++i)
      group = group * static_cast<std::size_t>(result.kept_shape[i]) + static_cast<std::size_t>(result.kept_shape[i] == 1 ? 0 : index[i]);
    result.values[group].push_back(value);
    result.of.push_back(group);
    for (std::size_t i = index.size(); i-- > 0;) {
      if (++index[i] < x.shape()[i]) break;
      index[i] = 0;
    }
  }
  return result;
}

using Reference = std::function<double(const std::vector<double>&)>;

double sum_of(const std::vector<double>& v) { return static_cast<double>(std::accumulate(v.begin(), v.end(), 0.0L)); }
double mean_of(const std::vector<double>& v) { return sum_of(v) / static_cast<double>(v.size()); }
double max_of(const std::vector<double>& v) { return *std::max_element(v.begin(), v.end()); }
double min_of(const std::vector<double>& v) { return *std::min_element(v.begin(), v.end()); }
double logsumexp_of(const std::vector<double>& v) {
  if (v.empty()) return -infinity;
  const double largest = max_of(v);
  double sum = 0;
  for (const double value : v) sum += std::exp(value - largest);
  return largest + std::log(sum);
}

testing::AssertionResult near(const Tensor& actual, const std::vector<double>& expected, double tolerance) {
  const std::vector<double> values = doubles(actual);
  if (values.size() != expected.size()) return testing::AssertionFailure() << values.size() << " values, not " << expected.size();
  for (std::size_t i = 0; i < values.size(); ++i) {
    const bool same = values[i] == expected[i] || (std::isnan(values[i]) && std::isnan(expected[i]));
    if (!same && !(std::abs(values[i] - expected[i]) <= tolerance * std::max(1.0, std::abs(expected[i]))))
      return testing::AssertionFailure() << "element " << i << " is " << values[i] << ", not " << expected[i];
  }
  return testing::AssertionSuccess();
}

std::vector<std::vector<std::int64_t>> subsets(std::size_t rank) {
  std::vector<std::vector<std::int64_t>> result;
  for (unsigned bits = 0; bits < 1u << rank; ++bits) {
    result.emplace_back();
    for (std::size_t i = 0; i < rank; ++i)
      if (bits >> i & 1) result.back().push_back(static_cast<std::int64_t>(i));
  }
  return result;
}

// The same tensor and relatives of it whose strides are not row-major.
std::vector<std::pair<std::string, Tensor>> layouts(const Tensor& x) {
  std::vector<std::pair<std::string, Tensor>> result{{"contiguous", x}};
  if (x.dim() == 0) return result;
  using namespace xt::placeholders;
  result.emplace_back("sliced", x.slice(xt::range(_, _, 2)));
  result.emplace_back("backwards", x.slice(xt::range(_, _, -1)));
  result.emplace_back("inner axis sliced", x.slice(xt::ellipsis(), xt::range(1, _)));
  if (x.dim() > 1) {
    result.emplace_back("transposed", transpose(x));
    result.emplace_back("last axes exchanged", matrix_transpose(x));
  }
  if (x.size() > 3000) return result;
  Shape wider = x.shape();
  wider.insert(wider.begin(), 3);
  result.emplace_back("broadcast before", broadcast_to(x, wider));
  Shape deeper = x.shape();
  deeper.push_back(5);
  result.emplace_back("broadcast behind", broadcast_to(expand_dims(x, -1), deeper));
  return result;
}

const std::vector<Shape> shapes = {{},        {1},       {2},        {15},        {16},      {17},      {33},       {130},
                                   {1000},    {4099},    {3, 5},     {1, 7},      {7, 1},    {17, 33},  {40, 3},    {400, 10},
                                   {90, 70},  {9, 1100}, {37, 1030}, {2, 3, 4},   {5, 1, 6}, {3, 64, 9}, {4, 35, 21}, {6, 5, 4, 3},
                                   {0},       {0, 3},    {3, 0},     {2, 0, 4}};

template <class T>
class ReduceValues : public testing::Test {
 protected:
  static constexpr DType dtype = dtype_of<T>;
  static constexpr double tolerance = std::is_same_v<T, float> ? 2e-6 : 1e-13;

  // Checks f for all shapes, layouts, and sets of axes, on values from `low` to 1.
  void expect(Tensor (*f)(const Tensor&, const Axes&, bool), const Reference& reference, double low, bool of_nothing = true) {
    Generator generator(1);
    for (const Shape& shape : shapes)
      for (const auto& [layout, x] : layouts(generator.uniform(shape, low, 1, dtype)))
        for (const auto& axes : subsets(x.dim())) {
          const Groups expected = groups(x, axes);
          if (!of_nothing && std::any_of(axes.begin(), axes.end(), [&](auto axis) { return x.shape(axis) == 0; })) continue;
          std::vector<double> values;
          for (const auto& group : expected.values) values.push_back(reference(group));
          const Tensor y = f(x, Axes(axes), false), kept = f(x, Axes(axes), true);
          SCOPED_TRACE(layout + " " + to_string(x.shape()) + " reduced to " + to_string(expected.kept_shape));
          ASSERT_EQ(y.shape(), expected.shape);
          ASSERT_EQ(kept.shape(), expected.kept_shape);
          ASSERT_EQ(y.dtype(), dtype);
          ASSERT_TRUE(near(y, values, tolerance));
          ASSERT_TRUE(near(kept, values, tolerance));
        }
  }

  // Checks f for all shapes, layouts, and axes; the reference gets a value and the logsumexp of its line.
  void expect_along_axis(Tensor (*f)(const Tensor&, std::int64_t),
                         double (*reference)(double value, double logsumexp)) {
    Generator generator(2);
    for (const Shape& shape : shapes)
      for (const auto& [layout, x] : layouts(generator.normal(shape, 0, 3, dtype)))
        for (std::int64_t axis = 0; axis < static_cast<std::int64_t>(x.dim()); ++axis) {
          const Groups group = groups(x, {axis});
          std::vector<double> values = doubles(x), of_group;
          for (const auto& members : group.values) of_group.push_back(logsumexp_of(members));
          for (std::size_t i = 0; i < values.size(); ++i) values[i] = reference(values[i], of_group[group.of[i]]);
          SCOPED_TRACE(layout + " " + to_string(x.shape()) + " along " + std::to_string(axis));
          const Tensor y = f(x, axis);
          ASSERT_EQ(y.shape(), x.shape());
          ASSERT_EQ(y.dtype(), dtype);
          ASSERT_TRUE(near(y, values, tolerance));
        }
  }
};
using Floating = testing::Types<float, double>;
TYPED_TEST_SUITE(ReduceValues, Floating);

TYPED_TEST(ReduceValues, SumOverAnyAxes) { this->expect(sum, sum_of, 0); }
TYPED_TEST(ReduceValues, MeanOverAnyAxes) { this->expect(mean, mean_of, 0); }
TYPED_TEST(ReduceValues, MaxOverAnyAxes) { this->expect(max, max_of, -1, false); }
TYPED_TEST(ReduceValues, MinOverAnyAxes) { this->expect(min, min_of, -1, false); }
TYPED_TEST(ReduceValues, LogsumexpOverAnyAxes) { this->expect(logsumexp, logsumexp_of, -5); }

TYPED_TEST(ReduceValues, SoftmaxAlongAnyAxis) {
  this->expect_along_axis(softmax, [](double x, double logsumexp) { return std::exp(x - logsumexp); });
}
TYPED_TEST(ReduceValues, LogSoftmaxAlongAnyAxis) {
  this->expect_along_axis(log_softmax, [](double x, double logsumexp) { return x - logsumexp; });
}

TYPED_TEST(ReduceValues, ArgmaxIsTheFirstOfTheLargestAlongAnyAxis) {
  Generator generator(3);
  for (const Shape& shape : shapes)
    for (const auto& [layout, x] : layouts(generator.integers(shape, 0, 5).to(this->dtype)))
      for (std::int64_t axis = 0; axis < static_cast<std::int64_t>(x.dim()); ++axis) {
        if (x.shape(axis) == 0) continue;
        const Groups group = groups(x, {axis});
        std::vector<double> expected;
        for (const auto& values : group.values)
          expected.push_back(static_cast<double>(std::max_element(values.begin(), values.end()) - values.begin()));
        SCOPED_TRACE(layout + " " + to_string(x.shape()) + " along " + std::to_string(axis));
        ASSERT_EQ(argmax(x, axis).dtype(), DType::int64);
        ASSERT_EQ(argmax(x, axis).shape(), group.shape);
        ASSERT_EQ(argmax(x, axis, true).shape(), group.kept_shape);
        ASSERT_TRUE(near(argmax(x, axis), expected, 0));
      }
}

TYPED_TEST(ReduceValues, ANaNAnywhereIsTheExtreme) {
  for (const std::int64_t n : {1, 2, 3, 5, 9, 16, 17, 31, 40, 65, 70, 130})
    for (std::int64_t at = 0; at < n; ++at) {
      std::vector<double> values(static_cast<std::size_t>(n), 1.0);
      values[static_cast<std::size_t>(at)] = nan_value;
      values[static_cast<std::size_t>(n - 1 - at)] += at % 3;
      const Tensor row = Tensor(xt::adapt(values)).to(this->dtype);
      ASSERT_TRUE(std::isnan(max(row).item())) << at << " of " << n;
      ASSERT_TRUE(std::isnan(min(row).item())) << at << " of " << n;
      ASSERT_TRUE(std::isnan(logsumexp(row).item())) << at << " of " << n;
      ASSERT_EQ(argmax(row, 0).template item<int>(), at) << "of " << n;
      const Tensor columns = broadcast_to(reshape(row, {n, 1}), {n, 19}) * 1.0;
      ASSERT_TRUE(near(max(columns, 0), std::vector<double>(19, nan_value), 0)) << at << " of " << n;
      ASSERT_TRUE(near(min(columns, 0), std::vector<double>(19, nan_value), 0)) << at << " of " << n;
      ASSERT_TRUE(near(argmax(columns, 0), std::vector<double>(19, static_cast<double>(at)), 0)) << at << " of " << n;
    }
}

TYPED_TEST(ReduceValues, InfinitiesAreExtremesLikeOtherValues) {
  const Tensor x = Tensor{{1.0, -infinity, 3.0}, {infinity, 2.0, -infinity}}.to(this->dtype);
  EXPECT_TRUE(near(max(x, 1), {3, infinity}, 0));
  EXPECT_TRUE(near(min(x, 1), {-infinity, -infinity}, 0));
  EXPECT_TRUE(near(max(Tensor{-infinity, -infinity}.to(this->dtype)), {-infinity}, 0));
  EXPECT_EQ(argmax(Tensor{-infinity, -infinity}.to(this->dtype), 0).template item<int>(), 0);
}

TYPED_TEST(ReduceValues, LogsumexpHoldsAtTheEndsOfTheRange) {
  const Tensor x = Tensor{{-infinity, -infinity}, {infinity, 0.0}, {infinity, infinity}, {-infinity, 2.0}, {1000.0, 1000.0},
                          {-1000.0, -1000.0},     {nan_value, 0.0}, {infinity, nan_value}, {-infinity, infinity}}.to(this->dtype);
  const double ln2 = std::log(2.0);
  EXPECT_TRUE(near(logsumexp(x, 1), {-infinity, infinity, infinity, 2, 1000 + ln2, -1000 + ln2, nan_value, nan_value, infinity},
                   this->tolerance));
  EXPECT_TRUE(near(logsumexp(transpose(x) + 0.0, 0),
                   {-infinity, infinity, infinity, 2, 1000 + ln2, -1000 + ln2, nan_value, nan_value, infinity}, this->tolerance));
}

TYPED_TEST(ReduceValues, SoftmaxHoldsAtTheEndsOfTheRange) {
  const Tensor x = Tensor{{-infinity, -infinity}, {-infinity, 2.0}, {1e30, 1e30}, {1000.0, 0.0}, {infinity, 0.0}}.to(this->dtype);
  EXPECT_TRUE(near(softmax(x), {nan_value, nan_value, 0, 1, 0.5, 0.5, 1, 0, nan_value, nan_value}, this->tolerance));
  const double ln2 = std::log(2.0);
  EXPECT_TRUE(near(log_softmax(x), {nan_value, nan_value, -infinity, 0, -ln2, -ln2, 0, -1000, nan_value, nan_value}, this->tolerance));
}

TYPED_TEST(ReduceValues, EqualRowsGiveEqualBitsWhereverTheyStand) {
  Generator generator(4);
  for (const std::int64_t n : {1, 3, 10, 16, 31, 100, 1000, 5000}) {
    const Tensor rows = broadcast_to(generator.normal({1, n}, 0, 1, this->dtype), {37, n}) * 1.0;
    for (const Tensor& y : {softmax(rows), log_softmax(rows), sum(rows, 1, true), logsumexp(rows, 1, true)})
      ASSERT_TRUE(equal(y, y.slice(xt::range(0, 1))).sum().template item<std::int64_t>() == y.size()) << n << " columns";
  }
}

TYPED_TEST(ReduceValues, TheSameInputGivesTheSameBits) {
  Generator generator(5);
  const Tensor x = generator.normal({1001, 77}, 0, 1, this->dtype);
  for (const Axes& axes : {Axes(), Axes(0), Axes(1)}) {
    const Tensor again = Tensor(x.template array<TypeParam>());
    EXPECT_EQ(doubles(sum(x, axes)), doubles(sum(again, axes)));
    EXPECT_EQ(doubles(logsumexp(x, axes)), doubles(logsumexp(again, axes)));
  }
}

// What rounding pairwise sums may lose: a unit for each level of the tree. A running sum in float32 loses 1e-4 and more here.
TEST(Reduce, Float32SumsOfMillionsStayAccurate) {
  constexpr std::int64_t n = 1 << 20;
  Generator generator(6);
  for (const Tensor& x : {generator.uniform({n}, 0, 1), full({n}, 0.1)}) {
    const double exact = sum_of(doubles(x));
    EXPECT_NEAR(sum(x).item() / exact, 1, 3e-7);
    EXPECT_NEAR(mean(x).item() * n / exact, 1, 3e-7);
  }
  for (const std::int64_t columns : {1, 3, 10, 100}) {
    const Tensor x = generator.uniform({n / columns, columns});
    const Groups column_values = groups(x, {0});
    const auto sums = doubles(sum(x, 0));
    for (std::size_t j = 0; j < sums.size(); ++j) ASSERT_NEAR(sums[j] / sum_of(column_values.values[j]), 1, 3e-7) << columns << " columns";
  }
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
                                                 {"sum", [&] { sum(x, {0, 0}); }},
                                                 {"sum", [&] { sum(x, {1, -1}); }},
                                                 {"mean", [&] { mean(x, -3); }},
                                                 {"max", [&] { max(x, 5); }},
                                                 {"min", [&] { min(x, {0, 1, 2}); }},
                                                 {"logsumexp", [&] { logsumexp(x, 2); }},
                                                 {"argmax", [&] { argmax(x, 2); }},
                                                 {"softmax", [&] { softmax(x, -3); }},
                                                 {"softmax", [&] { softmax(Tensor(1.0)); }},
                                                 {"log_softmax", [&] { log_softmax(x, 2); }}})
    EXPECT_EQ(message_of<std::invalid_argument>(f).find(name + ": "), 0u) << message_of<std::invalid_argument>(f);
}

TEST(Reduce, AnUndefinedTensorThrows) {
  const Tensor undefined;
  for (const auto& f : std::vector<std::function<void()>>{
           [&] { sum(undefined); }, [&] { mean(undefined); }, [&] { max(undefined); }, [&] { min(undefined); },
           [&] { logsumexp(undefined); }, [&] { argmax(undefined, 0); }, [&] { softmax(undefined); }, [&] { log_softmax(undefined); }})
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
