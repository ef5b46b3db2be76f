// Values of matmul against plain loops, for operands that lie in memory in every way. All values are small whole
// numbers, so that results are exact in every dtype.
#include <gtest/gtest.h>

#include <autodiff/autodiff.hpp>
#include <cmath>
#include <limits>
#include <tests/support/values.hpp>

using namespace xgrad;
using namespace xgrad::test;
using namespace xt::placeholders;

namespace {

/// -3 … 3 in turn, starting anywhere.
Tensor small(const Shape& shape, DType dtype, std::int64_t first = 0) {
  return detail::make_leaf(shape, DType::float64,
                           [&](void* data) {
                             for (std::int64_t i = 0, n = size_of(shape); i < n; ++i)
                               static_cast<double*>(data)[i] = static_cast<double>((i * 5 + first) % 7 - 3);
                           })
      .to(dtype)
      .evaluate()
      .detach();
}

std::int64_t at(const Strides& strides, const Shape& shape, std::int64_t batch, const Shape& batch_shape) {
  std::int64_t offset = 0;
  const std::size_t rank = shape.size() - 2;
  for (std::size_t i = batch_shape.size(); i-- > 0; batch /= batch_shape[i]) {
    const std::size_t missing = batch_shape.size() - rank;
    if (i >= missing && shape[i - missing] != 1) offset += batch % batch_shape[i] * strides[i - missing];
  }
  return offset;
}

/// The product by the definition, and its shape.
std::pair<Values, Shape> product(const Tensor& a, const Tensor& b) {
  const Values x = values(a), y = values(b);
  Shape left = a.shape(), right = b.shape();
  if (a.dim() == 1) left = {1, left[0]};
  if (b.dim() == 1) right = {right[0], 1};
  const Shape left_batch(left.begin(), left.end() - 2), right_batch(right.begin(), right.end() - 2);
  Shape shape = broadcast_shapes("reference", left_batch, right_batch);
  const std::int64_t n = left[left.size() - 2], k = left.back(), m = right.back();
  const Strides left_strides = contiguous_strides(left), right_strides = contiguous_strides(right);
  Values result;
  for (std::int64_t batch = 0; batch < size_of(shape); ++batch) {
    const std::int64_t from_x = at(left_strides, left, batch, shape), from_y = at(right_strides, right, batch, shape);
    for (std::int64_t i = 0; i < n; ++i)
      for (std::int64_t j = 0; j < m; ++j) {
        double total = 0;
        for (std::int64_t l = 0; l < k; ++l)
          total += x[static_cast<std::size_t>(from_x + i * k + l)] * y[static_cast<std::size_t>(from_y + l * m + j)];
        result.push_back(total);
      }
  }
  if (a.dim() > 1) shape.push_back(n);
  if (b.dim() > 1) shape.push_back(m);
  return {result, shape};
}

void expect_product(const Tensor& a, const Tensor& b, const std::string& what = "") {
  const auto [expected, shape] = product(a, b);
  const Tensor c = matmul(a, b);
  ASSERT_EQ(c.shape(), shape) << what;
  ASSERT_EQ(c.dtype(), promote(a.dtype(), b.dtype()));
  ASSERT_EQ(values(c), expected) << what << ' ' << to_string(a.shape()) << " x " << to_string(b.shape()) << ' '
                                 << name_of(c.dtype());
}

/// Matrices (or stacks of them) of one shape that lie in memory differently, with names.
std::vector<std::pair<std::string, Tensor>> layouts(const Shape& shape, DType dtype) {
  std::vector<std::pair<std::string, Tensor>> result;
  const std::size_t rank = shape.size();
  Shape swapped = shape, wide = shape, tall = shape, large = shape, row = shape, column = shape;
  std::swap(swapped[rank - 2], swapped[rank - 1]);
  wide[rank - 1] *= 2;
  tall[rank - 2] *= 3;
  large[rank - 2] += 3;
  large[rank - 1] += 4;
  row[rank - 2] = 1;
  column[rank - 1] = 1;
  const auto rows = xt::range(_, _, -1);
  result.emplace_back("contiguous", small(shape, dtype, 1));
  result.emplace_back("transposed", matrix_transpose(small(swapped, dtype, 2)));
  result.emplace_back("part of a larger one",
                      small(large, dtype, 3)
                          .slice(xt::ellipsis(), xt::range(2, 2 + shape[rank - 2]), xt::range(3, 3 + shape[rank - 1])));
  result.emplace_back("every second column", small(wide, dtype, 4).slice(xt::ellipsis(), xt::range(1, _, 2)));
  result.emplace_back("every third row", small(tall, dtype, 5).slice(xt::ellipsis(), xt::range(_, _, 3), xt::all()));
  result.emplace_back("rows backwards", small(shape, dtype, 6).slice(xt::ellipsis(), rows, xt::all()));
  result.emplace_back("columns backwards", small(shape, dtype, 0).slice(xt::ellipsis(), xt::all(), rows));
  result.emplace_back("part of a transposed one",
                      matrix_transpose(small(swapped, dtype, 1)).slice(xt::ellipsis(), rows, xt::range(_, _, 1)));
  result.emplace_back("one row repeated", broadcast_to(small(row, dtype, 2), shape));
  result.emplace_back("one column repeated", broadcast_to(small(column, dtype, 3), shape));
  result.emplace_back("constant", full(shape, 2, dtype));
  return result;
}

TEST(MatMul, OperandsMayLieInMemoryAnyhow) {
  constexpr std::int64_t sizes[][3] = {{1, 1, 1}, {1, 5, 1},    {4, 5, 6}, {1, 5, 6}, {4, 5, 1}, {4, 1, 6},
                                       {2, 2, 2}, {33, 17, 40}, {4, 0, 3}, {0, 3, 2}, {2, 3, 0}};
  for (const DType dtype : {DType::float32, DType::float64, DType::int64})
    for (const auto& [n, k, m] : sizes)
      for (const auto& [a_name, a] : layouts({n, k}, dtype))
        for (const auto& [b_name, b] : layouts({k, m}, dtype)) expect_product(a, b, a_name + " x " + b_name);
}

TEST(MatMul, StacksMayLieInMemoryAnyhow) {
  for (const DType dtype : {DType::float32, DType::int64})
    for (const Shape& right : {Shape{4, 5}, Shape{3, 4, 5}, Shape{1, 4, 5}, Shape{2, 1, 4, 5}})
      for (const auto& [a_name, a] : layouts({3, 2, 4}, dtype))
        for (const auto& [b_name, b] : layouts(right, dtype)) expect_product(a, b, a_name + " x " + b_name);
}

TEST(MatMul, LeadingAxesBroadcast) {
  const std::pair<Shape, Shape> pairs[] = {{{2, 3, 4}, {4, 5}},    {{3, 4}, {2, 4, 5}},    {{2, 1, 3, 4}, {6, 4, 5}},
                                           {{2, 3, 4}, {2, 4, 5}}, {{1, 3, 4}, {7, 4, 5}}, {{5, 1, 1, 4}, {1, 3, 4, 1}},
                                           {{4, 2, 3, 4}, {4, 5}}, {{0, 3, 4}, {4, 5}},    {{0, 3, 4}, {1, 4, 5}},
                                           {{2, 3, 0}, {0, 5}},    {{2, 3, 0}, {2, 0, 5}}, {{2, 0, 4}, {4, 5}},
                                           {{3, 2, 4}, {3, 4, 0}}};
  for (const auto& [left, right] : pairs)
    for (const DType dtype : {DType::float64, DType::int64})
      expect_product(small(left, dtype, 1), small(right, dtype, 2));
}

TEST(MatMul, VectorsAreRowsOnTheLeftAndColumnsOnTheRight) {
  const std::pair<Shape, Shape> pairs[] = {{{4}, {4}},       {{1}, {1}},       {{4}, {4, 5}},       {{3, 4}, {4}},
                                           {{4}, {2, 4, 5}}, {{2, 3, 4}, {4}}, {{5, 2, 3, 4}, {4}}, {{0}, {0}},
                                           {{0}, {0, 3}},    {{3, 0}, {0}}};
  for (const auto& [left, right] : pairs)
    for (const DType dtype : {DType::float32, DType::float64, DType::int64})
      expect_product(small(left, dtype, 1), small(right, dtype, 2));
  EXPECT_EQ(matmul(ones({3}), ones({3})).shape(), Shape{});
  EXPECT_EQ(matmul(zeros({0}), zeros({0})).item(), 0);
}

TEST(MatMul, VectorsMayBeStrided) {
  const Tensor grid = small({6, 8}, DType::float64, 1), matrix = small({4, 3}, DType::float64, 2),
               square = small({6, 6}, DType::float64, 3);
  const Tensor vectors[] = {grid.slice(xt::range(1, 5), 3), grid.slice(2, xt::range(_, _, -2)),
                            grid.slice(xt::range(4, 0, -1), 7), broadcast_to(Tensor(2.0), {4}),
                            small({9}, DType::float64).slice(xt::range(1, _, 2))};
  for (const Tensor& v : vectors) {
    expect_product(v, matrix);
    expect_product(matrix.transpose(), v);
    expect_product(v, v);
    expect_product(square.slice(xt::range(_, _, -1), xt::range(1, 5)), v);
  }
}

TEST(MatMul, BothOperandsMayBePartsOfOneMatrix) {
  const Tensor a = small({5, 4}, DType::float64, 1);
  expect_product(a, a.transpose());
  expect_product(a.transpose(), a);
  expect_product(a.slice(xt::range(0, 2)), a.slice(xt::range(0, 3)).transpose());
  expect_product(a.slice(xt::range(2, 5)), a.slice(xt::range(0, 3)).transpose());
  expect_product(a.slice(xt::all(), xt::range(1, 3)), a.slice(xt::range(0, 2)));
}

TEST(MatMul, OperandsPromote) {
  const Tensor i = small({2, 3}, DType::int64), f = small({3, 2}, DType::float32, 2),
               b = small({3, 2}, DType::bool_, 1);
  EXPECT_EQ(matmul(i, f).dtype(), DType::float64);
  expect_product(i, f);
  expect_product(i, b);
  expect_product(f, b.transpose());
}

TEST(MatMul, IntegersWrap) {
  const Tensor large(xt::xarray<std::int64_t>{{std::int64_t{1} << 62, 1}});
  EXPECT_EQ(matmul(large, Tensor{{2}, {3}}).item<std::int64_t>(), std::numeric_limits<std::int64_t>::min() + 3);
}

TEST(MatMul, NeverReadsTheMemoryItWritesTo) {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  for (const auto& [n, k, m] : {std::array{3, 4, 5}, {1, 4, 5}, {3, 4, 1}, {3, 0, 5}, {1, 1, 1}, {1, 0, 1}}) {
    { (full({n, m}, nan, DType::float64) * 1).evaluate(); }  // leaves its memory to the product
    expect_product(small({n, k}, DType::float64, 1), small({k, m}, DType::float64, 2));
  }
}

TEST(MatMul, NotANumberSpreadsAlongItsRowAndColumn) {
  Tensor a{{1.0, std::nan("")}, {1.0, 1.0}};
  const Values c = values(matmul(a, zeros({2, 2}, DType::float64)));
  EXPECT_TRUE(std::isnan(c[0]) && std::isnan(c[1]));
  EXPECT_EQ(c[2], 0);
}

TEST(MatMul, LargeProductsAreThoseOfTheirParts) {
  Generator generator(1);
  const Tensor a = generator.normal({300, 200}, 0, 1, DType::float64),
               b = generator.normal({200, 150}, 0, 1, DType::float64);
  const Values whole = values(matmul(a, b));
  for (const std::int64_t i : {0, 57, 299}) {
    const Values part = values(sum(expand_dims(a.slice(i), 1) * b, 0));
    for (std::size_t j = 0; j < part.size(); ++j)
      EXPECT_NEAR(whole[static_cast<std::size_t>(i) * 150 + j], part[j], 1e-12);
  }
}

// ---- gradients ----

bool lies_row_major(const Tensor& x) { return detail::resolve(x.node())->value.contiguous; }

TEST(MatMul, GradientsLieInMemoryAsWhatWasTransposed) {
  for (const Shape& left : {Shape{6, 4}, Shape{3, 6, 4}}) {
    Tensor x = small(left, DType::float64, 1).set_requires_grad(), w = small({5, 4}, DType::float64, 2).set_requires_grad();
    matmul(x, matrix_transpose(w)).backward(small(left.size() == 3 ? Shape{3, 6, 5} : Shape{6, 5}, DType::float64, 3));
    EXPECT_TRUE(lies_row_major(x.grad()) && lies_row_major(w.grad()));
  }
  Tensor a = small({4, 6}, DType::float64, 1).set_requires_grad(), b = small({4, 5}, DType::float64, 2).set_requires_grad();
  const Tensor g = small({6, 5}, DType::float64, 3);
  matmul(a.transpose(), b).backward(g);
  EXPECT_TRUE(lies_row_major(a.grad()) && lies_row_major(b.grad()));
  EXPECT_EQ(values(a.grad()), values(matmul(b, g.transpose())));
  EXPECT_EQ(values(b.grad()), values(matmul(a, g)));
}

TEST(MatMul, TransposedOperandsHaveGradientsOfBothOrders) {
  Generator generator(2);
  const auto random = [&](const Shape& shape) { return generator.normal(shape, 0, 1, DType::float64); };
  const std::pair<Shape, Shape> pairs[] = {{{3, 2}, {4, 3}},       {{2, 3, 2}, {4, 3}}, {{3, 2}, {2, 4, 3}},
                                           {{2, 3, 2}, {2, 4, 3}}, {{1, 3, 2}, {2, 4, 3}}};
  for (const auto& [left, right] : pairs) {
    const std::vector<Tensor> inputs{random(left), random(right)};
    const auto both = [](const std::vector<Tensor>& in) { return matmul(matrix_transpose(in[0]), matrix_transpose(in[1])); };
    EXPECT_TRUE(gradcheck(both, inputs)) << to_string(left) << to_string(right);
    EXPECT_TRUE(gradgradcheck(both, inputs)) << to_string(left) << to_string(right);
  }
  const auto itself = [](const std::vector<Tensor>& in) { return matmul(in[0], transpose(in[0])); };
  EXPECT_TRUE(gradcheck(itself, {random({3, 2})}));
  EXPECT_TRUE(gradgradcheck(itself, {random({3, 2})}));
}

TEST(MatMul, ATransposeRecordedWithoutGradientsStopsThem) {
  Tensor w = small({3, 4}, DType::float64, 1).set_requires_grad(), x = small({2, 4}, DType::float64, 2).set_requires_grad();
  const Tensor constant = no_grad([&] { return transpose(w); });
  const Tensor slope = grad(sum(square(matmul(x, constant))), x, {.create_graph = true});
  EXPECT_TRUE(slope.requires_grad());
  EXPECT_THROW(grad(sum(slope), w), std::invalid_argument);
}

// ---- products added to what is there ----

/// a + b for tensors computed beforehand, so that no product is involved.
Values separately(const Tensor& a, const Tensor& b) { return values(a.evaluate() + b.evaluate()); }

TEST(MatMul, AProductIsAddedToWhatNobodyElseHolds) {
  const Shape pairs[][2] = {{{5, 4}, {4, 3}}, {{5, 1}, {1, 3}}, {{1, 4}, {4, 3}}, {{5, 4}, {4, 1}}, {{5, 0}, {0, 3}}, {{2, 5, 4}, {2, 4, 3}}};
  for (const DType dtype : {DType::float32, DType::float64})
    for (const auto& [left, right] : pairs) {
      const Tensor a = small(left, dtype, 1), b = small(right, dtype, 2), product = matmul(a, b).evaluate();
      for (const bool product_first : {false, true}) {
        Tensor c = small(product.shape(), dtype, 3) * 2;
        const Values expected = separately(c, product);
        const void* const before = c.data(dtype);
        c = product_first ? matmul(a, b) + c : c + matmul(a, b);
        EXPECT_EQ(values(c), expected) << to_string(left);
        EXPECT_EQ(c.data(dtype), before) << to_string(left);
      }
    }
}

TEST(MatMul, WhatAProductIsAddedToStaysWhereItIsHeld) {
  const Tensor a = small({4, 4}, DType::float64, 1), b = small({4, 4}, DType::float64, 2);
  const Tensor held = small({4, 4}, DType::float64, 3) * 1, product = matmul(a, b).evaluate();
  const Values before = values(held), expected = separately(held, product);
  EXPECT_EQ(values(held + matmul(a, b)), expected);
  EXPECT_EQ(values(held), before);
  // An operand of the product itself, a transposed one, and one that is broadcast.
  Tensor x = small({4, 4}, DType::float64, 5) * 1;
  const Values with_itself = separately(x, matmul(x, x));
  x = x + matmul(x, x);
  EXPECT_EQ(values(x), with_itself);
  EXPECT_EQ(values(transpose(a) + matmul(a, b)), separately(transpose(a), product));
  const Tensor row = small({4}, DType::float64, 6);
  EXPECT_EQ(values(row + matmul(a, b)), separately(row, product));
  EXPECT_EQ(values(matmul(a, b) + matmul(b, a)), separately(product, matmul(b, a)));
  const Tensor twice = matmul(a, b);
  EXPECT_EQ(values(twice + twice), separately(product, product));
  const Tensor integers = small({4, 4}, DType::int64, 1);
  EXPECT_EQ(values(integers + matmul(integers, integers)), separately(integers, matmul(integers, integers)));
}

TEST(MatMul, GradientsOfAWeightUsedTwiceAreAccumulated) {
  Tensor w = small({4, 4}, DType::float64, 1).set_requires_grad();
  const Tensor x = small({3, 4}, DType::float64, 2), y = small({5, 4}, DType::float64, 3);
  const auto gradient = [&](const Tensor& loss) {
    w.zero_grad();
    loss.backward();
    return w.grad();
  };
  const Tensor of_x = gradient(sum(matmul(x, w))), of_y = gradient(sum(matmul(y, w)));
  EXPECT_EQ(values(gradient(sum(matmul(x, w)) + sum(matmul(y, w)))), separately(of_x, of_y));
  gradient(sum(matmul(x, w)));
  for (int step = 0; step < 3; ++step) sum(matmul(y, w)).backward();  // onto what is there
  EXPECT_EQ(values(w.grad()), values(of_x + 3 * of_y));
}

}  // namespace
