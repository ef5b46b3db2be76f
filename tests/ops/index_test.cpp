// take, take_along_axis, index_add, scatter_add, one_hot against plain loops.
#include <gtest/gtest.h>

#include <autodiff/autodiff.hpp>
#include <functional>
#include <random>
#include <tests/support/values.hpp>

using namespace xgrad;
using namespace xgrad::test;
using namespace xt::placeholders;

namespace {

constexpr DType numbers[] = {DType::int64, DType::float32, DType::float64};

/// Row-major position in `shape` of the element at `flat` in `from`, with another index along `axis`.
std::size_t moved(std::int64_t flat, const Shape& from, const Shape& to, std::size_t axis, std::int64_t index) {
  std::vector<std::int64_t> at(from.size());
  for (std::size_t i = from.size(); i-- > 0; flat /= from[i]) at[i] = flat % from[i];
  at[axis] = index < 0 ? index + to[axis] : index;
  std::int64_t result = 0;
  for (std::size_t i = 0; i < to.size(); ++i) result = result * to[i] + at[i];
  return static_cast<std::size_t>(result);
}

Tensor random_indices(const Shape& shape, std::int64_t extent, std::uint64_t seed) {
  return Generator(seed).integers(shape, -extent, extent);
}

// ---- take ----

TEST(Index, TakeSelectsAlongAnAxis) {
  const Tensor x = numbered({3, 4});
  EXPECT_EQ(values(take(x, Tensor{2, 0, 2})), (Values{9, 10, 11, 12, 1, 2, 3, 4, 9, 10, 11, 12}));
  EXPECT_EQ(values(take(x, Tensor{-1, 1}, 1)), (Values{4, 2, 8, 6, 12, 10}));
  EXPECT_EQ(values(take(x, Tensor{-1, 1}, -1)), (Values{4, 2, 8, 6, 12, 10}));
  for (const DType dtype : {DType::bool_, DType::int64, DType::float32, DType::float64})
    EXPECT_EQ(take(ones({3}, dtype), Tensor{0}).dtype(), dtype);
}

TEST(Index, TheShapeOfIndicesTakesThePlaceOfTheAxis) {
  const Tensor x = numbered({2, 3, 4});
  EXPECT_EQ(take(x, Tensor{{0, 1}, {2, 0}, {1, 1}}, 1).shape(), (Shape{2, 3, 2, 4}));
  EXPECT_EQ(take(x, Tensor(1), 1).shape(), (Shape{2, 4}));
  EXPECT_EQ(values(take(x, Tensor(1), 1)), values(x.slice(xt::all(), 1)));
  EXPECT_EQ(take(x, zeros({0}, DType::int64), 2).shape(), (Shape{2, 3, 0}));
  EXPECT_EQ(take(zeros({3, 0}), Tensor{1, 1}).shape(), (Shape{2, 0}));
  EXPECT_EQ(take(zeros({0, 3}), zeros({0}, DType::int64)).shape(), (Shape{0, 3}));
}

TEST(Index, TakeOfStridedTensorsAndIndices) {
  const Tensor x = transpose(numbered({4, 3})).slice(xt::range(_, _, -1)),
               indices = Tensor{9, 0, 9, 2, 9, 1}.slice(xt::range(1, _, 2));
  EXPECT_EQ(values(take(x, indices)), (Values{3, 6, 9, 12, 1, 4, 7, 10, 2, 5, 8, 11}));
  EXPECT_EQ(values(take(broadcast_to(numbered({1, 2}), {5, 2}), Tensor{4, 0})), (Values{1, 2, 1, 2}));
  EXPECT_EQ(values(take(numbered({3}), broadcast_to(Tensor(1), {4}))), Values(4, 2));
}

TEST(Index, TakeAgreesWithLoops) {
  for (const DType dtype : numbers)
    for (std::size_t axis = 0; axis < 3; ++axis) {
      const Shape from{3, 5, 4};
      const Tensor x = numbered(from, dtype), indices = random_indices({7}, from[axis], axis);
      Shape to = from;
      to[axis] = 7;
      const Values all = values(x), index = values(indices);
      Values expected;
      for (std::int64_t flat = 0; flat < size_of(to); ++flat) {
        std::int64_t along = flat;
        for (std::size_t i = 2; i > axis; --i) along /= to[i];
        expected.push_back(
            all[moved(flat, to, from, axis, static_cast<std::int64_t>(index[static_cast<std::size_t>(along % 7)]))]);
      }
      EXPECT_EQ(values(take(x, indices, static_cast<std::int64_t>(axis))), expected);
    }
}

// ---- take_along_axis and its transpose ----

TEST(Index, TakeAlongAxisAgreesWithLoops) {
  for (const DType dtype : numbers)
    for (std::size_t axis = 0; axis < 3; ++axis) {
      const Shape from{3, 5, 4};
      Shape to = from;
      to[axis] = 6;
      const Tensor x = numbered(from, dtype), indices = random_indices(to, from[axis], axis);
      const Values all = values(x), index = values(indices);
      Values expected;
      for (std::int64_t flat = 0; flat < size_of(to); ++flat)
        expected.push_back(
            all[moved(flat, to, from, axis, static_cast<std::int64_t>(index[static_cast<std::size_t>(flat)]))]);
      EXPECT_EQ(values(take_along_axis(x, indices, static_cast<std::int64_t>(axis))), expected);
      EXPECT_EQ(values(take_along_axis(x, indices, static_cast<std::int64_t>(axis) - 3)), expected);
    }
}

TEST(Index, TakeAlongAxisBroadcastsTheOtherAxes) {
  const Tensor x = numbered({3, 4});
  EXPECT_EQ(values(take_along_axis(x, Tensor{{0}, {1}, {-1}})), (Values{1, 6, 12}));
  EXPECT_EQ(values(take_along_axis(x, Tensor{{3, 0}}, 1)), (Values{4, 1, 8, 5, 12, 9}));
  EXPECT_EQ(values(take_along_axis(numbered({1, 3}), Tensor{{0}, {2}}, 1)), (Values{1, 3}));
  EXPECT_EQ(take_along_axis(x, zeros({3, 0}, DType::int64)).shape(), (Shape{3, 0}));
}

TEST(Index, ScatterAddAgreesWithLoops) {
  for (const DType dtype : numbers)
    for (std::size_t axis = 0; axis < 3; ++axis) {
      const Shape to{3, 5, 4};
      Shape from = to;
      from[axis] = 6;
      const Tensor x = numbered(to, dtype), source = numbered(from, dtype),
                   indices = random_indices(from, to[axis], axis);
      Values expected = values(x);
      const Values all = values(source), index = values(indices);
      for (std::int64_t flat = 0; flat < size_of(from); ++flat)
        expected[moved(flat, from, to, axis, static_cast<std::int64_t>(index[static_cast<std::size_t>(flat)]))] +=
            all[static_cast<std::size_t>(flat)];
      EXPECT_EQ(values(scatter_add(x, indices, source, static_cast<std::int64_t>(axis))), expected);
      EXPECT_EQ(values(x), values(numbered(to, dtype)));  // a copy was added to
    }
}

TEST(Index, IndexAddAgreesWithLoops) {
  for (const DType dtype : numbers)
    for (std::size_t axis = 0; axis < 3; ++axis) {
      const Shape to{3, 5, 4};
      Shape from = to;
      from[axis] = 7;
      const Tensor x = numbered(to, dtype), source = numbered(from, dtype),
                   indices = random_indices({7}, to[axis], axis);
      Values expected = values(x);
      const Values all = values(source), index = values(indices);
      for (std::int64_t flat = 0; flat < size_of(from); ++flat) {
        std::int64_t along = flat;
        for (std::size_t i = 2; i > axis; --i) along /= from[i];
        expected[moved(flat, from, to, axis, static_cast<std::int64_t>(index[static_cast<std::size_t>(along % 7)]))] +=
            all[static_cast<std::size_t>(flat)];
      }
      EXPECT_EQ(values(index_add(x, indices, source, static_cast<std::int64_t>(axis))), expected);
    }
}

TEST(Index, SumsGoIntoConstantsStridedAndEmptyTensors) {
  EXPECT_EQ(values(index_add(zeros({3}), Tensor{0, 0, -1}, Tensor{1.0f, 2.0f, 4.0f})), (Values{3, 0, 4}));
  EXPECT_EQ(values(index_add(transpose(numbered({2, 3})), Tensor{1}, Tensor{{10.0, 20.0}})),
            (Values{1, 4, 12, 25, 3, 6}));
  EXPECT_EQ(values(index_add(numbered({3}), zeros({0}, DType::int64), zeros({0}))), (Values{1, 2, 3}));
  EXPECT_EQ(values(scatter_add(zeros({2, 2}), Tensor{{1}, {1}}, Tensor{{5.0f}, {6.0f}})), (Values{0, 5, 0, 6}));
  EXPECT_EQ(index_add(zeros({0, 2}), zeros({0}, DType::int64), zeros({0, 2})).shape(), (Shape{0, 2}));
  EXPECT_EQ(values(scatter_add(zeros({2}), Tensor{0, 0}, broadcast_to(Tensor(1.0f), {2}))), (Values{2, 0}));
}

TEST(Index, SumsPromote) {
  EXPECT_EQ(index_add(zeros({2}), Tensor{0}, Tensor{1.0}).dtype(), DType::float64);
  EXPECT_EQ(scatter_add(zeros({2}, DType::int64), Tensor{0}, Tensor{1.5f}).dtype(), DType::float64);
}

// ---- one_hot ----

TEST(Index, OneHotMarksTheClass) {
  EXPECT_EQ(values(one_hot(Tensor{2, 0}, 3)), (Values{0, 0, 1, 1, 0, 0}));
  EXPECT_EQ(one_hot(Tensor{{2, 0}}, 3).shape(), (Shape{1, 2, 3}));
  EXPECT_EQ(one_hot(Tensor(1), 3).shape(), Shape{3});
  EXPECT_EQ(one_hot(Tensor{1}, 3).dtype(), DType::float32);
  EXPECT_EQ(one_hot(Tensor{1}, 3, DType::bool_).dtype(), DType::bool_);
  EXPECT_EQ(one_hot(zeros({0}, DType::int64), 3).shape(), (Shape{0, 3}));
}

// ---- when and what of errors ----

TEST(Index, IndicesOutOfRangeAreRefusedAtTheCall) {
  const Tensor x = numbered({3, 4});
  EXPECT_THROW(take(x, Tensor{0, 3}), std::out_of_range);
  EXPECT_THROW(take(x, Tensor{-4}), std::out_of_range);
  EXPECT_THROW(take(x, Tensor{4}, 1), std::out_of_range);
  EXPECT_THROW(take(zeros({0}), Tensor{0}), std::out_of_range);
  EXPECT_THROW(take_along_axis(x, Tensor{{4}, {0}, {0}}), std::out_of_range);
  EXPECT_THROW(index_add(x, Tensor{3}, ones({1, 4})), std::out_of_range);
  EXPECT_THROW(scatter_add(x, Tensor{{4}, {0}, {0}}, ones({3, 1})), std::out_of_range);
  EXPECT_THROW(one_hot(Tensor{3}, 3), std::out_of_range);
  EXPECT_THROW(one_hot(Tensor{-1}, 3), std::out_of_range);
  const Tensor computed = Tensor{1, 2} + 1;  // not computed yet
  EXPECT_THROW(take(x, computed), std::out_of_range);
}

TEST(Index, RepeatedIndicesAddTheirCotangents) {
  Tensor x = numbered({3}).set_requires_grad();
  take(x, Tensor{1, 1, -1, 1}).backward(Tensor{1.0, 10.0, 100.0, 1000.0});
  EXPECT_EQ(values(x.grad()), (Values{0, 1011, 100}));
}

}  // namespace
