// Functions that rearrange: values, shapes, and that views copy nothing.
#include <gtest/gtest.h>

#include <autodiff/autodiff.hpp>
#include <functional>
#include <numeric>
#include <random>
#include <tests/support/values.hpp>

using namespace xgrad;
using namespace xgrad::test;
using namespace xt::placeholders;

namespace {

/// The memory that a tensor's values lie in, wherever in it they begin.
const void* memory(const Tensor& x) {
  x.evaluate();
  return detail::resolve(x.node())->value.buffer.get();
}
bool shares_memory(const Tensor& a, const Tensor& b) { return memory(a) == memory(b); }

TEST(Shape, ViewsCopyNothing) {
  const Tensor x = numbered({4, 6});
  EXPECT_TRUE(shares_memory(x, transpose(x)));
  EXPECT_TRUE(shares_memory(x, reshape(x, {2, 12})));
  EXPECT_TRUE(shares_memory(x, x.slice(xt::range(1, 3), xt::range(_, _, -2))));
  EXPECT_TRUE(shares_memory(x, broadcast_to(x, {5, 4, 6})));
  EXPECT_TRUE(shares_memory(x, expand_dims(x, {0, 2})));
  EXPECT_TRUE(shares_memory(x, squeeze(expand_dims(x, 1))));
  EXPECT_TRUE(shares_memory(x, flatten(x)));
  EXPECT_TRUE(shares_memory(x, x.detach()));
  EXPECT_TRUE(shares_memory(x, reshape(transpose(x), {3, 2, 4})));
  EXPECT_FALSE(shares_memory(x, flatten(transpose(x))));
  EXPECT_FALSE(shares_memory(x, stack({x})));
}

TEST(Shape, ATransposeOfATransposeIsWhereItBegan) {
  const Tensor x = numbered({4, 6});
  EXPECT_EQ(transpose(transpose(x)).data<double>(), x.data<double>());
  EXPECT_EQ(x.slice(2).data<double>(), x.data<double>() + 12);
}

TEST(Shape, ATransposeOfATransposeIsTheTensorOfBeforeWhereNobodyCanTell) {
  Tensor leaf = numbered({2, 3, 4}).set_requires_grad();
  const Tensor x = leaf * 2;
  const Tensor once = transpose(x, {1, 2, 0});
  EXPECT_TRUE(transpose(once, {2, 0, 1}).is(x));
  EXPECT_FALSE(transpose(once, {1, 2, 0}).is(x));
  EXPECT_FALSE(no_grad([&] { return transpose(once, {2, 0, 1}); }).requires_grad());
  const Tensor constant = no_grad([&] { return transpose(x, {1, 2, 0}); });
  EXPECT_FALSE(transpose(constant, {2, 0, 1}).requires_grad());
  Tensor back = transpose(transpose(leaf));
  EXPECT_FALSE(back.is_leaf());
  EXPECT_THROW(back.assign(leaf), std::logic_error);
}

TEST(Shape, ViewsOfValuesAreValuesAtOnceWhereNoGradientIsTracked) {
  const Tensor x = numbered({4, 6});
  Tensor w = numbered({4, 6}).set_requires_grad();
  const auto views = [](const Tensor& t) {
    return std::vector<Tensor>{transpose(t), t.reshape({3, 8}), t.slice(1), broadcast_to(t, {2, 4, 6}), expand_dims(t, 1)};
  };
  for (const Tensor& view : views(x)) EXPECT_TRUE(view.node()->evaluated);
  for (const Tensor& view : no_grad([&] { return views(w); })) {
    EXPECT_TRUE(view.node()->evaluated);
    EXPECT_FALSE(view.requires_grad());
  }
  for (const Tensor& view : views(w)) EXPECT_FALSE(view.node()->evaluated);
  for (const Tensor& view : views(x * 2)) EXPECT_FALSE(view.node()->evaluated);
  const Tensor copied = transpose(x).reshape({24});  // no strides express it
  EXPECT_FALSE(copied.node()->evaluated);
  EXPECT_EQ(values(copied), values(transpose(x)));
  const Tensor old = no_grad([&] { return transpose(w); });
  w.assign(zeros({4, 6}, DType::float64));
  EXPECT_EQ(values(old), values(transpose(x)));
}

TEST(Shape, MayHaveAnyNumberOfAxes) {
  for (const std::size_t n : {0, 1, 3, 4, 5, 9}) {
    Shape a(n, 2), b;
    for (std::size_t i = 0; i < n; ++i) b.push_back(2);
    EXPECT_EQ(a, b);
    EXPECT_EQ(a.size(), n);
    for (const std::size_t m : {0, 2, 4, 5, 8}) {
      Shape c = a, d(m, 3);
      c = d;
      EXPECT_EQ(c, d);
      d = a;
      EXPECT_EQ(d, a);
      Shape moved = std::move(d);
      EXPECT_EQ(moved, a);
      moved.resize(m, 7);
      EXPECT_EQ(moved.size(), m);
      for (std::size_t i = 0; i < m; ++i) EXPECT_EQ(moved[i], i < n ? 2 : 7);
      moved = std::move(c);
      EXPECT_EQ(moved, Shape(m, 3));
      const Shape& itself = moved;
      moved = itself;
      EXPECT_EQ(moved, Shape(m, 3));
    }
    Shape longer = a;
    longer.insert(longer.begin() + static_cast<std::ptrdiff_t>(n / 2), 5);
    EXPECT_EQ(longer[n / 2], 5);
    EXPECT_EQ(size_of(longer), 5 * size_of(a));
    longer.erase(longer.begin() + static_cast<std::ptrdiff_t>(n / 2));
    EXPECT_EQ(longer, a);
    if (n > 0) {
      b.pop_back();
      EXPECT_EQ(b, Shape(n - 1, 2));
      EXPECT_NE(b, a);
    }
    EXPECT_EQ(ones(a).shape(), a);
    EXPECT_EQ(sum(ones(a)).item(), std::pow(2.0, n));
  }
}

// ---- reshape ----

TEST(Shape, ReshapeKeepsRowMajorOrderWhateverTheStrides) {
  const Tensor x = numbered({2, 3, 4}), t = transpose(x, {2, 0, 1}),
               s = x.slice(xt::all(), xt::range(_, _, -1), xt::range(_, _, 2));
  const Shape all[] = {{24},   {24, 1},      {1, 24},         {2, 12}, {6, 4}, {4, 6},
                       {3, 8}, {2, 3, 2, 2}, {2, 1, 3, 1, 4}, {8, 3},  {12, 2}};
  for (const Shape& shape : all) {
    EXPECT_EQ(reshape(x, shape).shape(), shape);
    EXPECT_EQ(values(reshape(x, shape)), counted(24));
    EXPECT_EQ(values(reshape(t, shape)), values(t)) << to_string(shape);
  }
  for (const Shape& shape : {Shape{12}, Shape{2, 6}, Shape{6, 2}, Shape{3, 4}, Shape{2, 1, 3, 2, 1}})
    EXPECT_EQ(values(reshape(s, shape)), values(s)) << to_string(shape);
  for (const Shape& shape : {Shape{30}, Shape{5, 6}, Shape{10, 3}})
    EXPECT_EQ(values(reshape(broadcast_to(numbered({6}), {5, 6}), shape)), values(broadcast_to(numbered({6}), {5, 6})));
}

TEST(Shape, RandomViewsReshapeAsTheirCopies) {
  std::mt19937 choose(5);
  const auto divide = [&](std::int64_t n) {  // a random factorisation
    Shape shape;
    while (n > 1 || shape.empty()) {
      std::int64_t factor = 1 + static_cast<std::int64_t>(choose()) % n;
      while (n % factor != 0) --factor;
      if (factor == 1 && choose() % 3 != 0) continue;
      shape.push_back(factor);
      n /= factor;
    }
    return shape;
  };
  for (int i = 0; i < 500; ++i) {
    Tensor x = numbered(divide(std::array{24, 36, 60, 64}[choose() % 4]));
    std::vector<std::int64_t> order(x.dim());
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), choose);
    if (choose() % 2 == 0) x = transpose(x, order);
    if (choose() % 3 == 0) x = x.slice(xt::ellipsis(), xt::range(_, _, -1));
    if (choose() % 4 == 0)
      x = broadcast_to(expand_dims(x, 0), [&] {
        Shape s{3};
        for (auto e : x.shape()) s.push_back(e);
        return s;
      }());
    const Shape to = divide(x.size());
    ASSERT_EQ(values(reshape(x, to)), values(x)) << to_string(x.shape()) << " to " << to_string(to);
  }
}

TEST(Shape, OneExtentMayFollowFromTheSize) {
  const Tensor x = numbered({2, 3, 4});
  EXPECT_EQ(reshape(x, {-1}).shape(), Shape{24});
  EXPECT_EQ(reshape(x, {4, -1}).shape(), (Shape{4, 6}));
  EXPECT_EQ(reshape(x, {2, -1, 12}).shape(), (Shape{2, 1, 12}));
  EXPECT_EQ(reshape(numbered({1}), {}).shape(), Shape{});
  EXPECT_EQ(reshape(Tensor(3.0), {1, -1}).shape(), (Shape{1, 1}));
  EXPECT_EQ(reshape(zeros({0, 3}), {-1}).shape(), Shape{0});
  EXPECT_EQ(reshape(zeros({0, 3}), {3, -1}).shape(), (Shape{3, 0}));
  EXPECT_EQ(reshape(zeros({0, 3}), {5, 0}).shape(), (Shape{5, 0}));
  EXPECT_TRUE(reshape(x, {2, 3, 4}).is(x));
  EXPECT_EQ(x.reshape({6, -1}).shape(), (Shape{6, 4}));
}

// ---- transpose ----

TEST(Shape, TransposeReversesOrOrdersAxes) {
  const Tensor x = numbered({2, 3, 4});
  EXPECT_EQ(transpose(x).shape(), (Shape{4, 3, 2}));
  EXPECT_EQ(transpose(x, {1, 2, 0}).shape(), (Shape{3, 4, 2}));
  EXPECT_EQ(transpose(x, {-1, 0, -2}).shape(), (Shape{4, 2, 3}));
  EXPECT_EQ(matrix_transpose(x).shape(), (Shape{2, 4, 3}));
  EXPECT_EQ(x.transpose().shape(), (Shape{4, 3, 2}));
  const auto a = x.array<double>();
  const Tensor t = transpose(x, {1, 2, 0}), m = matrix_transpose(x), r = transpose(x);
  const auto b = t.array<double>(), c = m.array<double>(), d = r.array<double>();
  for (std::size_t i = 0; i < 2; ++i)
    for (std::size_t j = 0; j < 3; ++j)
      for (std::size_t k = 0; k < 4; ++k) {
        ASSERT_EQ(b(j, k, i), a(i, j, k));
        ASSERT_EQ(c(i, k, j), a(i, j, k));
        ASSERT_EQ(d(k, j, i), a(i, j, k));
      }
  EXPECT_TRUE(transpose(numbered({3})).shape() == Shape{3});
  EXPECT_EQ(transpose(Tensor(2.0)).item(), 2);
  EXPECT_EQ(transpose(zeros({0, 3})).shape(), (Shape{3, 0}));
  EXPECT_TRUE(transpose(x, {0, 1, 2}).is(x));
}

// ---- broadcast_to, squeeze, expand_dims, flatten ----

TEST(Shape, BroadcastRepeats) {
  EXPECT_EQ(values(broadcast_to(numbered({3}), {2, 3})), (Values{1, 2, 3, 1, 2, 3}));
  EXPECT_EQ(values(broadcast_to(numbered({2, 1}), {2, 3})), (Values{1, 1, 1, 2, 2, 2}));
  EXPECT_EQ(values(broadcast_to(Tensor(7.0), {2, 2})), Values(4, 7));
  EXPECT_EQ(broadcast_to(numbered({1}), {0}).shape(), Shape{0});
  EXPECT_EQ(broadcast_to(zeros({0, 1}), {4, 0, 3}).shape(), (Shape{4, 0, 3}));
  EXPECT_EQ(values(broadcast_to(numbered({3, 2}).transpose(), {2, 2, 3})),
            (Values{1, 3, 5, 2, 4, 6, 1, 3, 5, 2, 4, 6}));
}

TEST(Shape, AxesOfExtentOneComeAndGo) {
  const Tensor x = numbered({1, 2, 1, 3});
  EXPECT_EQ(squeeze(x).shape(), (Shape{2, 3}));
  EXPECT_EQ(squeeze(x, 0).shape(), (Shape{2, 1, 3}));
  EXPECT_EQ(squeeze(x, {0, -2}).shape(), (Shape{2, 3}));
  EXPECT_EQ(squeeze(numbered({1, 1})).shape(), Shape{});
  EXPECT_EQ(expand_dims(numbered({2, 3}), 0).shape(), (Shape{1, 2, 3}));
  EXPECT_EQ(expand_dims(numbered({2, 3}), -1).shape(), (Shape{2, 3, 1}));
  EXPECT_EQ(expand_dims(numbered({2, 3}), {0, 2}).shape(), (Shape{1, 2, 1, 3}));
  EXPECT_EQ(expand_dims(numbered({2, 3}), {-1, 0}).shape(), (Shape{1, 2, 3, 1}));
  EXPECT_EQ(expand_dims(Tensor(1.0), {0, 1}).shape(), (Shape{1, 1}));
  EXPECT_EQ(values(squeeze(x.slice(xt::ellipsis(), xt::range(_, _, -1)))), (Values{3, 2, 1, 6, 5, 4}));
  EXPECT_EQ(values(expand_dims(transpose(numbered({2, 3})), 1)), (Values{1, 4, 2, 5, 3, 6}));
}

TEST(Shape, FlattenMakesOneAxisOfMany) {
  const Tensor x = numbered({2, 3, 4});
  EXPECT_EQ(flatten(x).shape(), Shape{24});
  EXPECT_EQ(flatten(x, 1).shape(), (Shape{2, 12}));
  EXPECT_EQ(flatten(x, -2).shape(), (Shape{2, 12}));
  EXPECT_EQ(flatten(x, 2).shape(), (Shape{2, 3, 4}));
  EXPECT_EQ(flatten(Tensor(1.0)).shape(), Shape{1});
  EXPECT_EQ(flatten(zeros({3, 0, 2}), 1).shape(), (Shape{3, 0}));
  EXPECT_EQ(values(flatten(transpose(numbered({2, 3})))), (Values{1, 4, 2, 5, 3, 6}));
}

// ---- concatenate, stack ----

TEST(Shape, ConcatenatePutsOneBehindTheOther) {
  const Tensor a = numbered({2, 2}), b = numbered({2, 2}) * 10, c = numbered({2, 1}) * 100;
  EXPECT_EQ(values(concatenate({a, b})), (Values{1, 2, 3, 4, 10, 20, 30, 40}));
  EXPECT_EQ(values(concatenate({a, c, b}, 1)), (Values{1, 2, 100, 10, 20, 3, 4, 200, 30, 40}));
  EXPECT_EQ(concatenate({a, c}, -1).shape(), (Shape{2, 3}));
  EXPECT_EQ(values(concatenate({a.transpose(), b.slice(xt::range(_, _, -1))})), (Values{1, 3, 2, 4, 30, 40, 10, 20}));
  EXPECT_EQ(values(concatenate({a, zeros({0, 2}, DType::float64), b})), (Values{1, 2, 3, 4, 10, 20, 30, 40}));
  EXPECT_EQ(values(concatenate({a})), (Values{1, 2, 3, 4}));
  EXPECT_EQ(values(concatenate({broadcast_to(Tensor(1.0), {2}), numbered({1})})), (Values{1, 1, 1}));
  EXPECT_EQ(concatenate({zeros({0}), zeros({0})}).shape(), Shape{0});
  EXPECT_EQ(values(concatenate({numbered({2, 3, 1}), numbered({2, 3, 2})}, 2)),
            (Values{1, 1, 2, 2, 3, 4, 3, 5, 6, 4, 7, 8, 5, 9, 10, 6, 11, 12}));
}

TEST(Shape, ConcatenatePromotesEveryDtype) {
  EXPECT_EQ(values(concatenate({Tensor{true, false}, Tensor{3}})), (Values{1, 0, 3}));
  EXPECT_EQ(concatenate({Tensor{1}, Tensor{2.0f}}).dtype(), DType::float64);
  EXPECT_EQ(values(concatenate({Tensor{true}, Tensor{false}})), (Values{1, 0}));
}

TEST(Shape, StackMakesANewAxis) {
  const Tensor a = numbered({2, 3}), b = a * 10;
  EXPECT_EQ(stack({a, b}).shape(), (Shape{2, 2, 3}));
  EXPECT_EQ(stack({a, b, a}, 1).shape(), (Shape{2, 3, 3}));
  EXPECT_EQ(stack({a, b}, -1).shape(), (Shape{2, 3, 2}));
  EXPECT_EQ(values(stack({a, b}, -1)), (Values{1, 10, 2, 20, 3, 30, 4, 40, 5, 50, 6, 60}));
  EXPECT_EQ(values(stack({Tensor(1.0), Tensor(2.0)})), (Values{1, 2}));
  EXPECT_EQ(values(stack({a, b}, 1)), (Values{1, 2, 3, 10, 20, 30, 4, 5, 6, 40, 50, 60}));
}

// ---- shapes themselves ----

TEST(Shape, ShapesBroadcastAsNumPys) {
  EXPECT_EQ(broadcast_shapes("f", {2, 1, 3}, {4, 1}), (Shape{2, 4, 3}));
  EXPECT_EQ(broadcast_shapes("f", {}, {4, 1}), (Shape{4, 1}));
  EXPECT_EQ(broadcast_shapes("f", {0, 1}, {1, 5}), (Shape{0, 5}));
  EXPECT_EQ(broadcast_shapes("f", {1}, {0}), Shape{0});
  EXPECT_THROW(broadcast_shapes("f", {0}, {2}), std::invalid_argument);
  EXPECT_EQ(size_of(Shape{}), 1);
  EXPECT_EQ(size_of(Shape{3, 0}), 0);
  EXPECT_EQ(contiguous_strides({2, 3, 4}), (Strides{12, 4, 1}));
}

TEST(Shape, AxesAreSortedAndCountedFromTheFront) {
  using List = AxisList;
  EXPECT_EQ(Axes().normalize("f", 3), (List{0, 1, 2}));
  EXPECT_EQ(Axes(-1).normalize("f", 3), List{2});
  EXPECT_EQ(Axes({2, -3}).normalize("f", 3), (List{0, 2}));
  EXPECT_EQ(Axes(List{}).normalize("f", 3), List{});
  EXPECT_EQ(values(sum(numbered({2, 3}), Axes(List{}))), counted(6));
}

}  // namespace
