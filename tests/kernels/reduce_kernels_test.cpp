// Values of the reductions against references computed plainly in float64: every set of axes, many extents around the
// widths and blocks of the kernels, and every layout an input can have.
#include <gtest/gtest.h>

#include <algorithm>
#include <autodiff/autodiff.hpp>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <tests/support/function.hpp>

using namespace xgrad;
using test::FunctionOf;

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
    if (std::find(axes.begin(), axes.end(), static_cast<std::int64_t>(i)) == axes.end())
      result.shape.push_back(x.shape()[i]);
  result.values.resize(static_cast<std::size_t>(size_of(result.kept_shape)));
  const std::vector<double> values = doubles(x);
  std::vector<std::int64_t> index(x.dim(), 0);
  for (const double value : values) {
    std::size_t group = 0;
    for (std::size_t i = 0; i < index.size(); ++i)
      group = group * static_cast<std::size_t>(result.kept_shape[i]) +
              static_cast<std::size_t>(result.kept_shape[i] == 1 ? 0 : index[i]);
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
  if (values.size() != expected.size())
    return testing::AssertionFailure() << values.size() << " values, not " << expected.size();
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

const std::vector<Shape> shapes = {{},         {1},         {2},          {15},      {16},       {17},      {33},
                                   {130},      {1000},      {4099},       {3, 5},    {1, 7},     {7, 1},    {17, 33},
                                   {40, 3},    {400, 10},   {90, 70},     {9, 1100}, {37, 1030}, {2, 3, 4}, {5, 1, 6},
                                   {3, 64, 9}, {4, 35, 21}, {6, 5, 4, 3}, {0},       {0, 3},     {3, 0},    {2, 0, 4}};

template <class T>
class ReduceValues : public testing::Test {
 protected:
  static constexpr DType dtype = dtype_of<T>;
  static constexpr double tolerance = std::is_same_v<T, float> ? 2e-6 : 1e-13;

  // Checks f for all shapes, layouts, and sets of axes, on values from `low` to 1.
  void expect(FunctionOf<const Axes&, bool> f, const Reference& reference, double low,
              bool of_nothing = true) {
    Generator generator(1);
    for (const Shape& shape : shapes)
      for (const auto& [layout, x] : layouts(generator.uniform(shape, low, 1, dtype)))
        for (const auto& axes : subsets(x.dim())) {
          const Groups expected = groups(x, axes);
          if (!of_nothing && std::any_of(axes.begin(), axes.end(), [&](auto axis) { return x.shape(axis) == 0; }))
            continue;
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
  void expect_along_axis(FunctionOf<std::int64_t> f,
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
  const Tensor x =
      Tensor{{-infinity, -infinity}, {infinity, 0.0},  {infinity, infinity},  {-infinity, 2.0},     {1000.0, 1000.0},
             {-1000.0, -1000.0},     {nan_value, 0.0}, {infinity, nan_value}, {-infinity, infinity}}
          .to(this->dtype);
  const double ln2 = std::log(2.0);
  EXPECT_TRUE(near(logsumexp(x, 1),
                   {-infinity, infinity, infinity, 2, 1000 + ln2, -1000 + ln2, nan_value, nan_value, infinity},
                   this->tolerance));
  EXPECT_TRUE(near(logsumexp(transpose(x) + 0.0, 0),
                   {-infinity, infinity, infinity, 2, 1000 + ln2, -1000 + ln2, nan_value, nan_value, infinity},
                   this->tolerance));
}

TYPED_TEST(ReduceValues, SoftmaxHoldsAtTheEndsOfTheRange) {
  const Tensor x =
      Tensor{{-infinity, -infinity}, {-infinity, 2.0}, {1e30, 1e30}, {1000.0, 0.0}, {infinity, 0.0}}.to(this->dtype);
  EXPECT_TRUE(near(softmax(x), {nan_value, nan_value, 0, 1, 0.5, 0.5, 1, 0, 1, 0}, this->tolerance));
  const double ln2 = std::log(2.0);
  EXPECT_TRUE(near(log_softmax(x), {nan_value, nan_value, -infinity, 0, -ln2, -ln2, 0, -1000, 0, -infinity},
                   this->tolerance));
}

TYPED_TEST(ReduceValues, EqualRowsGiveEqualBitsWhereverTheyStand) {
  Generator generator(4);
  for (const std::int64_t n : {1, 3, 10, 16, 31, 100, 1000, 5000}) {
    const Tensor rows = broadcast_to(generator.normal({1, n}, 0, 1, this->dtype), {37, n}) * 1.0;
    for (const Tensor& y : {softmax(rows), log_softmax(rows), sum(rows, 1, true), logsumexp(rows, 1, true)})
      ASSERT_TRUE(equal(y, y.slice(xt::range(0, 1))).sum().template item<std::int64_t>() == y.size())
          << n << " columns";
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

// What rounding pairwise sums may lose: a unit for each level of the tree. A running sum in float32 loses 1e-4 and more
// here.
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
    for (std::size_t j = 0; j < sums.size(); ++j)
      ASSERT_NEAR(sums[j] / sum_of(column_values.values[j]), 1, 3e-7) << columns << " columns";
  }
}

}  // namespace
