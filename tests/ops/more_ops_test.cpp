// What the catalogue's rows do not say of ops that rearrange, sort, multiply and update: errors, several results, NaN.
#include <gtest/gtest.h>

#include <autodiff/autodiff.hpp>
#include <cmath>
#include <limits>
#include <numbers>
#include <tests/support/throws.hpp>
#include <tests/support/values.hpp>

using namespace xgrad;
using namespace xgrad::test;

namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

TEST(At, SetReplacesASlice) {
  const Tensor x = numbered({3, 4});
  EXPECT_EQ(values(x.at(1).set(0)), (Values{1, 2, 3, 4, 0, 0, 0, 0, 9, 10, 11, 12}));
  EXPECT_EQ(values(x.at(xt::all(), xt::range(0, 4, 2)).set(Tensor{-1.0, -2.0})), (Values{-1, 2, -2, 4, -1, 6, -2, 8, -1, 10, -2, 12}));
  EXPECT_EQ(values(x.at(0, 0).add(5)), (Values{6, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}));
  EXPECT_EQ(values(x), counted(12));
}

TEST(At, TakesIndicesAndMasks) {
  const Tensor x = numbered({3, 2});
  EXPECT_EQ(values(x.at(Tensor{2, 0, 2}).set(reshape(numbered({6}) * 10, {3, 2}))), (Values{30, 40, 3, 4, 50, 60}));
  EXPECT_EQ(values(x.at(Tensor{-1, 0, 2}).add(1)), (Values{2, 3, 3, 4, 7, 8}));
  EXPECT_EQ(values(x.at(x > 4).set(0)), (Values{1, 2, 3, 4, 0, 0}));
  EXPECT_EQ(values(x.at(x > 4).add(x)), (Values{1, 2, 3, 4, 10, 12}));
}

TEST(At, AMaskSelectsAlongTheFirstAxes) {
  const Tensor x = numbered({3, 2}), rows{true, false, true};
  EXPECT_EQ(values(x.at(rows).set(0)), (Values{0, 0, 3, 4, 0, 0}));
  EXPECT_EQ(values(x.at(rows).set(Tensor{7.0, 8.0})), (Values{7, 8, 3, 4, 7, 8}));
  EXPECT_EQ(values(x.at(rows).add(Tensor{{10.0}, {20.0}})), (Values{11, 12, 3, 4, 25, 26}));
  EXPECT_EQ(values(x.at(rows).set(Tensor{{7.0, 8.0}, {9.0, 10.0}})), (Values{7, 8, 3, 4, 9, 10}));
  EXPECT_EQ(values(x.at(x > 3).set(Tensor{7.0, 8.0, 9.0})), (Values{1, 2, 3, 7, 8, 9}));
  const Tensor square = numbered({2, 2});  // where the last axis would fit too
  EXPECT_EQ(values(square.at(Tensor{true, false}).set(0)), (Values{0, 0, 3, 4}));
  EXPECT_EQ(values(square.at(Tensor{true, false}).add(Tensor{10.0, 20.0})), (Values{11, 22, 3, 4}));
  EXPECT_EQ(values(numbered({2, 2, 2}).at(Tensor{{true, false}, {false, true}}).set(0)), (Values{0, 0, 3, 4, 5, 6, 0, 0}));
  EXPECT_EQ(values(square.at(Tensor(false)).set(0)), (Values{1, 2, 3, 4}));
}

TEST(At, RefusesAMaskOfAnotherShape) {
  const Tensor x = numbered({3, 2});
  EXPECT_TRUE(throws<std::invalid_argument>([&] { x.at(Tensor{true, false}).set(0); }, {"at", "(2,)", "(3, 2)", "first axes"}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { x.at(Tensor{{true, false}}).set(0); }, {"at", "(1, 2)", "(3, 2)"}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { x.at(Tensor{true, false, true}).set(numbered({3})); }, {"at", "(3,)", "(2, 2)"}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { x.at(Tensor{true, false, false}).add(numbered({2, 2})); }, {"at", "(2, 2)", "(1, 2)"}));
}

TEST(MaskedFill, BroadcastsMaskAndValueAsNumPyDoes) {
  const Tensor x = numbered({2, 3});
  EXPECT_EQ(values(masked_fill(x, Tensor{true, false, true}, 0)), (Values{0, 2, 0, 0, 5, 0}));
  EXPECT_EQ(values(masked_fill(x, Tensor{{true}, {false}}, Tensor{7.0, 8.0, 9.0})), (Values{7, 8, 9, 4, 5, 6}));
  EXPECT_EQ(values(masked_select(x, Tensor{{true}, {false}})), (Values{1, 2, 3}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { masked_fill(x, Tensor{true, false}, 0); }, {"(2,)", "(2, 3)"}));
}

TEST(At, LetsGradientsThroughToBoth) {
  const auto check = [](const TensorFunction& f) {
    EXPECT_TRUE(gradcheck(f, {numbered({3, 2}), numbered({2}) * 0.5}));
    EXPECT_TRUE(gradgradcheck(f, {numbered({3, 2}), numbered({2}) * 0.5}));
  };
  check([](const std::vector<Tensor>& x) { return square(x[0].at(1).set(x[1])); });
  check([](const std::vector<Tensor>& x) { return square(x[0].at(xt::range(0, 2)).add(x[1])); });
  check([](const std::vector<Tensor>& x) { return square(x[0].at(Tensor{2, 0, 2}).set(x[1])); });
  check([](const std::vector<Tensor>& x) { return square(x[0].at(Tensor{2, 0, 2}).add(x[1])); });
  check([](const std::vector<Tensor>& x) { return square(x[0].at(Tensor{true, false, true}).set(x[1])); });
}

TEST(At, ReplacesWhatIsNotFinite) {
  Tensor x = Tensor{1.0, nan, 3.0}.set_requires_grad();
  const Tensor y = x.at(1).set(2);
  EXPECT_EQ(values(y), (Values{1, 2, 3}));
  sum(y * y).backward();
  EXPECT_EQ(values(x.grad()), (Values{2, 0, 6}));
}

TEST(At, RefusesWhatDoesNotFit) {
  const Tensor x = numbered({3, 2});
  EXPECT_TRUE(throws<std::invalid_argument>([&] { x.at(1).set(numbered({3})); }, {"at", "(3,)", "(2,)"}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { x.at(Tensor{1.0}).set(0); }, {"at", "int64"}));
  EXPECT_TRUE(throws<std::out_of_range>([&] { x.at(Tensor{3}).set(0); }, {"3", "(3, 2)"}));
  EXPECT_THROW(x.at(3), std::out_of_range);
}

TEST(Sort, PutsNaNLastAndKeepsTheOrderOfTies) {
  EXPECT_EQ(values(argsort(Tensor{nan, 2.0, 1.0, 2.0})), (Values{2, 1, 3, 0}));
  EXPECT_EQ(values(argsort(Tensor{1.0, 2.0, nan, 2.0}, -1, true)), (Values{2, 1, 3, 0}));
  const auto [top, indices] = topk(Tensor{3, 9, 5, 9}, 2);
  EXPECT_EQ(values(top), (Values{9, 9}));
  EXPECT_EQ(values(indices), (Values{1, 3}));
  EXPECT_EQ(values(topk(Tensor{3, 9, 5}, 2, 0, false).first), (Values{3, 5}));
  EXPECT_EQ(values(searchsorted(Tensor{1, 3, 3, 5}, Tensor{3, 0, 9}, true)), (Values{3, 0, 4}));
  EXPECT_TRUE(throws<std::invalid_argument>([] { topk(ones({3}), 4); }, {"topk", "4", "(3,)"}));
  EXPECT_TRUE(throws<std::invalid_argument>([] { median(ones({0})); }, {"median", "(0,)"}));
}

TEST(Rearrange, RefusesWhatDoesNotFit) {
  const Tensor x = ones({2, 3});
  EXPECT_TRUE(throws<std::invalid_argument>([&] { split(x, 2, 1); }, {"split", "2", "(2, 3)"}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { pad(x, {{1, 1}, {1, 1}, {1, 1}}); }, {"pad", "3", "(2, 3)"}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { pad(x, {{-1, 0}}); }, {"pad", "negative"}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { pad(x, {{0, 3}}, PadMode::reflect); }, {"pad", "short"}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { diagonal(x, 0, 1, 1); }, {"diagonal", "twice"}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { flip(x, 2); }, {"flip", "(2, 3)"}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { repeat(x, -1, 0); }, {"repeat", "-1"}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { tril(ones({2})); }, {"tril", "(2,)"}));
  EXPECT_EQ(split(x, 3, 1).size(), 3u);
}

TEST(Einsum, QuotesWhatItRefuses) {
  const Tensor a = ones({2, 3}), b = ones({3, 4});
  EXPECT_TRUE(throws<std::invalid_argument>([&] { einsum("ij,jk->ik", {a}); }, {"einsum", "ij,jk->ik", "2 operands"}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { einsum("ij,kj->ik", {a, b}); }, {"einsum", "'j' differ", "(2, 3), (3, 4)"}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { einsum("ijk->i", {a}); }, {"einsum", "ijk", "(2, 3)"}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { einsum("ij->iz", {a}); }, {"einsum", "no operand"}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { einsum("ij->ii", {a}); }, {"einsum", "twice"}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { einsum("i1", {a}); }, {"einsum", "'1'"}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { einsum("ii", {a}); }, {"einsum", "'i'"}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { einsum("...i...", {ones({2, 3, 4, 5, 6, 7})}); }, {"einsum", "twice"}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { tensordot(a, a, 2 + 1); }, {"tensordot", "3"}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { cross(a, b); }, {"cross", "3"}));
}

TEST(Remainder, RefusesWholeNumbersByZero) {
  EXPECT_THROW(remainder(Tensor{1, 2}, Tensor{1, 0}), std::domain_error);
  EXPECT_EQ(values(remainder(Tensor{-7, 7}, 3)), (Values{2, 1}));
  EXPECT_EQ(values(fmod(Tensor{-7, 7}, 3)), (Values{-1, 1}));
  EXPECT_THROW(polygamma(-1, ones({1})), std::invalid_argument);
}

TEST(SecondDerivatives, AreRightWhereFormulasAreNot) {
  Tensor x = Tensor{0.0}.set_requires_grad();
  const auto second = [&](const std::function<Tensor(const Tensor&)>& f) {
    const Tensor first = grad(sum(f(x)), x, {.create_graph = true});
    return grad(sum(first), x).item();
  };
  EXPECT_NEAR(second([](const Tensor& t) { return sinc(t); }), -std::numbers::pi * std::numbers::pi / 3, 1e-12);
  EXPECT_NEAR(second([](const Tensor& t) { return softplus(t); }), 0.25, 1e-15);
  EXPECT_NEAR(second([](const Tensor& t) { return logaddexp(t, -t); }), 1, 1e-15);
  EXPECT_TRUE(std::isnan(second([](const Tensor& t) { return norm(concatenate({t, t})); })));
  EXPECT_EQ(second([](const Tensor& t) { return stddev(t); }), 0);
  // d²/dx² of x·x·(2 + x) at 0 is 4: the product of others, differentiated again.
  EXPECT_NEAR(second([](const Tensor& t) { return prod(concatenate({t, t, t + 2})); }), 4, 1e-15);
}

TEST(MaxPool, TakesWholeNumbers) {
  EXPECT_EQ(values(max_pool2d(reshape(Tensor{-5, -4, -3, -2}, {1, 1, 2, 2}), 2, {.stride = 2, .padding = 1})), (Values{-5, -4, -3, -2}));
  EXPECT_EQ(values(avg_pool1d(reshape(Tensor{1, 2, 3, 6}, {1, 1, 4}), 2)), (Values{1.5, 4.5}));
}

TEST(Convolution, RefusesSizesByTheNameThatWasCalled) {
  const Tensor x = ones({1, 2, 5, 5}), w = ones({2, 2, 3, 3}), s = ones({1, 2, 5}), v = ones({2, 2, 3});
  const auto refused = [](const auto& f, std::initializer_list<std::string> parts) { EXPECT_TRUE(throws<std::invalid_argument>(f, parts)); };
  for (const std::int64_t padding : {4, 100})
    refused([&] { conv_transpose2d(x, w, {}, {.padding = padding}); },
            {"conv_transpose2d: a padding of " + std::to_string(padding) + " x ", "(1, 2, 5, 5)", "(2, 2, 3, 3)", "less padding"});
  EXPECT_EQ(conv_transpose2d(x, w, {}, {.padding = 3}).shape(), (Shape{1, 2, 1, 1}));
  refused([&] { conv_transpose1d(s, v, {}, {.padding = 4}); }, {"conv_transpose1d: a padding of 4", "(1, 2, 5)", "(2, 2, 3)"});
  refused([&] { conv_transpose1d(s, v, {}, {.output_padding = 1}); }, {"conv_transpose1d: an output padding of 1"});
  refused([&] { conv1d(s, ones({2, 3, 3})); }, {"conv1d: a weight of shape (2, 3, 3) in 1 groups for an input of shape (1, 2, 5)"});
  refused([&] { conv1d(s, ones({2, 2, 6})); }, {"conv1d: signals of 5 have no room for a kernel of 6"});
  refused([&] { conv1d(s, v, ones({3})); }, {"conv1d: a bias of shape (3,)"});
  refused([&] { conv1d(s, v, {}, {.dilation = 0}); }, {"conv1d: a dilation of 0"});
  refused([&] { max_pool1d(s, 2, {.stride = 0}); }, {"max_pool1d: a stride of 0"});
  refused([&] { avg_pool1d(s, 2, {.padding = 2}); }, {"avg_pool1d: a padding of 2"});
  refused([&] { avg_pool2d(x, 0); }, {"avg_pool2d: a kernel of 0 x 0"});
  refused([&] { conv2d(x, w, {}, {.padding = -1}); }, {"conv2d: a padding of -1 x -1"});
}

TEST(Convolution, RefusesWhatDoesNotFit) {
  const Tensor x = ones({1, 4, 5, 5}), w = ones({2, 4, 3, 3});
  EXPECT_TRUE(throws<std::invalid_argument>([&] { conv2d(ones({4, 5, 5}), w); }, {"conv2d", "(4, 5, 5)"}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { conv2d(x, ones({2, 3, 3, 3})); }, {"conv2d", "(2, 3, 3, 3)", "(1, 4, 5, 5)"}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { conv2d(x, w, ones({3})); }, {"conv2d", "bias", "(3,)"}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { conv2d(x, ones({2, 4, 6, 6})); }, {"conv2d", "5 x 5", "6 x 6"}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { conv2d(x, w, {}, {.stride = 0}); }, {"conv2d", "stride"}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { conv2d(x, w, {}, {.groups = 3}); }, {"conv2d", "3 groups"}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { max_pool2d(x, 2, {.padding = 2}); }, {"max_pool2d", "padding"}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { fold(ones({1, 4, 3}), 3, 2); }, {"fold", "(1, 4, 3)"}));
}

}  // namespace
