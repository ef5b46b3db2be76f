// Handles, detaching, assigning, and which tensors gather gradients.
#include <gtest/gtest.h>

#include <autodiff/autodiff.hpp>
#include <functional>
#include <string>
#include <tests/support/values.hpp>

using namespace xgrad;
using namespace xgrad::test;

namespace {

TEST(Leaf, CopiesAreHandlesToTheSame) {
  Tensor x{1.0, 2.0};
  const Tensor same = x;
  EXPECT_TRUE(same.is(x));
  EXPECT_FALSE(same.is(Tensor{1.0, 2.0}));
  Tensor moved = std::move(x);
  EXPECT_FALSE(x.defined());
  EXPECT_TRUE(moved.is(same));
  moved = moved;  // NOLINT
  EXPECT_EQ(values(moved), (Values{1, 2}));
}

TEST(Leaf, DetachSharesTheValueAndNotTheGradient) {
  Tensor x = Tensor{1.0, 2.0}.set_requires_grad();
  const Tensor y = x * 2, lazy = y.detach();
  EXPECT_TRUE(lazy.is_leaf());
  EXPECT_FALSE(lazy.requires_grad());
  EXPECT_EQ(values(lazy), (Values{2, 4}));
  const Tensor detached = x.detach();
  EXPECT_EQ(detached.data<double>(), x.data<double>());
  x.assign(Tensor{7.0, 7.0});
  EXPECT_EQ(values(detached), (Values{1, 2}));
}

TEST(Leaf, ADetachedTensorGathersItsOwnGradients) {
  Tensor x = Tensor{1.0, 2.0}.set_requires_grad();
  Tensor d = (x * 2).detach().set_requires_grad();
  sum(d * d).backward();
  EXPECT_EQ(values(d.grad()), (Values{4, 8}));
  EXPECT_FALSE(x.grad().defined());
}

TEST(Leaf, AssignIsSeenByEveryHandle) {
  Tensor x{1.0, 2.0};
  const Tensor same = x;
  x.assign(Tensor{3.0, 4.0});
  EXPECT_EQ(values(same), (Values{3, 4}));
  EXPECT_EQ(values(same * 2), (Values{6, 8}));
  EXPECT_TRUE(same.is(x));
}

TEST(Leaf, AssignLeavesWhatWasRecordedBefore) {
  for (const bool tracked : {false, true}) {
    Tensor x{1.0, 2.0};
    if (tracked) x.set_requires_grad();
    const Tensor y = x * 10, view = x.slice(0), array_owner = x;
    const auto array = x.array<double>();
    x.assign(Tensor{3.0, 4.0});
    EXPECT_EQ(values(y), (Values{10, 20}));
    EXPECT_EQ(view.item(), 1);
    EXPECT_EQ(array(1), 2);
    x.assign(x * 2);
    x.assign(x + x);
    EXPECT_EQ(values(x), (Values{12, 16}));
  }
}

TEST(Leaf, AssignKeepsTheLeafsDtypeAndItsGradient) {
  Tensor x = ones({2}).set_requires_grad();
  sum(x * 3).backward();
  x.assign(Tensor{0.1, 2.0});
  EXPECT_EQ(x.dtype(), DType::float32);
  EXPECT_EQ(values(x), (Values{0.1f, 2}));
  EXPECT_EQ(values(x.grad()), (Values{3, 3}));
  EXPECT_TRUE(x.requires_grad());
}

TEST(Leaf, AssignCopiesNothingOfTheSourceButItsValues) {
  Tensor x{1.0, 2.0};
  Tensor source = Tensor{3.0, 4.0}.set_requires_grad();
  x.assign(source * 2);
  EXPECT_FALSE(x.requires_grad());
  source.assign(Tensor{0.0, 0.0});
  EXPECT_EQ(values(x), (Values{6, 8}));
  x.assign(transpose(Tensor{{1.0, 2.0}, {3.0, 4.0}}).slice(1));
  EXPECT_EQ(values(x), (Values{2, 4}));
}

TEST(Leaf, ErrorsLeaveTheLeafAsItWas) {
  Tensor x = Tensor{1.0, 2.0}.set_requires_grad();
  const Tensor y = x * 2;
  EXPECT_EQ(message_of<std::invalid_argument>([&] { x.assign(ones({3})); }),
            "assign: a value of shape (3,) for a leaf of shape (2,)");
  EXPECT_THROW(x.assign(Tensor(1.0)), std::invalid_argument);  // no broadcasting
  EXPECT_THROW(x.assign(Tensor()), std::logic_error);
  EXPECT_EQ(values(x), (Values{1, 2}));
  EXPECT_TRUE(x.requires_grad());
  EXPECT_THROW(x.set_grad(ones({3})), std::invalid_argument);
  EXPECT_FALSE(x.grad().defined());
  EXPECT_NE(message_of<std::logic_error>([&] {
              Tensor(y).assign(x);
            }).find("assign: the tensor of shape (2,) is the result of 'multiply'"),
            std::string::npos);
  EXPECT_EQ(values(y), (Values{2, 4}));
}

TEST(Leaf, GradientsAreForFloatingLeaves) {
  Tensor integers{1, 2}, flags{true};
  EXPECT_EQ(message_of<std::invalid_argument>([&] { integers.set_requires_grad(); }),
            "set_requires_grad: the tensor is int64; only float32 and float64 carry gradients, convert it with "
            "to(DType::float32)");
  EXPECT_THROW(flags.set_requires_grad(), std::invalid_argument);
  EXPECT_NO_THROW(integers.set_requires_grad(false));
  Tensor x = ones({2}).set_requires_grad();
  Tensor y = x * 2;
  EXPECT_NE(message_of<std::logic_error>([&] {
              y.set_requires_grad();
            }).find("set_requires_grad: the tensor of shape (2,) is the result of 'multiply'"),
            std::string::npos);
  EXPECT_THROW(y.set_requires_grad(false), std::logic_error);
  EXPECT_THROW(y.set_grad(ones({2})), std::logic_error);
  EXPECT_THROW(ones({2}).set_grad(ones({2})), std::logic_error);
}

TEST(Leaf, RequiresGradMayBeSwitched) {
  Tensor x = ones({2});
  const Tensor before = x * 2;
  EXPECT_TRUE(x.set_requires_grad().requires_grad());
  EXPECT_FALSE(before.requires_grad());
  EXPECT_TRUE((x * 2).requires_grad());
  EXPECT_TRUE(x.set_requires_grad().is_leaf());
  const Tensor tracked = sum(x * 2);
  x.set_requires_grad(false);
  EXPECT_FALSE((x * 2).requires_grad());
  tracked.backward();  // recorded while it was on
  EXPECT_TRUE(tracked.requires_grad());
  EXPECT_EQ(values(x), (Values{1, 1}));
}

TEST(Leaf, ResultsWithoutGradientAreLeaves) {
  Tensor x{1.0, 2.0}, y = x * 2;
  EXPECT_TRUE(y.is_leaf());
  y.set_requires_grad();
  sum(y * 3).backward();
  EXPECT_EQ(values(y.grad()), (Values{3, 3}));
  y.assign(Tensor{5.0, 6.0});
  EXPECT_EQ(values(y), (Values{5, 6}));
  EXPECT_EQ(values(x), (Values{1, 2}));

  Tensor flat = broadcast_to(Tensor(1.0), {3});
  flat.set_requires_grad();
  flat.assign(Tensor{1.0, 2.0, 3.0});
  EXPECT_EQ(values(flat), (Values{1, 2, 3}));
}

TEST(Leaf, ALeafThatNoLongerRequiresGradientsGetsNone) {
  Tensor x = leaf({1, 2}), y = leaf({3, 4});
  x.set_requires_grad(false);
  sum(x * y).backward();
  EXPECT_FALSE(x.grad().defined());
  EXPECT_EQ(values(y.grad()), (Values{1, 2}));
}

TEST(Leaf, AGradientMayBeSet) {
  Tensor x = leaf({1, 2});
  x.set_grad(Tensor{10.0f, 20.0f});
  sum(x).backward();
  EXPECT_EQ(values(x.grad()), (Values{11, 21}));
  EXPECT_EQ(x.grad().dtype(), DType::float64);
  x.set_grad({});
  EXPECT_FALSE(x.grad().defined());
}

TEST(Leaf, UndefinedTensorsSaySo) {
  const Tensor none;
  EXPECT_FALSE(none.defined());
  const std::vector<std::pair<std::string, std::function<void()>>> uses{
      {"shape", [&] { none.shape(); }},
      {"shape", [&] { none.shape(0); }},
      {"shape", [&] { none.dim(); }},
      {"size", [&] { none.size(); }},
      {"dtype", [&] { none.dtype(); }},
      {"is_leaf", [&] { none.is_leaf(); }},
      {"data", [&] { none.data<float>(); }},
      {"array", [&] { none.array<float>(); }},
      {"item", [&] { none.item(); }},
      {"item", [&] { none.item<int>(); }},
      {"to", [&] { none.to(DType::float32); }},
      {"detach", [&] { none.detach(); }},
      {"evaluate", [&] { none.evaluate(); }},
      {"requires_grad", [&] { none.requires_grad(); }},
      {"set_requires_grad", [] { Tensor().set_requires_grad(); }},
      {"grad", [&] { none.grad(); }},
      {"set_grad", [] { Tensor().set_grad({}); }},
      {"zero_grad", [] { Tensor().zero_grad(); }},
      {"assign", [] { Tensor().assign(ones({2})); }},
      {"backward", [&] { none.backward(); }},
      {"slice", [&] { none.slice(0); }},
      {"reshape", [&] { none.reshape({2}); }},
      {"transpose", [&] { none.transpose(); }},
      {"sum", [&] { none.sum(); }},
      {"mean", [&] { none.mean(); }},
  };
  for (const auto& [name, use] : uses)
    EXPECT_EQ(message_of<std::logic_error>(use).find(name + ": the tensor is undefined; give it a value first"), 0u) << name;
}

TEST(Leaf, AResultThatNothingTracksIsALeafOfItsOwn) {
  const Tensor a{1.0, 2.0, 3.0};
  Tensor doubled = a * 2, row = a.slice(xt::range(0, 2)), same_values = a.reshape({3, 1});
  for (Tensor* result : {&doubled, &row, &same_values}) EXPECT_TRUE(result->is_leaf());
  row.assign(Tensor{7.0, 8.0});
  same_values.set_requires_grad().assign(zeros({3, 1}));
  doubled.set_requires_grad();
  sum(square(doubled)).backward();
  EXPECT_EQ(values(doubled.grad()), (Values{4, 8, 12}));
  EXPECT_EQ(values(row), (Values{7, 8}));
  EXPECT_EQ(values(a), (Values{1, 2, 3}));
  Tensor tracked = doubled * 2;
  EXPECT_FALSE(tracked.is_leaf());
  EXPECT_THROW(tracked.assign(a), std::logic_error);
  EXPECT_THROW(tracked.set_requires_grad(), std::logic_error);
}

}  // namespace
