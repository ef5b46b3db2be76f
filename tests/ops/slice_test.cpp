// Slicing: as xtensor's views where those agree with NumPy, and as Python's ranges everywhere.
#define XGRAD_WITH_XT_VIEWS
#include <gtest/gtest.h>

#include <autodiff/autodiff.hpp>
#include <limits>
#include <optional>
#include <random>
#include <tests/support/values.hpp>

using namespace xgrad;
using namespace xgrad::test;
using namespace xt::placeholders;

namespace {

template <class E>
void expect_same(const Tensor& x, const E& expression) {
  EXPECT_EQ(x.shape(), Shape(expression.shape().begin(), expression.shape().end()));
  const xt::xarray<double, xt::layout_type::row_major> expected = expression;
  EXPECT_EQ(values(x), Values(expected.begin(), expected.end()));
}

TEST(Slice, AgreesWithXtensorsViews) {
  const Tensor x = numbered({4, 5, 6});
  const auto array = x.array<double>();
  const xt::xarray<double> a = array;
  expect_same(x.slice(1), xt::view(a, 1));
  expect_same(x.slice(1, 2), xt::view(a, 1, 2));
  expect_same(x.slice(xt::all(), 2), xt::view(a, xt::all(), 2));
  expect_same(x.slice(xt::range(1, 3)), xt::view(a, xt::range(1, 3)));
  expect_same(x.slice(xt::range(1, 4, 2), xt::all(), xt::range(0, 6, 3)),
              xt::view(a, xt::range(1, 4, 2), xt::all(), xt::range(0, 6, 3)));
  expect_same(x.slice(xt::range(_, 2), xt::range(3, _)), xt::view(a, xt::range(_, 2), xt::range(3, _)));
  expect_same(x.slice(xt::newaxis(), 1), xt::view(a, xt::newaxis(), 1));
  expect_same(x.slice(1, xt::newaxis(), xt::all(), xt::newaxis()),
              xt::view(a, 1, xt::newaxis(), xt::all(), xt::newaxis()));
  expect_same(x.slice(xt::ellipsis(), 2), xt::strided_view(a, {xt::ellipsis(), 2}));
  expect_same(x.slice(1, xt::ellipsis(), xt::range(1, 3)), xt::strided_view(a, {1, xt::ellipsis(), xt::range(1, 3)}));
  expect_same(x.slice(xt::range(_, _, 2)), xt::strided_view(a, {xt::range(_, _, 2)}));
  expect_same(x.slice(xt::range(3, 0, -1)), xt::strided_view(a, {xt::range(3, 0, -1)}));
  expect_same(x.slice(xt::range(_, _, -1), xt::all(), xt::range(_, _, -1)),
              xt::strided_view(a, {xt::range(_, _, -1), xt::all(), xt::range(_, _, -1)}));
}

TEST(Slice, TakesSlicesKnownAtRunTime) {
  const Tensor x = numbered({4, 5, 6});
  const std::vector<Slice> slices{xt::range(1, 3), 2, xt::all()};
  EXPECT_EQ(values(x.slice(slices)), values(x.slice(xt::range(1, 3), 2)));
  EXPECT_TRUE(x.slice(std::vector<Slice>{}).is(x));
  const std::size_t unsigned_index = 3;
  const std::int64_t from = 1, to = 2;
  EXPECT_EQ(x.slice(unsigned_index, xt::range(from, to)).shape(), (Shape{1, 6}));
}

/// What Python's x[start:stop:step] selects of n elements, by its definition (language reference, "Sequences").
Values selected(std::int64_t n, std::optional<std::int64_t> start, std::optional<std::int64_t> stop,
                std::int64_t step) {
  Values result;
  const auto bound = [n](std::int64_t at) { return at < 0 ? at + n : at; };
  if (step > 0) {
    const std::int64_t first = start ? std::max<std::int64_t>(bound(*start), 0) : 0, last = stop ? bound(*stop) : n;
    for (std::int64_t i = first; i < std::min(last, n); i += step) result.push_back(static_cast<double>(i + 1));
  } else {
    const std::int64_t first = start ? std::min(bound(*start), n - 1) : n - 1, last = stop ? bound(*stop) : -1;
    for (std::int64_t i = first; i > std::max<std::int64_t>(last, -1); i += step)
      result.push_back(static_cast<double>(i + 1));
  }
  return result;
}

TEST(Slice, RangesClampAsPythons) {
  for (const std::int64_t n : {0, 1, 2, 5})
    for (std::int64_t start = -8; start <= 8; ++start)
      for (std::int64_t stop = -8; stop <= 8; ++stop)
        for (const std::int64_t step : {-7, -3, -2, -1, 1, 2, 3, 7}) {
          const Tensor x = numbered({n});
          ASSERT_EQ(values(x.slice(xt::range(start, stop, step))), selected(n, start, stop, step))
              << n << ": " << start << ':' << stop << ':' << step;
          ASSERT_EQ(values(x.slice(xt::range(_, stop, step))), selected(n, {}, stop, step))
              << n << ": :" << stop << ':' << step;
          ASSERT_EQ(values(x.slice(xt::range(start, _, step))), selected(n, start, {}, step))
              << n << ": " << start << "::" << step;
          ASSERT_EQ(values(x.slice(xt::range(_, _, step))), selected(n, {}, {}, step));
          if (step == 1) {
            ASSERT_EQ(values(x.slice(xt::range(start, stop))), selected(n, start, stop, 1));
          }
        }
}

TEST(Slice, BoundsAndStepsMayBeAsLargeAsTheyAre) {
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max(),
                         least = std::numeric_limits<std::int64_t>::min();
  const Tensor x = numbered({5, 2});
  EXPECT_EQ(values(x.slice(xt::range(least, most))), values(x));
  EXPECT_EQ(values(x.slice(xt::range(1, most, most))), (Values{3, 4}));
  EXPECT_EQ(values(x.slice(xt::range(_, _, least))), (Values{9, 10}));
  EXPECT_EQ(values(x.slice(xt::range(most, least, -4))), (Values{9, 10, 1, 2}));
}

TEST(Slice, NegativeIndicesCountFromTheEnd) {
  const Tensor x = numbered({3, 4});
  EXPECT_EQ(values(x.slice(-1)), (Values{9, 10, 11, 12}));
  EXPECT_EQ(x.slice(-3, -4).item(), 1);
  EXPECT_THROW(x.slice(3), std::out_of_range);
  EXPECT_THROW(x.slice(-4), std::out_of_range);
  EXPECT_THROW(x.slice(0, 4), std::out_of_range);
  EXPECT_THROW(zeros({0}).slice(0), std::out_of_range);
}

TEST(Slice, SlicesOfSlicesAndOfOtherViews) {
  const Tensor x = numbered({6, 8});
  const Tensor y = x.slice(xt::range(_, _, -1), xt::range(1, _, 2)).slice(xt::range(1, _, 2), xt::range(_, _, -1));
  EXPECT_EQ(y.shape(), (Shape{3, 4}));
  EXPECT_EQ(values(y), (Values{40, 38, 36, 34, 24, 22, 20, 18, 8, 6, 4, 2}));
  EXPECT_EQ(values(transpose(x).slice(2)), (Values{3, 11, 19, 27, 35, 43}));
  EXPECT_EQ(values(broadcast_to(numbered({3}), {4, 3}).slice(xt::range(1, 3), 2)), (Values{3, 3}));
  EXPECT_EQ(y.data<double>(), y.data<double>());
}

TEST(Slice, CopiesNothing) {
  const Tensor x = numbered({4, 6}).evaluate();
  EXPECT_EQ(x.slice(2).data<double>(), x.data<double>() + 12);
  EXPECT_EQ(x.slice(xt::range(1, 3)).data<double>(), x.data<double>() + 6);
  EXPECT_EQ(x.slice(xt::newaxis(), 3, xt::range(2, 4)).data<double>(), x.data<double>() + 20);
  EXPECT_TRUE(x.slice(xt::all()).is(x));
  EXPECT_TRUE(x.slice(xt::ellipsis()).is(x));
  EXPECT_TRUE(x.slice(xt::range(0, 4), xt::range(_, _)).is(x));
}

TEST(Slice, EmptyPartsAreEmpty) {
  const Tensor x = numbered({4, 6});
  EXPECT_EQ(x.slice(xt::range(2, 2)).shape(), (Shape{0, 6}));
  EXPECT_EQ(x.slice(xt::range(9, 12), 1).shape(), Shape{0});
  EXPECT_EQ(sum(x.slice(xt::range(3, 1))).item(), 0);
  EXPECT_EQ(x.slice(xt::range(2, 2)).slice(xt::all(), xt::range(_, _, -2)).shape(), (Shape{0, 3}));
}

TEST(Slice, GradientsLieWhereTheSliceDoes) {
  Tensor x = numbered({3, 4}).set_requires_grad();
  const Tensor y = x.slice(xt::range(_, _, -2), xt::newaxis(), xt::range(1, 3));
  y.backward(Tensor{{{1.0, 2.0}}, {{3.0, 4.0}}});
  EXPECT_EQ(values(x.grad()), (Values{0, 3, 4, 0, 0, 0, 0, 0, 0, 1, 2, 0}));
  x.zero_grad();
  (x.slice(1, 1) * x.slice(-2, 1)).backward();  // the same element twice
  EXPECT_EQ(values(x.grad())[5], 12);
}

}  // namespace
