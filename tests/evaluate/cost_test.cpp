// What recording and replay cost, counted rather than timed: nodes that wait, and calls of kernels and
// rules.
#include <gtest/gtest.h>

#include <algorithm>
#include <autodiff/autodiff.hpp>
#include <tests/support/values.hpp>

using namespace xgrad;
using namespace xgrad::test;

namespace {

/// 3x, which counts how often it is computed and asked for its rule.
struct Counting final : GeneralOp {
  struct Counts {
    int evaluated = 0, rules = 0;
  };
  explicit Counting(Counts& counts) : counts(counts) {}
  std::string_view name() const override { return "test_counting"; }
  void evaluate(std::span<const detail::Array> inputs, const detail::Array& output) const override {
    ++counts.evaluated;
    detail::copy_contiguous(inputs[0], output.data);
    for (std::int64_t i = 0; i < output.size; ++i) output.as<double>()[i] *= 3;
  }
  Tensor vjp(std::size_t, const Tensor& g, std::span<const Tensor>, const Tensor&) const override {
    ++counts.rules;
    return 3 * g;
  }
  Counts& counts;
};

Tensor counting(const Tensor& x, Counting::Counts& counts) {
  return detail::record(std::make_shared<const Counting>(counts), {&x, 1}, x.shape(), x.dtype());
}

TEST(Cost, FewNodesWaitWhereGradientsAreTracked) {
  Tensor x = scalar(1), y = x;
  int waiting = 0, most = 0;
  for (int i = 0; i < 100000; ++i) {
    y = y * 1.0;
    waiting = y.node()->evaluated ? 0 : waiting + 1;
    most = std::max(most, waiting);
  }
  EXPECT_LE(most, 20000);
  y.backward();
  EXPECT_EQ(x.grad().item(), 1);
}

TEST(Cost, EveryNodeIsComputedOnceAndAskedForItsRuleOnce) {
  Counting::Counts counts;
  Tensor x = leaf({1e-30, 2e-30});
  Tensor y = x;
  for (int level = 0; level < 60; ++level) {  // 2⁶⁰ paths
    y = counting(y, counts);
    y = y + y;
  }
  y.evaluate();
  EXPECT_EQ(counts.evaluated, 60);
  sum(y).backward();
  EXPECT_EQ(counts.evaluated, 60);
  EXPECT_EQ(counts.rules, 60);
}

TEST(Cost, ValuesAreReadWithoutBeingComputedAgain) {
  Counting::Counts counts;
  const Tensor y = counting(Tensor{1.0, 2.0}, counts);
  values(y);
  y.array<double>();
  values(y * 2 + y);
  values(transpose(y));
  EXPECT_EQ(counts.evaluated, 1);
}

TEST(Cost, RecordingsOfAnyLengthAskEachRuleOnceAndFollowTheFormula) {
  for (const int rounds : {3000, 12000}) {  // with three nodes each: planned as a whole, and computed in parts
    Counting::Counts counts;
    Tensor x = scalar(2), w = scalar(1 - 1e-4), early;
    double y_now = 0, dy_dx = 0, dy_dw = 0;
    const auto record = [&] {
      Tensor y = Tensor(0.0);
      early = x * 3;
      y_now = dy_dx = dy_dw = 0;
      for (int i = 0; i < rounds; ++i) {
        y = y * w + early;
        dy_dw = y_now + dy_dw * w.item();
        dy_dx = dy_dx * w.item() + 3;
        y_now = y_now * w.item() + 6;
        if (i % 2 == 0) y = counting(y, counts) / 3.0;
      }
      return y;
    };
    const auto close = [&](const Tensor& gradient, double expected) { return std::abs(gradient.item() / expected - 1) < 1e-10; };
    record().backward();
    EXPECT_EQ(counts.rules, rounds / 2);
    EXPECT_TRUE(close(x.grad(), dy_dx)) << x.grad() << dy_dx;
    EXPECT_TRUE(close(w.grad(), dy_dw));
    const Tensor y = record();
    y.backward({}, true);
    EXPECT_TRUE(close(x.grad(), 2 * dy_dx));
    EXPECT_TRUE(close(grad(y, early, {.retain_graph = true}), dy_dx / 3));
    EXPECT_TRUE(close(grad(y, w), dy_dw));
    EXPECT_TRUE(close(y, y_now));
    EXPECT_THROW(y.backward(), std::logic_error);
  }
}

TEST(Cost, WhatNobodyReadsIsNotComputed) {
  Counting::Counts counts;
  const Tensor x{1.0, 2.0};
  counting(x, counts);
  const Tensor unread = counting(x, counts);
  values(counting(x, counts));
  EXPECT_EQ(counts.evaluated, 1);
  EXPECT_FALSE(unread.node()->evaluated);
}

TEST(Cost, NoRuleIsAskedWhereNoGradientIsWanted) {
  Counting::Counts wanted, constant, elsewhere, behind;
  Tensor x = leaf({1, 2}), w = leaf({3, 4});
  const Tensor h = counting(x, behind) * 2;
  const Tensor y = sum(counting(h, wanted) * counting(Tensor{5.0, 6.0}, constant) + counting(w, elsewhere));
  EXPECT_EQ(values(grad(y, h)), (Values{45, 54}));
  EXPECT_EQ(wanted.rules, 1);
  EXPECT_EQ(constant.rules, 0);
  EXPECT_EQ(elsewhere.rules, 0);
  EXPECT_EQ(behind.rules, 0);
}

TEST(Cost, ADetachedBranchIsNotReplayed) {
  Counting::Counts kept, cut;
  Tensor x = leaf({1, 2});
  sum(counting(x, kept) + counting(x, cut).detach()).backward();
  EXPECT_EQ(values(x.grad()), (Values{3, 3}));
  EXPECT_EQ(kept.rules, 1);
  EXPECT_EQ(cut.rules, 0);
}

TEST(Cost, RulesGrowWithTheRecordingAndNotWithItsPaths) {
  for (const int n : {10, 20, 40}) {
    Counting::Counts counts;
    Tensor x = scalar(1e-60), y = x;
    std::vector<Tensor> all{x};
    for (int i = 0; i < n; ++i) {  // each uses all before it
      y = counting(sum(stack(all)), counts);
      all.push_back(y);
    }
    y.backward();
    EXPECT_EQ(counts.rules, n);
  }
}

}  // namespace
