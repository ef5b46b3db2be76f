// Recordings too long to be planned as a whole, which are differentiated part by part.
#include <gtest/gtest.h>

#include <autodiff/autodiff.hpp>
#include <random>
#include <tests/support/values.hpp>

using namespace xgrad;
using namespace xgrad::test;

namespace {

/// A loop of an odd number of nodes a round, which now and then reaches far back, and whose result does not forget.
Tensor loop(const Tensor& a, const Tensor& b, int rounds) {
  Tensor y = a, early = tanh(a), z = b * 0.5, total = z;
  for (int i = 0; i < rounds; ++i) {
    y = tanh(y * a + 0.25) - 0.1 * z;
    z = z * 0.5 + y * b;
    if (i % 300 == 299) total = total + early * y * sum(z);
  }
  return sum(y * z + total);
}

/// Ops, inputs and shapes drawn by `seed`, so that no two stretches are alike.
Tensor random_recording(const Tensor& a, const Tensor& b, int nodes, unsigned seed) {
  std::mt19937 draw(seed);
  std::vector<Tensor> recent{a, b, a * b};
  Tensor total = a;
  for (int i = 0; i < nodes; ++i) {
    const std::size_t n = recent.size();
    const Tensor &x = recent[n - 1 - draw() % std::min<std::size_t>(n, 8)], &y = recent[n - 1 - draw() % std::min<std::size_t>(n, 8)];
    switch (draw() % 8) {
      case 0: recent.push_back(tanh(x)); break;
      case 1: recent.push_back(0.4 * (x + y) + 0.2 * a); break;
      case 2: recent.push_back(sin(x) * y + 0.2 * b); break;
      case 3: recent.push_back(where(x > y, x, 0.5 * y)); break;
      case 4: recent.push_back(x - sum(y) * 0.1); break;
      case 5: recent.push_back(sigmoid(prod(x * 0.5 + 0.5) + y)); break;  // whose rule reads values
      case 6: recent.push_back(reshape(transpose(reshape(x, {3, 1})), {3})); break;
      default: recent.push_back(maximum(x, y)); break;
    }
    if (i % 500 == 499) total = total + recent.back() * recent[n / 2];
  }
  return sum(recent.back() + total);
}

/// The gradients of a recording by its parts, by `backward` and by `grad`, and those of the same one as a whole, which takes every rule in turn.
void expect_gradients_of_the_whole(const std::function<Tensor(const Tensor&, const Tensor&)>& f) {
  Tensor a = leaf({0.3, -0.7, 0.9}), b = leaf({0.2, 0.5, -0.4});
  f(a, b).backward({}, true);
  const Values of_a = values(a.grad()), of_b = values(b.grad());
  EXPECT_GT(std::abs(of_a[0] * of_b[0]), 1e-12);
  for (int time = 0; time < 3; ++time) {  // by rules, and once and again by plans
    a.zero_grad();
    b.zero_grad();
    f(a, b).backward();
    for (std::size_t i = 0; i < 3; ++i) {
      EXPECT_NEAR(values(a.grad())[i], of_a[i], 1e-12 * std::abs(of_a[i]) + 1e-300) << "time " << time;
      EXPECT_NEAR(values(b.grad())[i], of_b[i], 1e-12 * std::abs(of_b[i]) + 1e-300) << "time " << time;
    }
    const Values alone = values(grad(f(a, b), b)), first = values(grad(std::vector<Tensor>{f(a, b)}, {b, a}).back());
    for (std::size_t i = 0; i < 3; ++i) {
      EXPECT_NEAR(alone[i], of_b[i], 1e-12 * std::abs(of_b[i]) + 1e-300) << "time " << time;
      EXPECT_NEAR(first[i], of_a[i], 1e-12 * std::abs(of_a[i]) + 1e-300) << "time " << time;
    }
  }
}

TEST(LongRecording, HasTheDerivativeOfTheRecurrence) {
  constexpr int rounds = 30000;
  const double a = 0.9, b = 0.05;
  Tensor x = scalar(a), c = scalar(b), y = scalar(0.4), first = y;
  for (int i = 0; i < rounds; ++i) y = tanh(x * y + c);
  y.backward();
  double value = 0.4, of_a = 0, of_b = 0, of_first = 1;
  for (int i = 0; i < rounds; ++i) {
    const double next = std::tanh(a * value + b), slope = 1 - next * next;
    of_a = slope * (value + a * of_a);
    of_b = slope * (1 + a * of_b);
    of_first *= slope * a;
    value = next;
  }
  EXPECT_NEAR(y.item(), value, 1e-13);
  EXPECT_NEAR(x.grad().item(), of_a, 1e-11 * of_a);
  EXPECT_NEAR(c.grad().item(), of_b, 1e-11 * of_b);
  EXPECT_NEAR(first.grad().item(), of_first, 1e-300);
}

TEST(LongRecording, OfALoopHasTheGradientsOfTheWhole) {
  expect_gradients_of_the_whole([](const Tensor& a, const Tensor& b) { return loop(a, b, 10000); });
}

TEST(LongRecording, OfAnyShapeHasTheGradientsOfTheWhole) {
  for (const unsigned seed : {1u, 2u, 3u})
    expect_gradients_of_the_whole([seed](const Tensor& a, const Tensor& b) { return random_recording(a, b, 12000, seed); });
}

TEST(LongRecording, KeepsValuesWherePartsMeet) {
  for (const bool one_more : {false, true}) {  // so that parts end with the one op and with the other
    Tensor a = leaf({0.3, -0.7, 0.9}), y = a;
    for (int i = 0; i < 12000; ++i) y = log(exp(y));
    if (one_more) y = y * 2.0;
    sum(y).backward();
    for (const double g : values(a.grad())) EXPECT_NEAR(g, one_more ? 2 : 1, 1e-9);
  }
}

TEST(LongRecording, WithGradientsInItsRulesHasThoseOfTheWhole) {
  expect_gradients_of_the_whole([](const Tensor& a, const Tensor& b) {
    Tensor y = a;
    for (int i = 0; i < 9000; ++i) {
      y = tanh(y * b + a);
      if (i % 500 == 0) y = checkpoint([](const std::vector<Tensor>& in) { return sin(in[0]) * in[0]; }, {y});
    }
    return sum(y);
  });
}

TEST(LongRecording, AddsToTheGradientsThatAreThere) {
  Tensor a = leaf({0.3, -0.7, 0.9}), b = leaf({0.2, 0.5, -0.4});
  loop(a, b, 6000).backward();
  const Values once = values(a.grad());
  loop(a, b, 6000).backward();
  for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(values(a.grad())[i], 2 * once[i], 1e-12 * std::abs(once[i]));
}

TEST(LongRecording, TakesCotangentsOfOutputsAnywhere) {
  Tensor a = leaf({0.3, -0.7, 0.9}), y = a, middle;
  for (int i = 0; i < 20000; ++i) {
    y = sin(y) + 0.01 * a;
    if (i == 7000) middle = y;
  }
  const Tensor g = Tensor{1.0, 2.0, -1.0};
  backward({y, middle, a}, {g, 3 * g, g}, true);
  const Values whole = values(a.grad());
  a.zero_grad();
  backward({y, middle, a}, {g, 3 * g, g});
  for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(values(a.grad())[i], whole[i], 1e-12 * std::abs(whole[i]));
}

TEST(LongRecording, AsksTheRulesOfPartsThatAreAlikeOnce) {
  struct Threefold final : GeneralOp {
    std::string_view name() const override { return "test_threefold"; }
    void evaluate(std::span<const detail::Array> inputs, const detail::Array& output) const override {
      detail::copy_contiguous(inputs[0], output.data);
      for (std::int64_t i = 0; i < output.size; ++i) output.as<double>()[i] *= 3;
    }
    Tensor vjp(std::size_t, const Tensor& g, std::span<const Tensor>, const Tensor&) const override {
      ++rules;
      return 3 * g;
    }
    mutable int rules = 0;
  };
  const auto op = std::make_shared<const Threefold>();
  Tensor x = scalar(1), y = x;
  constexpr int rounds = 60000;
  for (int i = 0; i < rounds; ++i) y = detail::record(op, {&y, 1}, y.shape(), y.dtype()) * (1.0 / 3);
  y.backward();
  EXPECT_NEAR(x.grad().item(), 1, 1e-9);
  EXPECT_GT(op->rules, 0);
  EXPECT_LT(op->rules, rounds / 4);
}

TEST(LongRecording, LeavesGradientsAloneThatAreNotAskedFor) {
  Tensor a = leaf({0.3, -0.7, 0.9}), b = leaf({0.2, 0.5, -0.4}), unused = leaf({1, 2, 3});
  const Tensor middle = sin(a);
  EXPECT_THROW(grad(loop(a, b, 6000), unused), std::invalid_argument);
  EXPECT_FALSE(grad(loop(a, b, 6000), unused, {.allow_unused = true}).defined());
  grad(loop(a, b, 6000), b);
  EXPECT_FALSE(a.grad().defined());
  EXPECT_FALSE(b.grad().defined());
  const Tensor y = loop(middle, b, 6000);
  const Values of_middle = values(grad(y, middle, {.retain_graph = true})), of_a = values(grad(y, a));
  for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(of_a[i], of_middle[i] * std::cos(values(a)[i]), 1e-11 * std::abs(of_a[i]));
}

TEST(LongRecording, IsFreedAndLeavesTheValuesThatAreHeld) {
  Tensor a = leaf({0.3, -0.7, 0.9}), kept;
  const std::size_t before = memory_statistics().in_use;
  {
    Tensor y = a;
    for (int i = 0; i < 30000; ++i) {
      y = sin(y) + 0.01 * a;
      if (i == 11000) kept = y;
    }
    sum(y).backward();
  }
  EXPECT_LT(memory_statistics().in_use, before + 10000);
  EXPECT_EQ(values(kept).size(), 3u);
  EXPECT_THROW(sum(kept).backward(), std::logic_error);
  EXPECT_THROW(grad(sum(kept), a), std::logic_error);
}

TEST(LongRecording, ThatLeadsToOneFreedSaysSoAndChangesNoGradient) {
  Tensor a = leaf({0.3, -0.7, 0.9});
  const Tensor shared = sin(a) * a;
  sum(shared).backward();
  const Values once = values(a.grad());
  Tensor y = shared;
  for (int i = 0; i < 20000; ++i) y = sin(y) + 0.01 * a;
  EXPECT_THROW(sum(y).backward(), std::logic_error);
  EXPECT_EQ(values(a.grad()), once);
}

}  // namespace
